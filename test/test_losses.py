"""Losses: hand-computed values, and silence where nothing is annotated."""

from __future__ import annotations

import math

import pytest
import torch

from hydranet_ros.model_info import UNLABELLED
from hydranet_ros.training.losses import berhu_loss, segmentation_loss, silog_loss


def depth_pair(predicted: list[float], true: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    prediction = torch.tensor(predicted).view(1, 1, 1, -1).requires_grad_()
    return prediction, torch.tensor(true).view(1, 1, -1)


def test_cross_entropy_of_a_known_case() -> None:
    logits = torch.zeros(1, 4, 2, 2)
    labels = torch.tensor([[[0, 1], [2, 3]]])
    assert segmentation_loss(logits, labels).item() == pytest.approx(math.log(4))


def test_unlabelled_pixels_do_not_count() -> None:
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, UNLABELLED], [UNLABELLED, UNLABELLED]]])
    expected = -logits[0, :, 0, 0].log_softmax(0)[0]
    assert segmentation_loss(logits, labels).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize('loss', [berhu_loss, silog_loss])
def test_a_batch_without_depth_contributes_nothing_and_keeps_gradients_finite(loss) -> None:
    prediction, target = depth_pair([1.0, -2.0, 3.0], [0.0, 0.0, 0.0])
    value = loss(prediction, target)
    value.backward()
    assert value.item() == 0
    assert prediction.grad.abs().max() == 0


def test_a_batch_without_labels_contributes_nothing() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = segmentation_loss(logits, torch.full((2, 8, 8), UNLABELLED))
    value.backward()
    assert value.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize('loss', [berhu_loss, silog_loss])
def test_a_perfect_prediction_gives_no_nan(loss) -> None:
    prediction, target = depth_pair([1.0, 2.0], [1.0, 2.0])
    value = loss(prediction, target)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(prediction.grad).all()
    assert value.item() < 2e-3


def test_berhu_by_hand() -> None:
    """Errors 1, 5, 10 give c = 2; 1 stays, the others become (e^2 + c^2) / 2c."""
    prediction, target = depth_pair([2.0, 6.0, 11.0], [1.0, 1.0, 1.0])
    assert berhu_loss(prediction, target).item() == pytest.approx((1 + 29 / 4 + 104 / 4) / 3)


def test_unknown_depth_does_not_dilute_berhu_unless_official() -> None:
    full = berhu_loss(*depth_pair([3.0, 3.0], [1.0, 1.0]))
    half = depth_pair([3.0, 3.0], [1.0, 0.0])
    assert berhu_loss(*half).item() == pytest.approx(full.item())
    assert berhu_loss(*half, official=True).item() == pytest.approx(full.item() / 2)


def test_a_negative_prediction_has_a_gradient_unless_official() -> None:
    prediction, target = depth_pair([-3.0], [1.0])
    berhu_loss(prediction, target).backward()
    assert prediction.grad.item() < 0
    official, target = depth_pair([-3.0], [1.0])
    berhu_loss(official, target, official=True).backward()
    assert official.grad.item() == 0


def test_silog_with_full_focus_ignores_the_scale() -> None:
    prediction, target = depth_pair([20.0, 40.0, 80.0], [10.0, 20.0, 40.0])
    assert silog_loss(prediction, target, variance_focus=1.0).item() < 1e-2
    assert silog_loss(prediction, target, variance_focus=0.0).item() == pytest.approx(
        math.log(2), abs=1e-2
    )


def test_predictions_are_brought_to_the_targets_size() -> None:
    """Targets keep their pixels: a coarse prediction is compared at full size."""
    prediction = torch.full((1, 1, 2, 3), 5.0)
    target = torch.full((1, 7, 11), 5.0)
    assert berhu_loss(prediction, target).item() < 1e-6
