"""Metrics against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.training.metrics import ConfusionMatrix, DepthErrors


def test_mean_iou_by_hand() -> None:
    """Class 0: 2 of 3; class 1: 1 of 2; class 2 never occurs and does not count."""
    confusion = ConfusionMatrix(3)
    confusion.add(np.array([[0, 0, 1, 1, 255]]), np.array([[0, 0, 0, 1, 2]]))
    assert confusion.iou[:2] == pytest.approx([2 / 3, 1 / 2])
    assert np.isnan(confusion.iou[2])
    assert confusion.mean_iou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert confusion.pixel_accuracy == pytest.approx(3 / 4)


def test_a_class_that_is_predicted_but_never_true_counts_as_zero() -> None:
    confusion = ConfusionMatrix(2)
    confusion.add(np.zeros((1, 2), np.uint8), np.array([[0, 1]]))
    assert confusion.mean_iou == pytest.approx((1 / 2 + 0) / 2)


def test_images_pool_rather_than_average() -> None:
    pooled = ConfusionMatrix(2)
    whole = ConfusionMatrix(2)
    truth = np.array([[0, 1, 1, 0, 1, 1]])
    found = np.array([[0, 1, 0, 0, 1, 1]])
    pooled.add(truth[:, :2], found[:, :2])
    pooled.add(truth[:, 2:], found[:, 2:])
    whole.add(truth, found)
    assert pooled.mean_iou == whole.mean_iou


def test_depth_errors_by_hand() -> None:
    errors = DepthErrors()
    errors.add(np.array([[10.0, 20.0, 0.0, np.nan, 90.0]]), np.array([[11.0, 10.0, 5, 5, 5]]))
    found = errors.summary()
    assert errors.pixels == 2
    assert found['rmse'] == pytest.approx(((1 + 100) / 2) ** 0.5)
    assert found['abs_rel'] == pytest.approx((0.1 + 0.5) / 2)
    assert found['rmse_log'] == pytest.approx(((np.log(1.1) ** 2 + np.log(2) ** 2) / 2) ** 0.5)
    assert found['delta1'] == pytest.approx(0.5)


def test_nothing_measured_gives_no_number() -> None:
    assert DepthErrors().summary() == {}
    assert np.isnan(ConfusionMatrix(2).mean_iou)
    assert np.isnan(ConfusionMatrix(2).pixel_accuracy)
