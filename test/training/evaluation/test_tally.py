"""Metrics of a data set: what counts, and in which meters."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.errors import DatasetError, ModelError, TrainingError
from hydranet_ros.training.evaluation.crops import crop_window
from hydranet_ros.training.evaluation.tally import Protocol, Tally, metric_depth
from hydranet_ros.training.metric_table import GROUPS
from hydranet_ros.training.sample import Sample

IMAGE = np.zeros((4, 6, 3), np.uint8)


def sample(**given) -> Sample:
    return Sample(given.pop('name', 'one'), given.pop('image', IMAGE), **given)


def test_each_annotation_with_a_prediction_gives_its_groups() -> None:
    labels = np.zeros((4, 6), np.uint8)
    depth = np.full((4, 6), 8.0, np.float32)
    normals = np.zeros((4, 6, 3), np.float32)
    normals[..., 2] = -1
    prediction = {'labels': labels, 'depth': np.full((4, 6), 10.0), 'normals': normals}
    tally = Tally(3)
    own = tally.add(sample(labels=labels, depth=depth, normals=normals), prediction)
    assert {'miou': 1, 'abs_rel': 0.25, 'angle_mean': 0}.items() <= own.items()
    assert list(tally.metrics()) == list(GROUPS)
    part = Tally(3)
    assert set(part.add(sample(labels=labels, depth=depth), {'labels': labels})) == {
        'miou', 'pixel_accuracy',
    }  # fmt: skip
    assert list(part.metrics()) == ['segmentation']
    assert tally.images == part.images == 1


def test_an_image_without_annotations_counts_nothing() -> None:
    tally = Tally(3)
    assert tally.add(sample(), {'depth': np.ones((4, 6))}) == {}
    assert tally.metrics() == {}


def test_depth_is_scaled_to_the_camera_of_the_sample() -> None:
    """Twice the focal length of training: what the network sees at 10 m is 20 m away."""
    tally = Tally(1, focal_length=100.0)
    far = sample(depth=np.full((4, 6), 20.0, np.float32), focal_length=200.0)
    assert tally.add(far, {'depth': np.full((4, 6), 10.0)})['rmse'] == 0


def test_an_unknown_focal_length_leaves_meters_unchanged() -> None:
    prediction = np.full((4, 6), 10.0)
    assert metric_depth(prediction, sample(focal_length=500.0), 0.0) is prediction
    assert metric_depth(prediction, sample(focal_length=0.0), 500.0) is prediction


def test_an_error_names_its_image() -> None:
    tally = Tally(2)
    small = sample(name='drive/07', labels=np.zeros((2, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'drive/07: .*\(2, 3\).*\(4, 6\)'):
        tally.add(small, {'labels': np.zeros((4, 6), np.uint8)})
    depth = sample(name='drive/08', depth=np.ones((4, 6), np.float32))
    with pytest.raises(ModelError, match='drive/08: .*not finite at 24 of 24'):
        tally.add(depth, {'depth': np.full((4, 6), np.nan)})
    with pytest.raises(DatasetError, match=r'drive/08: .*\(4, 6\).*\(2, 3\)'):
        tally.add(depth, {'depth': np.ones((2, 3))})
    assert tally.images == 0


def test_labels_of_other_classes_are_counted_separately() -> None:
    tally = Tally(2)
    labels = np.array([[0, 1, 2, 39, 255, 255]] * 4, np.uint8)
    tally.add(sample(labels=labels), {'labels': np.zeros((4, 6), np.uint8)})
    assert tally.foreign_pixels == 8
    assert tally.confusion.counts.sum() == 8


def test_only_depth_within_the_crop_counts() -> None:
    """The prediction is right within the crop of Garg and wrong outside."""
    window = crop_window('garg', 100, 200)
    depth = np.full((100, 200), 10.0, np.float32)
    prediction = np.full((100, 200), 40.0)
    prediction[window] = 10.0
    image = np.zeros((100, 200, 3), np.uint8)
    for crop, rmse in (('garg', 0.0), ('none', pytest.approx(30 * np.sqrt(1 - 59 * 185 / 2e4)))):
        tally = Tally(1, protocol=Protocol(crop))
        tally.add(sample(image=image, depth=depth), {'depth': prediction})
        assert tally.metrics()['depth_pooled']['rmse'] == rmse


def test_depth_outside_the_limits_does_not_count() -> None:
    depth = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]] * 4, np.float32)
    tally = Tally(1, protocol=Protocol(nearest=2.0, farthest=5.0))
    tally.add(sample(depth=depth), {'depth': depth})
    assert tally.depth.pixels == 2 * 4


def test_an_unregistered_metric_is_an_error(monkeypatch) -> None:
    """Without a row nobody knows whether more of it is better."""
    tally = Tally(2)
    monkeypatch.setattr(tally.depth, 'summary', lambda: {'rmsle': 0.1})
    with pytest.raises(TrainingError, match="Metric 'rmsle' is unknown; known: miou, "):
        tally.metrics()
    monkeypatch.setattr(tally.depth, 'add', lambda truth, prediction: {'rmsle': 0.1})
    depth = sample(depth=np.ones((4, 6), np.float32))
    with pytest.raises(TrainingError, match='rmsle'):
        tally.add(depth, {'depth': np.ones((4, 6))})
