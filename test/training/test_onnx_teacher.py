"""Any ONNX model as a teacher, by its description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from distil_tools import HEIGHT, WIDTH, png, rgb, run_distil
from onnx_factory import describe, make_onnx, make_uint8_onnx, strongest, write_color_map

from hydranet_ros.errors import DatasetError, HydranetError, ModelError, TrainingError
from hydranet_ros.training.distil import DistilOptions, distil, open_data
from hydranet_ros.training.onnx_teacher import load_description
from hydranet_ros.training.teachers import open_teacher
from hydranet_ros.training.test_time_augmentation import TestTimeAugmentation, pseudo_label

ONCE = TestTimeAugmentation()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_onnx(tmp_path / 'other.onnx')


@pytest.fixture
def color_map(tmp_path: Path) -> Path:
    return write_color_map(tmp_path / 'colors.yaml')


def described(model: Path, **changes: object):
    """Return the model as a teacher, with changes of its description."""
    return open_teacher(model, description=describe(model.with_suffix('.yaml'), **changes))


@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
@pytest.mark.parametrize('channels', ['RGB', 'BGR'])
def test_labels_and_depth_are_written_in_the_target_classes(
    tmp_path: Path, unlabeled: Path, color_map: Path, layout: str, channels: str
) -> None:
    model = make_onnx(tmp_path / 'other.onnx', layout=layout, channels=channels)
    normalization = {'mean': [0.1, 0.2, 0.3], 'std': [0.5, 0.4, 0.25]}
    if channels == 'BGR':  # the model reverses the channels before it scales them
        normalization = {key: values[::-1] for key, values in normalization.items()}
    describe(tmp_path / 'other.yaml',
             input={'layout': layout, 'channels': channels, **normalization})  # fmt: skip
    out = tmp_path / 'out'
    report = run_distil(
        model, unlabeled, out, confidence=0, classes=str(color_map), depth_scale=1000
    )
    assert report.pseudo == {'labels': 3, 'depth': 3}
    image = rgb(unlabeled / 'images/000.jpg')
    labels = png(out / 'labels/000.png')
    # In the middle of a block, bilinear resizing mixes in no other block.
    assert (labels[4::8, 4::8] == strongest(image)).all()
    assert len(np.unique(labels)) == 3
    meters = image[..., 0].reshape(6, 8, 8, 8).mean((1, 3)) / 25.5 + 1
    stored = png(out / 'depth/000.png')[4::8, 4::8] / 1000
    np.testing.assert_allclose(stored, meters, atol=0.6)


def test_class_ids_have_full_confidence(
    tmp_path: Path, model: Path, unlabeled: Path, color_map: Path
) -> None:
    teacher = described(model, labels={'output': 'ids', 'kind': 'ids'}, depth=None)
    assert teacher.facts.tasks == {'labels'}
    samples = open_data(f'folder:{unlabeled}', {})
    options = DistilOptions(task='labels', confidence=1, classes=str(color_map))
    distil(teacher, samples, tmp_path / 'out', options)
    image = rgb(unlabeled / 'images/001.jpg')
    assert (png(tmp_path / 'out/labels/001.png')[4::8, 4::8] == strongest(image)).all()


def test_probabilities_are_used_unchanged_and_logits_get_a_softmax(
    model: Path, unlabeled: Path
) -> None:
    image = rgb(unlabeled / 'images/000.jpg')
    size = (HEIGHT // 4, WIDTH // 4)  # the stride of the model
    found = [
        described(model, labels={'output': kind, 'kind': kind}).predict(image, size, {'labels'})
        for kind in ('logits', 'probabilities')
    ]
    np.testing.assert_allclose(found[0].probabilities, found[1].probabilities, rtol=1e-5)
    np.testing.assert_allclose(found[0].probabilities.sum(0), 1, rtol=1e-5)


def test_a_uint8_model_with_one_output_needs_no_name_and_no_normalization(tmp_path: Path) -> None:
    model = make_uint8_onnx(tmp_path / 'ids.onnx')
    (tmp_path / 'ids.yaml').write_text('{input: {layout: NHWC}, labels: {kind: ids}}')
    image = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    found = open_teacher(model).predict(image, (9, 13), {'labels'})
    assert (found.labels == image[..., 0]).all()
    assert (found.confidence == 1).all()


def test_depth_is_scaled_and_shifted_by_its_kind(model: Path, unlabeled: Path) -> None:
    """``away`` is the inverse of ``disparity``."""
    image = rgb(unlabeled / 'images/000.jpg')
    size = (HEIGHT // 4, WIDTH // 4)
    inverse, depth = (
        described(model, labels=None, depth=given).predict(image, size, {'depth'}).depth
        for given in (
            {'output': 'disparity', 'kind': 'inverse', 'scale': 3.0},
            {'output': 'away', 'kind': 'depth', 'scale': 3.0, 'shift': 0.5},
        )
    )
    np.testing.assert_allclose(depth, inverse + 0.5, rtol=1e-5)
    shifted = described(model, labels=None, depth={'shift': 1.0})
    expected = 1 / (3 / inverse + 1)
    np.testing.assert_allclose(shifted.predict(image, size, {'depth'}).depth, expected, rtol=1e-5)


def test_depth_that_is_not_finite_is_0(model: Path) -> None:
    """A disparity of 1 with a shift of -1 is infinitely far."""
    teacher = described(model, labels=None, depth={'shift': -1.0})
    found = teacher.predict(np.zeros((16, 16, 3), np.uint8), (16, 16), {'depth'})
    assert (found.depth == 0).all()


def test_an_image_is_resized_to_a_fixed_input_size(tmp_path: Path, unlabeled: Path) -> None:
    """An input of half the width is a camera of half the focal length."""
    model = make_onnx(tmp_path / 'other.onnx', size=(HEIGHT // 2, WIDTH // 2))
    fixed = {'size': [HEIGHT // 2, WIDTH // 2]}
    image = rgb(unlabeled / 'images/000.jpg')
    tasks = frozenset({'depth'})
    unknown = described(model, input=fixed)
    assert unknown.input_scale((HEIGHT, WIDTH)) == 0.5
    plain = pseudo_label(unknown, image, tasks, ONCE).depth
    assert plain.shape == (HEIGHT, WIDTH)
    twice = pseudo_label(unknown, image, tasks, TestTimeAugmentation(scales=(2,))).depth
    np.testing.assert_allclose(twice, plain, rtol=0.25)
    known = described(model, input=fixed, depth={'focal_length': 50.0})
    scaled = pseudo_label(known, image, tasks, ONCE, focal_length=200).depth
    np.testing.assert_allclose(scaled, plain * (200 / 2) / 50, rtol=1e-5)


def test_padding_does_not_move_the_prediction(model: Path, unlabeled: Path) -> None:
    image = rgb(unlabeled / 'images/000.jpg')[:40, :56]
    padded = described(model, input={'multiple': 32}, labels=None)
    whole = described(model, labels=None)
    found = padded.predict(image, (40, 56), {'depth'}).depth
    expected = whole.predict(image, (40, 56), {'depth'}).depth
    assert found.shape == (40, 56)
    np.testing.assert_allclose(found[:32, :48], expected[:32, :48], rtol=1e-4)


@pytest.mark.parametrize(('changes', 'message'), [
    ({'input': {'layout': 'NWHC'}}, r"input\.layout: got 'NWHC'; allowed: NCHW, NHWC"),
    ({'input': {'sizes': [4, 4]}}, r"input: unknown key 'sizes'\. Allowed keys: .*size"),
    ({'input': {'size': [4]}}, r'input\.size: got \[4\]; expected a list of 2 values'),
    ({'input': {'size': [0, 4]}}, r'input: size is \(0, 4\); allowed: 1 or more'),
    ({'input': {'multiple': 0}}, 'input: multiple is 0; allowed: 1 or more'),
    ({'input': {'std': 0.5}}, r'input\.std: got 0\.5; expected a list of 3 values'),
    ({'input': {'std': [1, 0, 1]}}, r'std is \(1\.0, 0\.0, 1\.0\)'),
    ({'labels': {'output': 'logit'}}, r"no output 'logit'; name one of \['logits', .*labels\.ou"),
    ({'labels': {'output': ''}}, r"no output ''; name one of .*labels\.output"),
    ({'labels': {'kind': 'scores'}}, r'allowed: logits, probabilities, ids'),
    ({'depth': {'kind': 'meters'}}, r'allowed: depth, inverse'),
    ({'labels': None, 'depth': None}, 'neither labels nor depth'),
])  # fmt: skip
def test_a_description_that_does_not_fit_is_refused(
    model: Path, changes: dict, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        described(model, **changes)


def test_an_error_names_the_description(tmp_path: Path) -> None:
    path = describe(tmp_path / 'a.yaml', input={'sizes': 1})
    with pytest.raises(TrainingError, match=r'a\.yaml: input'):
        load_description(path)


def test_a_wrong_number_of_named_classes_is_refused(
    tmp_path: Path, model: Path, unlabeled: Path, color_map: Path
) -> None:
    describe(tmp_path / 'other.yaml', labels={'classes': ['rouge', 'vert']})
    with pytest.raises(HydranetError, match='3 classes; its description names 2'):
        run_distil(model, unlabeled, tmp_path / 'out', task='labels', classes=str(color_map))


def test_an_output_of_another_shape_is_refused(model: Path) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    ids = described(model, labels={'output': 'logits', 'kind': 'ids'})
    with pytest.raises(
        ModelError, match=r'its labels have the shape \(1, 3, 4, 4\); expected one'
    ):
        ids.predict(image, (16, 16), {'labels'})
    logits = described(model, labels={'output': 'ids', 'kind': 'logits'})
    with pytest.raises(ModelError, match=r'shape \(1, 4, 4\); expected NCHW for logits'):
        logits.predict(image, (16, 16), {'labels'})


def test_an_input_that_the_model_cannot_use_is_a_model_error(tmp_path: Path) -> None:
    model = make_onnx(tmp_path / 'other.onnx', size=(16, 16))
    with pytest.raises(ModelError, match=r'failed on an input \(1, 3, 32, 32\) of float32'):
        described(model).predict(np.zeros((32, 32, 3), np.uint8), (32, 32), {'depth'})


def test_a_class_map_that_does_not_fit_is_refused(
    tmp_path: Path, model: Path, unlabeled: Path
) -> None:
    describe(tmp_path / 'other.yaml')
    for changes, message in (
        ({'map': {'rouge': 'rod'}}, "'rod'"), ({'map': {'rogue': 'road'}}, "'rogue'"),
    ):  # fmt: skip
        wrong = write_color_map(tmp_path / 'wrong.yaml', **changes)
        with pytest.raises(DatasetError, match=message):
            run_distil(model, unlabeled, tmp_path / 'out', classes=str(wrong))
    few = write_color_map(tmp_path / 'few.yaml', ids={0: 'rouge', 1: 'vert'})
    with pytest.raises(TrainingError, match=r'class ids \[2\], which the class map .*few'):
        run_distil(model, unlabeled, tmp_path / 'out', classes=str(few))
    with pytest.raises(TrainingError, match='Name a class map'):
        run_distil(model, unlabeled, tmp_path / 'out')
