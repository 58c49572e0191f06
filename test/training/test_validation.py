"""Validation of a network in the training loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hydranet_ros.errors import DatasetError
from hydranet_ros.network.hydranet import MEAN, STD, HydraNetConfig, build_hydranet
from hydranet_ros.training.metric_table import METRICS, metrics_of
from hydranet_ros.training.sample import Sample
from hydranet_ros.training.validation import measure, predict

IMAGE = np.zeros((4, 6, 3), np.uint8)


def test_measure_returns_pooled_metrics_by_key() -> None:
    labels = np.zeros((4, 6), np.uint8)
    samples = [Sample('one', IMAGE, labels, np.full((4, 6), 8.0, np.float32))]
    found = measure(
        lambda image: {'labels': labels, 'depth': np.full((4, 6), 10.0)}, samples,
        num_classes=3, focal_length=100.0,
    )  # fmt: skip
    assert found['miou'] == found['pixel_accuracy'] == 1
    assert found['rmse'] == pytest.approx(2)
    assert found['abs_rel'] == pytest.approx(0.25)
    assert set(found) == {metric.key for metric in METRICS.values() if metric.task != 'normals'}


def test_normals_are_measured_where_the_network_predicts_them() -> None:
    normals = np.zeros((4, 6, 3), np.float32)
    normals[..., 2] = -1
    samples = [Sample('one', IMAGE, normals=normals)]
    found = measure(lambda image: {'normals': normals}, samples, num_classes=1, focal_length=1.0)
    assert set(found) == {metric.key for metric in metrics_of('normals')}


@pytest.mark.parametrize(('focal_length', 'rmse'), [(200.0, 0.0), (100.0, 10.0), (0.0, 10.0)])
def test_depth_is_compared_in_meters_of_the_samples_camera(focal_length: float, rmse: float):
    """Twice the focal length of training: what the network sees at 10 m is 20 m away."""
    depth = np.full((4, 6), 20.0, np.float32)
    found = measure(
        lambda image: {'depth': np.full((4, 6), 10.0)},
        [Sample('one', IMAGE, depth=depth, focal_length=focal_length)],
        num_classes=1, focal_length=100.0,
    )  # fmt: skip
    assert found['rmse'] == pytest.approx(rmse)


def test_an_empty_data_set_is_an_error() -> None:
    with pytest.raises(DatasetError, match='empty'):
        measure(lambda image: {}, [], num_classes=2, focal_length=1.0)


def test_logits_are_resized_before_the_argmax() -> None:
    """Resized class ids, and ids decided at stride 4, differ at edges."""
    torch.manual_seed(3)
    config = HydraNetConfig(num_classes=4, tasks=('segmentation', 'depth', 'normals'))
    network = build_hydranet(config, init='kaiming').eval()
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
