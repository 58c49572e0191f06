"""Distillation: real networks, real files, a real foreign model, real processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from model_factory import FOCAL_LENGTH, expected_depth, expected_labels, make_model
from onnx import TensorProto, helper, numpy_helper

from hydranet_ros.errors import DatasetError, HydranetError, TrainingError
from hydranet_ros.network.checkpoints import save_checkpoint
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.distil import DistilOptions, distil, open_data, parse_scales
from hydranet_ros.training.folder_writer import encode_depth, encode_normals
from hydranet_ros.training.sample import Sample
from hydranet_ros.training.teachers import Opinion, TeacherFacts, open_teacher
from hydranet_ros.training.test_time_augmentation import Looks, Votes, consult, translate

ROOT = Path(__file__).resolve().parent.parent
HEIGHT, WIDTH = 48, 64


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def pictures(folder: Path, count: int, *, seed: int = 0, symmetric: bool = False) -> Path:
    """Write JPEGs of 8x8 blocks, each with one strong channel."""
    rng = np.random.default_rng(seed)
    (folder / 'images').mkdir(parents=True)
    for index in range(count):
        blocks = rng.integers(0, 120, (6, 8, 3), np.uint8)
        strong = rng.integers(0, 3, (6, 8, 1))
        np.put_along_axis(blocks, strong, rng.integers(170, 256, (6, 8, 1), np.uint8), -1)
        if symmetric:
            blocks = np.concatenate([blocks[:, :4], blocks[:, 3::-1]], 1)
        image = blocks.repeat(HEIGHT // 6, 0).repeat(WIDTH // 8, 1)
        cv2.imwrite(str(folder / f'images/{index:03d}.jpg'), image)
    return folder


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    return pictures(tmp_path / 'plain', 3)


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Three images: one with labels, one with depth, one with nothing."""
    folder = pictures(tmp_path / 'half', 3)
    (folder / 'labels').mkdir()
    (folder / 'depth').mkdir()
    labels = np.full((HEIGHT, WIDTH), 2, np.uint8)
    labels[:10] = 0
    labels[10:12] = 255
    cv2.imwrite(str(folder / 'labels/000.png'), labels)
    depth = np.full((HEIGHT, WIDTH), 12345, np.uint16)
    depth[:20] = 0
    cv2.imwrite(str(folder / 'depth/001.png'), depth)
    manifest = {
        'depth_scale': 1000,
        'images': {f'{index:03d}': {'focal_length': 200.0} for index in range(3)},
    }
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    return folder


def checkpoint(path: Path, *tasks: str, classes: int = 6, seed: int = 3) -> Path:
    """Write a network of random weights whose answers vary over the picture."""
    torch.manual_seed(seed)
    config = HydraNetConfig('mobilenet_v2', classes, tasks or ('segmentation', 'depth'))
    network = build_hydranet(config, init='kaiming')
    with torch.no_grad():
        for head in network.decoder.heads.values():
            head.out.weight.mul_(40)
    save_checkpoint(network, path)
    return path


def run(teacher: Path, folder: Path, output: Path, **options: Any):
    return distil(
        open_teacher(teacher, provider='auto'), open_data(f'folder:{folder}', {}), output,
        DistilOptions(**options), data=f'folder:{folder}',
    )  # fmt: skip


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / 'manifest.json').read_text())


def png(path: Path) -> np.ndarray:
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert array is not None, path
    return array


