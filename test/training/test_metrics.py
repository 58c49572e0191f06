"""Metrics against cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hydranet_ros.errors import DatasetError, ModelError
from hydranet_ros.training.metrics import (
    ConfusionMatrix,
    DepthErrors,
    NormalErrors,
    angles_between,
)


def test_mean_iou_by_hand() -> None:
    """Class 0: 2 of 3; class 1: 1 of 2; class 2 never occurs and does not count."""
    confusion = ConfusionMatrix(3)
    confusion.add(np.array([[0, 0, 1, 1, 255]]), np.array([[0, 0, 0, 1, 2]]))
    assert confusion.iou[:2] == pytest.approx([2 / 3, 1 / 2])
    assert np.isnan(confusion.iou[2])
    assert confusion.mean_iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert confusion.pixel_accuracy == pytest.approx(3 / 4)


def test_a_predicted_class_that_never_occurs_counts_as_zero() -> None:
    confusion = ConfusionMatrix(2)
    confusion.add(np.zeros((1, 2), np.uint8), np.array([[0, 1]]))
    assert confusion.mean_iou == pytest.approx((1 / 2 + 0) / 2)


def test_a_perfect_class_counts_as_one() -> None:
    """DenseTorch marks absent classes with 1 and leaves out every 1, perfect classes too."""
    confusion = ConfusionMatrix(3)
    confusion.add(np.array([[0, 1, 1, 2]]), np.array([[0, 1, 1, 1]]))
    assert confusion.mean_iou == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_truth_outside_the_classes_is_skipped_whatever_its_type() -> None:
    confusion = ConfusionMatrix(2)
    confusion.add(np.array([[0, 2, 255]], np.uint8), np.array([[0, 1, 1]], np.uint8))
    confusion.add(np.array([[0, -1]], np.int64), np.array([[0, 1]], np.uint8))
    assert confusion.counts.tolist() == [[2, 0], [0, 0]]


def test_a_predicted_class_outside_the_classes_is_refused() -> None:
    """Such a pixel would be counted as another true class."""
    with pytest.raises(ModelError, match=r'classes 0\.\.3; allowed: 0\.\.1'):
        ConfusionMatrix(2).add(np.zeros((1, 2), np.uint8), np.array([[0, 3]]))
    ConfusionMatrix(2).add(np.array([[0, 255]]), np.array([[0, 3]]))


def test_images_are_pooled_not_averaged() -> None:
    pooled = ConfusionMatrix(2)
    whole = ConfusionMatrix(2)
    truth = np.array([[0, 1, 1, 0, 1, 1]])
    found = np.array([[0, 1, 0, 0, 1, 1]])
    pooled.add(truth[:, :2], found[:, :2])
    pooled.add(truth[:, 2:], found[:, 2:])
    whole.add(truth, found)
    assert pooled.mean_iou == whole.mean_iou


def test_the_confusion_matrix_is_that_of_torchmetrics() -> None:
    torchmetrics = pytest.importorskip('torchmetrics.functional.classification')
    import torch

    rng = np.random.default_rng(5)
    truth = rng.integers(0, 5, (40, 50)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.2] = 255
    found = rng.integers(0, 5, truth.shape).astype(np.uint8)
    confusion = ConfusionMatrix(5)
    confusion.add(truth, found)
    other = torchmetrics.multiclass_confusion_matrix(
        torch.from_numpy(found).long(), torch.from_numpy(truth).long(), 5, ignore_index=255
    )
    assert confusion.counts.tolist() == other.tolist()


def test_all_depth_metrics_by_hand() -> None:
    """Truth 10 and 20 m, predicted 11 and 10 m. 0 and NaN are unknown, 90 m is too far."""
    errors = DepthErrors()
    errors.add(np.array([[10.0, 20.0, 0.0, np.nan, 90.0]]), np.array([[11.0, 10.0, 5, 5, 5]]))
    a, b = math.log(11 / 10), math.log(10 / 20)
    expected = {
        'rmse': math.sqrt((1 + 100) / 2),
        'rmse_log': math.sqrt((a * a + b * b) / 2),
        'abs_rel': (1 / 10 + 10 / 20) / 2,
        'sq_rel': (1 / 10 + 100 / 20) / 2,
        'log10': (math.log10(1.1) + math.log10(2)) / 2,
        'silog': 100 * math.sqrt((a * a + b * b) / 2 - ((a + b) / 2) ** 2),
        'delta1': 1 / 2,
        'delta2': 1 / 2,
        'delta3': 1 / 2,
    }
    assert errors.pixels == 2
    assert errors.summary() == pytest.approx(expected)
    assert errors.mean_over_images() == pytest.approx(expected)


def test_deltas_are_strict_and_symmetric() -> None:
    errors = DepthErrors()
    predicted = [5.0, 4.999, 4 / 1.5, 4 * 1.9, 4 * 1.96]
    errors.add(np.full((1, 5), 4.0), np.array([predicted]))
    found = errors.summary()
    assert [found[f'delta{k}'] for k in (1, 2, 3)] == pytest.approx([1 / 5, 3 / 5, 4 / 5])


def test_rmse_is_pooled_over_pixels_not_averaged_over_images() -> None:
    """One pixel off by 4 m, seven right: 1.41 m; the mean of the two images' 4 and 0 is 2 m."""
    errors = DepthErrors()
    errors.add(np.array([[10.0]]), np.array([[14.0]]))
    errors.add(np.full((1, 7), 10.0), np.full((1, 7), 10.0))
    assert errors.summary()['rmse'] == pytest.approx(math.sqrt(16 / 8))
    assert errors.mean_over_images()['rmse'] == pytest.approx((4 + 0) / 2)


