"""Evaluation of a network in the training loop, and of a set: what counts, and in which metres."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hydranet_ros.errors import DatasetError, ModelError
from hydranet_ros.network.hydranet import MEAN, STD, HydraNetConfig, build_hydranet
from hydranet_ros.training.evaluation.crops import CROPS, crop_window
from hydranet_ros.training.evaluation.tally import Protocol, Tally, metric_depth
from hydranet_ros.training.sample import Sample
from hydranet_ros.training.validation import measure, predict

IMAGE = np.zeros((4, 6, 3), np.uint8)


def sample(**given) -> Sample:
    return Sample(given.pop('name', 'one'), given.pop('image', IMAGE), **given)


def test_measure_returns_the_figures_by_their_usual_names() -> None:
    labels = np.zeros((4, 6), np.uint8)
    samples = [sample(labels=labels, depth=np.full((4, 6), 8.0, np.float32))]
    found = measure(
        lambda image: {'labels': labels, 'depth': np.full((4, 6), 10.0)}, samples,
        num_classes=3, focal_length=100.0,
    )  # fmt: skip
    assert found['miou'] == found['pixel_accuracy'] == 1
    assert found['rmse'] == pytest.approx(2)
    assert found['abs_rel'] == pytest.approx(0.25)
    assert {'rmse_log', 'sq_rel', 'log10', 'silog', 'delta1', 'delta2', 'delta3'} <= set(found)


def test_depth_is_compared_in_metres_of_the_samples_own_camera() -> None:
    """Twice the focal length of training: what looks 10 m away to the network is 20 m away."""
    prediction = {'depth': np.full((4, 6), 10.0)}
    depth = np.full((4, 6), 20.0, np.float32)
    for focal_length, expected in ((200.0, 0.0), (100.0, 10.0), (0.0, 10.0)):
        found = measure(
            lambda image: prediction, [sample(depth=depth, focal_length=focal_length)],
            num_classes=1, focal_length=100.0,
        )  # fmt: skip
        assert found['rmse'] == pytest.approx(expected)


def test_an_unknown_training_focal_length_leaves_metres_as_they_are() -> None:
    prediction = np.full((4, 6), 10.0)
    kept = metric_depth(prediction, sample(focal_length=500.0), 0.0)
    assert kept is prediction


def test_an_empty_set_is_an_error_and_not_a_number() -> None:
    with pytest.raises(DatasetError, match='empty'):
        measure(lambda image: {}, [], num_classes=2, focal_length=1.0)


def test_what_does_not_fit_is_named_after_its_image() -> None:
    tally = Tally(2)
    small = sample(name='drive/07', labels=np.zeros((2, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'drive/07: .*\(2, 3\).*\(4, 6\)'):
        tally.add(small, {'labels': np.zeros((4, 6), np.uint8)})
    depth = sample(name='drive/08', depth=np.ones((4, 6), np.float32))
    with pytest.raises(ModelError, match='drive/08: .*not finite at 24 of 24'):
        tally.add(depth, {'depth': np.full((4, 6), np.nan)})
    with pytest.raises(DatasetError, match=r'drive/08: .*\(4, 6\).*\(2, 3\)'):
        tally.add(depth, {'depth': np.ones((2, 3))})


def test_labels_of_other_classes_are_counted_apart() -> None:
    tally = Tally(2)
    labels = np.array([[0, 1, 2, 39, 255, 255]] * 4, np.uint8)
    tally.add(sample(labels=labels), {'labels': np.zeros((4, 6), np.uint8)})
    assert tally.foreign_pixels == 8
    assert tally.confusion.counts.sum() == 8


def test_only_the_crop_counts() -> None:
    """Right within the crop of Garg, wrong outside."""
    window = crop_window('garg', 100, 200)
    depth = np.full((100, 200), 10.0, np.float32)
    prediction = np.full((100, 200), 40.0)
    prediction[window] = 10.0
    image = np.zeros((100, 200, 3), np.uint8)
    for crop, rmse in (('garg', 0.0), ('none', pytest.approx(30 * np.sqrt(1 - 59 * 185 / 2e4)))):
        tally = Tally(1, protocol=Protocol(crop))
        tally.add(sample(image=image, depth=depth), {'depth': prediction})
        assert tally.figures()['depth_pooled']['rmse'] == rmse


@pytest.mark.parametrize(('crop', 'size', 'expected'), [
    ('none', (375, 1242), (0, 375, 0, 1242)),
    ('garg', (375, 1242), (153, 371, 44, 1197)),
    ('eigen', (375, 1242), (124, 342, 44, 1197)),
    ('kb', (375, 1242), (23, 375, 13, 1229)),
    ('kb', (370, 1226), (18, 370, 5, 1221)),
    ('nyu_eigen', (480, 640), (45, 471, 41, 601)),
])  # fmt: skip
def test_crops_of_the_usual_sizes(crop: str, size: tuple[int, int], expected: tuple) -> None:
    rows, columns = crop_window(crop, *size)
    assert (rows.start, rows.stop, columns.start, columns.stop) == expected


@pytest.mark.parametrize(('crop', 'size'), [('kb', (360, 480)), ('nyu_eigen', (375, 1242))])
def test_a_crop_that_does_not_fit_is_refused(crop: str, size: tuple[int, int]) -> None:
    with pytest.raises(DatasetError, match=f'{crop}.*{size[1]}x{size[0]}'):
        crop_window(crop, *size)


def test_an_unknown_crop_names_those_that_exist() -> None:
    with pytest.raises(DatasetError, match=', '.join(CROPS)):
        crop_window('centre', 10, 10)


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(3)
    config = HydraNetConfig(num_classes=4, tasks=('segmentation', 'depth', 'normals'))
    return build_hydranet(config, init='kaiming').eval()


def test_logits_are_resized_and_then_decided(network) -> None:
    """Class ids that are resized themselves differ at edges; so do ids decided at stride 4."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (37, 53, 3)).astype(np.uint8)
    found = predict(network, image)
    pixels = (torch.from_numpy(image) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    with torch.no_grad():
        outputs = network(pixels.permute(2, 0, 1)[None])
    full = torch.nn.functional.interpolate(
        outputs['segmentation'], size=(37, 53), mode='bilinear', align_corners=False
    )
    early = torch.nn.functional.interpolate(
        outputs['segmentation'].argmax(1, keepdim=True).float(), size=(37, 53)
    )
    expected = full[0].argmax(0).numpy()
    assert (found['labels'] == expected).mean() > 0.999
    assert (early[0, 0].numpy() != expected).mean() > 0.01
    assert found['depth'].shape == (37, 53)
    assert (found['depth'] >= 0).all()
    assert np.linalg.norm(found['normals'], axis=-1) == pytest.approx(1, abs=1e-4)