def rgb(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


# --- what is written -----------------------------------------------------------------------------


def test_real_annotations_stay_and_the_rest_is_the_teachers(half: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    report = run(make_model(tmp_path / 'teacher.onnx'), half, out, confidence=0)
    assert report.real == {'labels': 1, 'depth': 1}
    assert report.taught == {'labels': 2, 'depth': 2}
    assert (png(out / 'labels/000.png') == png(half / 'labels/000.png')).all()
    real = png(half / 'depth/001.png') / 1000
    np.testing.assert_allclose(png(out / 'depth/001.png') / 256, real, atol=0.5 / 256)
    image = rgb(half / 'images/001.jpg')
    assert (png(out / 'labels/001.png') == expected_labels(image)).all()
    frames = manifest_of(out)['images']
    assert [frames['000'][key] for key in ('labels', 'depth')] == ['real', 'teacher']
    assert [frames['001'][key] for key in ('labels', 'depth')] == ['teacher', 'real']
    assert [frames['002'][key] for key in ('labels', 'depth')] == ['teacher', 'teacher']


def test_depth_is_that_of_the_images_camera_and_the_sky_has_none(
    half: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    run(make_model(tmp_path / 'teacher.onnx'), half, out)
    metres = expected_depth(rgb(half / 'images/000.jpg')) * 200 / FOCAL_LENGTH
    stored = png(out / 'depth/000.png')
    assert stored.dtype == np.uint16
    assert (stored[:10] == 0).all(), 'the real labels say sky'
    np.testing.assert_allclose(stored[10:] / 256, metres[10:], atol=1 / 256)


def test_an_unknown_camera_is_taken_to_be_the_teachers(unlabelled: Path, tmp_path: Path) -> None:
    teacher = make_model(tmp_path / 'teacher.onnx', tasks=('depth',))
    data = tmp_path / 'source'
    _as_depth_set(unlabelled, data)
    run(teacher, data, tmp_path / 'out', task='depth')
    row = manifest_of(tmp_path / 'out')['images']['001']
    assert (row['focal_length'], row['focal_length_from']) == (FOCAL_LENGTH, 'teacher')
    expected = expected_depth(rgb(data / 'images/001.jpg'))
    stored = png(tmp_path / 'out/depth/001.png') / 256
    np.testing.assert_allclose(stored, expected, atol=1 / 256)


def _as_depth_set(source: Path, target: Path) -> None:
    """Copy images and annotate none but the first, so that the camera stays unknown."""
    (target / 'labels').mkdir(parents=True)
    (source / 'images').rename(target / 'images')
    cv2.imwrite(str(target / 'labels/000.png'), np.full((HEIGHT, WIDTH), 1, np.uint8))


def test_labels_below_the_threshold_are_255(unlabelled: Path, tmp_path: Path) -> None:
    """The test model's confidence is the green channel of the picture."""
    out = tmp_path / 'out'
    teacher = make_model(tmp_path / 'teacher.onnx', tasks=('segmentation',))
    report = run(teacher, unlabelled, out, task='labels', confidence=0.4)
    image = rgb(unlabelled / 'images/002.jpg')
    sure = image[..., 1] >= 0.4 * 255
    assert 0 < sure.mean() < 1
    expected = np.where(sure, expected_labels(image), 255)
    assert (png(out / 'labels/002.png') == expected).all()
    kept = [float((png(path) != 255).mean()) for path in sorted((out / 'labels').iterdir())]
    assert report.kept == pytest.approx(np.mean(kept), abs=1e-3)
    assert not (out / 'depth').exists()


def test_the_result_is_a_folder_data_set_that_the_loader_reads(half: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    run(checkpoint(tmp_path / 'teacher.ckpt'), half, out, confidence=0)
    samples, before = open_data(f'folder:{out}', {}), open_data(f'folder:{half}', {})
    assert len(samples) == 3
    for new, old in zip(samples, before):
        assert new.labels is not None and new.depth is not None
        assert (new.image == old.image).all()
        assert new.focal_length == old.focal_length == 200
    assert (samples[0].labels == before[0].labels).all()
    np.testing.assert_allclose(samples[1].depth, before[1].depth, atol=0.5 / 256)


def test_a_jpeg_stays_the_file_it_is(half: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    run(make_model(tmp_path / 'teacher.onnx'), half, out)
    for path in (half / 'images').iterdir():
        assert (out / 'images' / path.name).read_bytes() == path.read_bytes()


def test_images_that_are_no_file_become_png(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    up = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    up[5:] = (0, -1, 0)
    samples = [Sample('drive/7', image, normals=up)]
    teacher = open_teacher(make_model(tmp_path / 'teacher.onnx'))
    distil(teacher, samples, tmp_path / 'out', DistilOptions(confidence=0))
    assert (rgb(tmp_path / 'out/images/drive/7.png') == image).all()
    (sample,) = open_data(f'folder:{tmp_path / "out"}', {})
    assert sample.normals is not None
    np.testing.assert_allclose(sample.normals, up, atol=0.01)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    samples = [Sample('a/b', image), Sample('a/b', image)]
    teacher = open_teacher(make_model(tmp_path / 'teacher.onnx'))
    with pytest.raises(DatasetError, match='a/b'):
        distil(teacher, samples, tmp_path / 'out', DistilOptions())


@pytest.mark.parametrize('name', ['../a', '/a', 'a/../../b', ''])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    teacher = open_teacher(make_model(tmp_path / 'teacher.onnx'))
    with pytest.raises(DatasetError, match='cannot be the name of a file'):
        distil(teacher, [Sample(name, image)], tmp_path / 'out', DistilOptions())


@pytest.mark.parametrize('scale', [256, 1000, 5000])
def test_depth_comes_back_within_half_a_step(scale: float) -> None:
    rng = np.random.default_rng(0)
    metres = rng.uniform(0.01, 65535 / scale, (20, 30)).astype(np.float32)
    stored = encode_depth(metres, scale)
    np.testing.assert_allclose(stored / scale, metres, atol=0.5 / scale + 1e-5)


def test_depth_that_is_unknown_or_too_deep_is_0() -> None:
    metres = np.array([[0, -1, np.nan, np.inf, 300, 255.9]], np.float32)
    assert encode_depth(metres, 256).tolist() == [[0, 0, 0, 0, 0, round(255.9 * 256)]]


def test_max_depth_bounds_the_teachers_depth_only(half: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    run(make_model(tmp_path / 'teacher.onnx'), half, out, max_depth=12)
    assert png(out / 'depth/001.png').max() / 256 == pytest.approx(12.345, abs=0.01)
    metres = expected_depth(rgb(half / 'images/002.jpg')) * 2
    surface = png(out / 'labels/002.png') != 0
    stored = png(out / 'depth/002.png')
    assert (metres[surface] > 12).any() and (metres[surface] < 12).any()
    assert ((stored > 0) == (surface & (metres <= 12))).all()


def test_normals_survive_the_colours() -> None:
    vectors = np.array([[[0, -1, 0], [0, 0, -1], [0.6, 0, -0.8], [0, 0, 0]]], np.float32)
    blue, green, red = np.moveaxis(encode_normals(vectors) / 127.5 - 1, -1, 0)
    np.testing.assert_allclose(np.stack([red, -blue, green], -1), vectors, atol=0.01)


# --- several looks -------------------------------------------------------------------------------


def test_with_flip_a_symmetric_image_gets_symmetric_answers(tmp_path: Path) -> None:
    pictures(tmp_path / 'data', 1, symmetric=True)
    image = rgb(tmp_path / 'data/images/000.jpg')
    image = np.concatenate([image[:, : WIDTH // 2], image[:, WIDTH // 2 - 1 :: -1]], 1)
    teacher = open_teacher(checkpoint(tmp_path / 'teacher.ckpt'))
    classes = translate(teacher.facts, None)

    def ask(flip: bool):
        tasks = {'labels', 'depth'}
        return consult(teacher, image, tasks, Looks(flip=flip, scales=(1, 1.5)), classes=classes)

    both, once = ask(True), ask(False)
    assert len(np.unique(both.labels)) > 1
    assert (both.labels == both.labels[:, ::-1]).all()
    np.testing.assert_allclose(both.depth, both.depth[:, ::-1], rtol=1e-4, atol=1e-4)
    assert (once.labels != once.labels[:, ::-1]).any(), 'a single look is not symmetric'
    assert np.abs(once.depth - once.depth[:, ::-1]).max() > 1e-2


def test_probabilities_are_averaged_over_the_looks(tmp_path: Path) -> None:
    teacher = open_teacher(checkpoint(tmp_path / 'teacher.ckpt', 'segmentation'))
    pictures(tmp_path / 'data', 1)
    image = rgb(tmp_path / 'data/images/000.jpg')
    one = teacher.look(image, (HEIGHT, WIDTH), {'labels'}).probabilities
    other = teacher.look(np.ascontiguousarray(image[:, ::-1]), (HEIGHT, WIDTH), {'labels'})
    mean = (one + other.probabilities[..., ::-1]) / 2
    found = consult(teacher, image, {'labels'}, Looks(flip=True),
                    classes=translate(teacher.facts, None))  # fmt: skip
    assert (found.labels == mean.argmax(0)).all()
    np.testing.assert_allclose(found.confidence, mean.max(0), rtol=1e-4)


def test_hard_votes_weigh_as_much_as_their_confidence() -> None:
    facts = TeacherFacts('t', '', frozenset({'labels'}), ('a', 'b'), ('a', 'b'))
    votes = Votes(translate(facts, None), (1, 3))
    votes.add(hard([[0, 0, 1]], [[0.5, 0.9, 0.2]]))
    votes.add(hard([[1, 1, 1]], [[0.6, 0.3, 0.4]]))
    labels, support = votes.decide()
    assert labels.tolist() == [[1, 0, 1]]
    np.testing.assert_allclose(support, [[0.3, 0.45, 0.3]], rtol=1e-6)


def hard(labels: list, confidence: list) -> Opinion:
    return Opinion(labels=np.array(labels, np.uint8), confidence=np.array(confidence, np.float32))


class Camera:
    """A teacher that measures: what it sees enlarged it says to be nearer."""

    def __init__(self, true_metres: float, width: int, focal: float) -> None:
        self.facts = TeacherFacts('camera', '', frozenset({'depth'}), focal_length=focal)
        self._metres, self._width = true_metres, width

    def zoom(self, size: tuple[int, int]) -> float:
        return 1.0

    def look(self, image: np.ndarray, size: tuple[int, int], tasks: object) -> Opinion:
        nearer = self._width / image.shape[1]
        return Opinion(depth=np.full(size, self._metres * nearer, np.float32))


@pytest.mark.parametrize('merge', ['median', 'mean'])
def test_depth_of_an_enlarged_look_is_brought_back(merge: str) -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    looks = Looks(True, (0.5, 1, 2), merge)
    found = consult(Camera(7, 80, 100), image, {'depth'}, looks, focal_length=100)
    np.testing.assert_allclose(found.depth, 7, rtol=1e-6)
    found = consult(Camera(7, 80, 100), image, {'depth'}, looks, focal_length=250)
    np.testing.assert_allclose(found.depth, 17.5, rtol=1e-6)


def test_median_and_mean_leave_out_what_is_unknown() -> None:
    class Uneven(Camera):
        answers = [np.nan, 4.0, 0.0, 6.0, 20.0]

        def look(self, image, size, tasks) -> Opinion:
            return Opinion(depth=np.full(size, self.answers.pop(0), np.float32))

    scales = (1.0, 1.01, 0.99, 1.02, 0.98)
    image = np.zeros((10, 10, 3), np.uint8)  # so small that each look has the image's size
    for merge, expected in (('median', 6.0), ('mean', 10.0)):
        Uneven.answers = [np.nan, 4.0, 0.0, 6.0, 20.0]
        teacher = Uneven(1, 10, 100)
        found = consult(teacher, image, {'depth'}, Looks(False, scales, merge), focal_length=100)
        np.testing.assert_allclose(found.depth, expected)


@pytest.mark.parametrize('scales', ['', 'big', '1,,2'])
def test_scales_that_are_no_numbers_are_refused(scales: str) -> None:
    with pytest.raises(TrainingError, match=r'0\.75,1,1\.25'):
        parse_scales(scales)


# --- classes -------------------------------------------------------------------------------------


def test_a_class_without_a_target_wins_only_alone() -> None:
    """Merged classes add up; of those that become nothing each stands for itself."""
    facts = TeacherFacts('t', '', frozenset({'labels'}), tuple('abcde'))
    votes = Votes(translate(facts, load_class_map('camvid_kitti6')), (1, 3))
    # CamVid: 0 sky, 1 building, 2 pole, 3 road, 4 pavement; the pole becomes nothing.
    probabilities = np.zeros((12, 1, 3), np.float32)
    probabilities[[2, 6, 3], 0, 0] = (0.35, 0.25, 0.4)
    probabilities[[2, 3], 0, 1] = (0.6, 0.4)
    probabilities[[1, 0], 0, 2] = (0.7, 0.3)
    votes.add(Opinion(probabilities))
    labels, support = votes.decide()
    assert labels.tolist() == [[2, 255, 1]]
    np.testing.assert_allclose(support, [[0.4, 0.6, 0.7]])


def test_merged_classes_add_up() -> None:
    facts = TeacherFacts('t', '', frozenset({'labels'}), ())
    votes = Votes(translate(facts, load_class_map('cityscapes19_kitti6', ('terrain',))), (1, 1))
    probabilities = np.zeros((19, 1, 1), np.float32)
    probabilities[[0, 8, 9], 0, 0] = (0.4, 0.3, 0.3)
    votes.add(Opinion(probabilities))
    labels, support = votes.decide()
    assert labels.tolist() == [[4]]
    assert support[0, 0] == pytest.approx(0.6)


# --- any ONNX model ------------------------------------------------------------------------------

NORMALISATION = {'mean': [0.1, 0.2, 0.3], 'std': [0.5, 0.4, 0.25]}


def foreign(path: Path, *, layout: str = 'NCHW', size: tuple[int, int] | None = None) -> Path:
    """
    Write a model as others export them.

    Its three logits are ten times the mean colour of each 4x4 block: class 7 of a block is its
    strongest channel. ``disparity`` is 1 / (10 * mean red + 1).
    """
    node = helper.make_node
    shape = [1, 3, *(size or ('H', 'W'))] if layout == 'NCHW' else [1, *(size or ('H', 'W')), 3]
    image = helper.make_tensor_value_info('pixels', TensorProto.FLOAT, shape)
    nodes = []
    source = 'pixels'
    if layout == 'NHWC':
        nodes.append(node('Transpose', ['pixels'], ['planes'], perm=[0, 3, 1, 2]))
        source = 'planes'
    nodes += [
        node('Mul', [source, 'std'], ['scaled']),
        node('Add', ['scaled', 'mean'], ['unit']),
        node('AveragePool', ['unit'], ['small'], kernel_shape=[4, 4], strides=[4, 4]),
        node('Mul', ['small', 'ten'], ['planar']),
        node('Slice', ['planar', 'zero', 'one', 'one'], ['red']),
        node('Add', ['red', 'bias'], ['away']),
        node('Reciprocal', ['away'], ['disparity']),
        node('ArgMax', ['planar'], ['ids'], axis=1, keepdims=0),
    ]
    if layout == 'NHWC':
        nodes.append(node('Transpose', ['planar'], ['logits'], perm=[0, 2, 3, 1]))
    else:
        nodes.append(node('Identity', ['planar'], ['logits']))
    constants = [
        numpy_helper.from_array(np.array(values, kind), name)
        for name, values, kind in (
            ('std', np.reshape(NORMALISATION['std'], (1, 3, 1, 1)), np.float32),
            ('mean', np.reshape(NORMALISATION['mean'], (1, 3, 1, 1)), np.float32),
            ('ten', 10, np.float32), ('bias', 1, np.float32),
            ('zero', [0], np.int64), ('one', [1], np.int64),
        )
    ]  # fmt: skip
    outputs = [
        helper.make_tensor_value_info('logits', TensorProto.FLOAT, None),
        helper.make_tensor_value_info('disparity', TensorProto.FLOAT, None),
        helper.make_tensor_value_info('ids', TensorProto.INT64, None),
    ]
    graph = helper.make_graph(nodes, 'foreign', [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def describe(path: Path, **changes: Any) -> Path:
    raw: dict[str, Any] = {
        'input': {**NORMALISATION, 'multiple': 4},
        'labels': {'output': 'logits', 'kind': 'logits', 'classes': ['rouge', 'vert', 'bleu']},
        'depth': {'output': 'disparity', 'kind': 'inverse'},
    }
    for key, values in changes.items():
        raw[key] = {**raw[key], **values} if values is not None else None
    path.write_text(yaml.safe_dump({key: value for key, value in raw.items() if value}))
    return path


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """Write a class map: red is road, green is vegetation, blue is nothing."""
    raw = {
        'description': 'colours', 'classes': 'kitti6',
        'ids': {0: 'rouge', 1: 'vert', 2: 'bleu'}, 'map': {'rouge': 'road', 'vert': 'vegetation'},
    }  # fmt: skip
    path = tmp_path / 'colours.yaml'
    path.write_text(yaml.safe_dump(raw))
    return path


def strongest(image: np.ndarray) -> np.ndarray:
    """Return road, vegetation or 255 for the lower right 4x4 pixels of each 8x8 block."""
    blocks = image.reshape(HEIGHT // 8, 8, WIDTH // 8, 8, 3)[:, 4:, :, 4:]
    return np.array([2, 4, 255], np.uint8)[blocks.mean((1, 3)).argmax(-1)]


@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
def test_a_foreign_model_labels_in_our_classes(
    tmp_path: Path, unlabelled: Path, colours: Path, layout: str
) -> None:
    model = foreign(tmp_path / 'foreign.onnx', layout=layout)
    describe(tmp_path / 'foreign.yaml', input={'layout': layout}, labels={'layout': layout})
    out = tmp_path / 'out'
    report = run(model, unlabelled, out, confidence=0, classes=str(colours), depth_scale=1000)
    assert report.taught == {'labels': 3, 'depth': 3}
    image = rgb(unlabelled / 'images/000.jpg')
    labels = png(out / 'labels/000.png')
    # In the middle of a block the bilinear resize of the logits mixes in no other block.
    assert (labels[4::8, 4::8] == strongest(image)).all()
    assert len(np.unique(labels)) == 3
    metres = image[..., 0].reshape(6, 8, 8, 8).mean((1, 3)) / 25.5 + 1
    stored = png(out / 'depth/000.png')[4::8, 4::8] / 1000
    np.testing.assert_allclose(stored, metres, atol=0.6)


def test_ids_alone_are_enough(tmp_path: Path, unlabelled: Path, colours: Path) -> None:
    model = foreign(tmp_path / 'foreign.onnx')
    describe(tmp_path / 'other.yaml', labels={'output': 'ids', 'kind': 'ids'}, depth=None)
    teacher = open_teacher(model, description=tmp_path / 'other.yaml')
    assert teacher.facts.tasks == {'labels'}
    samples = open_data(f'folder:{unlabelled}', {})
    options = DistilOptions(task='labels', confidence=1, classes=str(colours))
    distil(teacher, samples, tmp_path / 'out', options)
    image = rgb(unlabelled / 'images/001.jpg')
    assert (png(tmp_path / 'out/labels/001.png')[4::8, 4::8] == strongest(image)).all()


def test_a_model_of_one_size_sees_every_image_stretched_to_it(
    tmp_path: Path, unlabelled: Path, colours: Path
) -> None:
    """An input half as wide is a camera of half the focal length: depth is scaled so."""
    model = foreign(tmp_path / 'foreign.onnx', size=(HEIGHT // 2, WIDTH // 2))
    fixed = {'size': [HEIGHT // 2, WIDTH // 2]}
    image = rgb(unlabelled / 'images/000.jpg')
    tasks = frozenset({'depth'})
    describe(tmp_path / 'foreign.yaml', input=fixed)
    unknown = open_teacher(model)
    plain = consult(unknown, image, tasks, Looks()).depth
    assert plain.shape == (HEIGHT, WIDTH)
    zoomed = consult(unknown, image, tasks, Looks(scales=(2,))).depth
    np.testing.assert_allclose(zoomed, plain, rtol=0.25)
    describe(tmp_path / 'foreign.yaml', input=fixed, depth={'focal_length': 50.0})
    known = consult(open_teacher(model), image, tasks, Looks(), focal_length=200).depth
    np.testing.assert_allclose(known, plain * (200 / 2) / 50, rtol=1e-5)


def test_padding_to_a_multiple_leaves_the_picture_where_it_is(tmp_path: Path) -> None:
    model = foreign(tmp_path / 'foreign.onnx')
    describe(tmp_path / 'foreign.yaml', input={'multiple': 32}, labels=None)
    image = rgb(pictures(tmp_path / 'data', 1) / 'images/000.jpg')[:40, :56]
    padded = consult(open_teacher(model), image, {'depth'}, Looks()).depth
    describe(tmp_path / 'foreign.yaml', labels=None)
    whole = consult(open_teacher(model), image, {'depth'}, Looks()).depth
    assert padded.shape == (40, 56)
    np.testing.assert_allclose(padded[:32, :48], whole[:32, :48], rtol=1e-4)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'input': {'layout': 'NWHC'}}, r"input\.layout: got 'NWHC'; allowed: NCHW, NHWC"),
        ({'input': {'sizes': [4, 4]}}, r"input: unknown key 'sizes'\. Allowed keys: .*size"),
        ({'input': {'size': [4]}}, r'input\.size: got \[4\]; expected a list of 2 values'),
        ({'input': {'multiple': 0}}, 'input: multiple is 0; allowed: 1 or more'),
        ({'input': {'std': 0.5}}, r'input\.std: got 0\.5; expected a list of 3 values'),
        ({'labels': {'output': 'logit'}}, r"outputs \['logits', 'disparity', 'ids'\].*'logit'"),
        ({'labels': {'output': ''}}, r'name one of them under labels\.output'),
        ({'labels': {'kind': 'scores'}}, r'allowed: logits, probabilities, ids'),
        ({'depth': {'kind': 'metres'}}, r'allowed: depth, inverse, log'),
        ({'labels': None, 'depth': None}, 'neither labels nor depth'),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict, message: str
) -> None:
    model = foreign(tmp_path / 'foreign.onnx')
    describe(tmp_path / 'foreign.yaml', **changes)
    with pytest.raises(TrainingError, match=message):
        open_teacher(model)


def test_a_model_without_description_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r'foreign\.yaml does not exist.*--describe FILE'):
        open_teacher(foreign(tmp_path / 'foreign.onnx'))


def test_a_wrong_number_of_named_classes_is_refused(
    tmp_path: Path, unlabelled: Path, colours: Path
) -> None:
    model = foreign(tmp_path / 'foreign.onnx')
    describe(tmp_path / 'foreign.yaml', labels={'classes': ['rouge', 'vert']})
    with pytest.raises(HydranetError, match='3 classes; its description names 2'):
        run(model, unlabelled, tmp_path / 'out', task='labels', classes=str(colours))


# --- what is refused -----------------------------------------------------------------------------


def test_a_teacher_without_the_task_is_refused(tmp_path: Path, unlabelled: Path) -> None:
    teacher = checkpoint(tmp_path / 'depth.ckpt', 'depth')
    with pytest.raises(TrainingError, match=r'depth\.ckpt gives depth, not labels'):
        run(teacher, unlabelled, tmp_path / 'out', task='both')
    assert not (tmp_path / 'out').exists()


def test_a_class_map_with_unknown_names_is_refused(
    tmp_path: Path, unlabelled: Path, colours: Path
) -> None:
    model = foreign(tmp_path / 'foreign.onnx')
    describe(tmp_path / 'foreign.yaml')
    for old, new, message in (('road', 'rod', "'rod'.* no classes"),
                              ('rouge: ', 'rogue: ', "'rogue'.* no names of ids")):  # fmt: skip
        text = colours.read_text()
        wrong = tmp_path / 'wrong.yaml'
        wrong.write_text(text.replace(old, new))
        assert wrong.read_text() != text
        with pytest.raises(DatasetError, match=message):
            run(model, unlabelled, tmp_path / 'out', classes=str(wrong))
    with pytest.raises(TrainingError, match='name a class map'):
        run(model, unlabelled, tmp_path / 'out')


def test_a_class_map_that_knows_too_few_ids_is_refused(
    tmp_path: Path, unlabelled: Path, colours: Path
) -> None:
    model = foreign(tmp_path / 'foreign.onnx')
    describe(tmp_path / 'foreign.yaml')
    raw = yaml.safe_load(colours.read_text())
    del raw['ids'][2]
    colours.write_text(yaml.safe_dump(raw))
    with pytest.raises(TrainingError, match=r'class ids \[2\], which the class map .*colours'):
        run(model, unlabelled, tmp_path / 'out', classes=str(colours))


def test_labels_outside_the_classes_are_refused(tmp_path: Path, half: Path) -> None:
    cv2.imwrite(str(half / 'labels/000.png'), np.full((HEIGHT, WIDTH), 3, np.uint8))
    with pytest.raises(DatasetError, match=r'000 has the label 3; the classes are 0\.\.2'):
        run(make_model(tmp_path / 'teacher.onnx'), half, tmp_path / 'out')


def test_a_checkpoint_of_other_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match='40 classes.*--preset'):
        open_teacher(checkpoint(tmp_path / 'nyud.ckpt', classes=40))
    teacher = open_teacher(tmp_path / 'nyud.ckpt', preset='nyud')
    assert teacher.facts.classes[:2] == ('wall', 'floor')


def test_a_folder_of_other_options_is_refused_naming_them(half: Path, tmp_path: Path) -> None:
    teacher, out = make_model(tmp_path / 'teacher.onnx'), tmp_path / 'out'
    run(teacher, half, out)
    before = (out / 'manifest.json').read_bytes()
    with pytest.raises(TrainingError) as caught:
        run(teacher, half, out, confidence=0.7, looks=Looks(flip=True))
    text = str(caught.value)
    assert 'confidence: 0.5 there, 0.7 now' in text
    assert 'looks.flip: False there, True now' in text
    assert 'max_depth' not in text
    other = make_model(tmp_path / 'other.onnx', tasks=('segmentation', 'depth', 'normals'))
    with pytest.raises(TrainingError, match=r'teacher\.sha256'):
        run(other, half, out)
    assert (out / 'manifest.json').read_bytes() == before


def test_a_folder_of_something_else_is_not_written_into(half: Path, tmp_path: Path) -> None:
    teacher = make_model(tmp_path / 'teacher.onnx')
    with pytest.raises(DatasetError, match='choose an empty folder'):
        run(teacher, half, half)
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.tex').write_text('')
    with pytest.raises(DatasetError, match='choose an empty folder'):
        run(teacher, half, tmp_path / 'mine')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'task': 'normals'}, 'allowed: labels, depth, both'),
        ({'confidence': 1.5}, r'allowed: 0\.\.1'),
        ({'depth_scale': 0}, 'must be above 0'),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        DistilOptions(**options)


@pytest.mark.parametrize(
    ('looks', 'message'),
    [
        ({'scales': (0,)}, r'0\.1\.\.10'),
        ({'scales': (1, 1)}, 'each once'),
        ({'depth_merge': 'max'}, 'allowed: median, mean'),
    ],
)
def test_wrong_looks_are_refused(looks: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        Looks(**looks)


# --- stopped and started again -------------------------------------------------------------------


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'hydranet_ros', 'distil', *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*')) if path.is_file()
    }  # fmt: skip


def wait_for_lines(process: subprocess.Popen, journal: Path, count: int) -> None:
    until = time.monotonic() + 60
    while not (journal.is_file() and len(journal.read_text().splitlines()) >= count):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_and_ends_the_same(tmp_path: Path, how: signal.Signals) -> None:
    """A real process is stopped; the rest is done here, and every byte is as in one piece."""
    teacher = checkpoint(tmp_path / 'teacher.ckpt')
    data, out = pictures(tmp_path / 'data', 40), tmp_path / 'out'
    process = start(teacher, f'folder:{data}', '-o', out, '--flip')
    wait_for_lines(process, out / 'journal.jsonl', 2)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert 'the same command goes on' in errors and 'Traceback' not in errors
        assert 2 <= len(manifest_of(out)['images']) < 40
    assert not manifest_of(out)['complete']
    with (out / 'journal.jsonl').open('a') as handle:
        handle.write('{"index": 39, "na')  # a torn line, as a kill may leave it
    options = {'looks': Looks(flip=True)}
    written = (out / 'labels/000.png').stat().st_mtime_ns
    run(teacher, data, out, **options)
    assert manifest_of(out)['complete']
    assert (out / 'labels/000.png').stat().st_mtime_ns == written, 'what is there is skipped'
    run(teacher, data, tmp_path / 'whole', **options)
    assert contents(out) == contents(tmp_path / 'whole')


def test_a_disk_that_takes_no_more_is_one_clear_error(tmp_path: Path) -> None:
    """The second image is too large for the limit; once that is gone the run goes on."""
    rng = np.random.default_rng(0)
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    samples = [Sample('flat', flat), Sample('noise', noise)]
    teacher = open_teacher(make_model(tmp_path / 'teacher.onnx'))
    out = tmp_path / 'out'
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))
    try:
        with pytest.raises(DatasetError, match='cannot be written.*the same command goes on'):
            distil(teacher, samples, out, DistilOptions())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(manifest_of(out)['images']) == ['flat']
    assert not list(out.rglob('*.part'))
    distil(teacher, samples, out, DistilOptions())
    assert list(manifest_of(out)['images']) == ['flat', 'noise']


def test_a_file_that_is_lost_is_written_again(half: Path, tmp_path: Path) -> None:
    teacher, out = make_model(tmp_path / 'teacher.onnx'), tmp_path / 'out'
    run(teacher, half, out)
    before = contents(out)
    (out / 'depth/002.png').unlink()
    run(teacher, half, out)
    assert contents(out) == before


def test_the_command_prints_what_it_made(half: Path, tmp_path: Path) -> None:
    teacher = make_model(tmp_path / 'teacher.onnx')
    done = start(teacher, 'folder:HALF', '--data', f'HALF={half}', '-o', tmp_path / 'out')
    output, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert '3 images; labels: 1 real, 2 taught' in output


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    teacher = open_teacher(make_model(tmp_path / 'teacher.onnx'))
    with pytest.raises(DatasetError, match='holds no images'):
        distil(teacher, [], tmp_path / 'out', DistilOptions(), data='folder:x')


def test_both_directions_on_real_pictures(data_dir: Path, tmp_path: Path) -> None:
    """Depth for CamVid's labelled photographs: the paper's second direction."""
    source = f'camvid:{data_dir / "camvid"}:val?limit=2&focal_length=500'
    teacher = open_teacher(checkpoint(tmp_path / 'depth.ckpt', 'depth'))
    samples = open_data(source, {})
    options = DistilOptions(task='depth')
    report = distil(teacher, samples, tmp_path / 'out', options, data=source)
    assert report.real == {'labels': 2, 'depth': 0} and report.taught['depth'] == 2
    for new, old in zip(open_data(f'folder:{tmp_path / "out"}', {}), samples):
        assert (new.image == old.image).all() and (new.labels == old.labels).all()
        assert new.depth is not None
        assert (new.depth[new.labels == 0] == 0).all(), 'no depth in the sky'
        assert (new.depth[new.labels == 2] > 0).mean() > 0.9