def test_images_weigh_the_same_in_the_mean_and_those_without_depth_nothing() -> None:
    errors = DepthErrors()
    assert errors.add(np.array([[10.0]]), np.array([[12.0]]))['abs_rel'] == pytest.approx(0.2)
    assert errors.add(np.array([[0.0, np.nan]]), np.array([[1.0, 1.0]])) == {}
    errors.add(np.full((2, 3), 10.0), np.full((2, 3), 11.0))
    assert errors.images == 2
    assert errors.mean_over_images()['abs_rel'] == pytest.approx(0.15)
    assert errors.summary()['abs_rel'] == pytest.approx((0.2 + 6 * 0.1) / 7)


def test_the_absolute_value_of_the_prediction_counts() -> None:
    errors = DepthErrors()
    errors.add(np.array([[3.0, 5.0]]), np.array([[-3.0, -5.0]]))
    assert errors.summary()['rmse'] == 0
    assert errors.mean_over_images()['delta1'] == 1


def test_only_the_mean_over_images_clamps_to_the_farthest() -> None:
    """A prediction of 100 m for 70 m costs 30 m pooled, and 10 m by BTS' convention."""
    errors = DepthErrors(farthest=80.0)
    errors.add(np.array([[70.0]]), np.array([[100.0]]))
    assert errors.summary()['rmse'] == pytest.approx(30)
    assert errors.mean_over_images()['rmse'] == pytest.approx(10)


def test_truth_at_the_limits_does_not_count() -> None:
    """With closed limits, every pixel of a saturated sensor would be right."""
    errors = DepthErrors(farthest=80.0, nearest=0.5)
    errors.add(np.array([[80.0, 0.5, 81.0, 0.1]]), np.full((1, 4), 200.0))
    assert errors.pixels == 0
    assert errors.summary() == errors.mean_over_images() == {}


def test_a_prediction_of_zero_meters_has_finite_logs() -> None:
    errors = DepthErrors()
    errors.add(np.array([[1.0]]), np.array([[0.0]]))
    found = errors.summary()
    assert found['rmse'] == 1
    assert found['abs_rel'] == 1
    assert found['rmse_log'] == pytest.approx(math.log(1000))
    assert found['delta3'] == 0


def test_silog_of_a_constant_factor_is_zero() -> None:
    errors = DepthErrors()
    truth = np.linspace(1, 60, 1000).reshape(10, 100)
    errors.add(truth, 1.3 * truth)
    assert errors.summary()['silog'] == pytest.approx(0, abs=1e-4)
    assert errors.summary()['abs_rel'] == pytest.approx(0.3)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_is_an_error(bad: float) -> None:
    with pytest.raises(ModelError, match='not finite at 1 of 2 pixels'):
        DepthErrors().add(np.array([[1.0, 2.0, 0.0]]), np.array([[bad, 2.0, bad]]))


def test_different_shapes_are_refused() -> None:
    for counter in (ConfusionMatrix(2), DepthErrors(), NormalErrors()):
        with pytest.raises(DatasetError, match=r'\(2, 3\).*\(1, 3\)'):
            counter.add(np.ones((2, 3)), np.ones((1, 3)))


def test_nothing_measured_gives_no_metric() -> None:
    assert DepthErrors().summary() == {}
    assert DepthErrors().mean_over_images() == {}
    assert NormalErrors().summary() == {}
    assert ConfusionMatrix(2).summary() == {}
    assert np.isnan(ConfusionMatrix(2).mean_iou)
    assert np.isnan(ConfusionMatrix(2).pixel_accuracy)


def test_angles_by_hand() -> None:
    """0, 45, 90 and 180 degrees; lengths do not matter; a vector of no length is 90 off."""
    first = np.array([[0, 0, -2], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]])
    second = np.array([[0, 0, -1], [0, 3, 3], [0, 1, 0], [0, -5, 0], [0, 0, 0]])
    assert angles_between(first, second) == pytest.approx([0, 45, 90, 180, 90])
    small = np.radians(1e-3)
    tilted = np.array([[0, np.sin(small), np.cos(small)]], np.float64)
    assert angles_between(np.array([[0.0, 0, 1]]), tilted) == pytest.approx([1e-3])


def test_normals_are_pooled_and_unknown_ones_skipped() -> None:
    """Angles 0 in one image; 10, 25 and 60 in another: mean 23.75, lower median 10."""

    def turned(degrees: list[float]) -> np.ndarray:
        angles = np.radians(degrees)
        return np.stack([np.sin(angles), 0 * angles, -np.cos(angles)], -1)[None]

    errors = NormalErrors()
    ahead = turned([0.0])
    errors.add(ahead, ahead)
    truth = np.concatenate([np.repeat(ahead, 3, 1), np.zeros((1, 1, 3)),
                            np.full((1, 1, 3), np.nan)], 1)  # fmt: skip
    own = errors.add(truth, turned([10, 25, 60, 90, 90]))
    assert own == pytest.approx({'angle_mean': 95 / 3})
    assert errors.pixels == 4
    assert errors.summary() == pytest.approx({
        'angle_mean': 23.75, 'angle_median': 10.0, 'within_11.25': 0.5, 'within_22.5': 0.5,
        'within_30': 0.75,
    }, abs=0.011)  # fmt: skip
