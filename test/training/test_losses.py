"""Losses: hand-computed values, and batches without annotations."""

from __future__ import annotations

import math

import pytest
import torch

from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.losses import (
    TaskWeights,
    berhu_loss,
    normals_loss,
    relative_loss,
    segmentation_loss,
    silog_loss,
)


def depth_pair(predicted: list[float], true: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    prediction = torch.tensor(predicted).view(1, 1, 1, -1).requires_grad_()
    return prediction, torch.tensor(true).view(1, 1, -1)


def test_cross_entropy_of_a_known_case() -> None:
    logits = torch.zeros(1, 4, 2, 2)
    labels = torch.tensor([[[0, 1], [2, 3]]])
    assert segmentation_loss(logits, labels).item() == pytest.approx(math.log(4))


def test_unlabeled_pixels_are_ignored() -> None:
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, UNLABELED], [UNLABELED, UNLABELED]]])
    expected = -logits[0, :, 0, 0].log_softmax(0)[0]
    assert segmentation_loss(logits, labels).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize('loss', [berhu_loss, silog_loss, relative_loss])
def test_a_batch_without_depth_has_loss_0_and_gradient_0(loss) -> None:
    prediction, target = depth_pair([1.0, -2.0, 3.0], [0.0, 0.0, 0.0])
    value = loss(prediction, target)
    value.backward()
    assert value.item() == 0
    assert prediction.grad.abs().max() == 0


def test_a_batch_without_labels_has_loss_0_and_gradient_0() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = segmentation_loss(logits, torch.full((2, 8, 8), UNLABELED))
    value.backward()
    assert value.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize('loss', [berhu_loss, silog_loss, relative_loss])
def test_a_perfect_prediction_has_a_finite_gradient(loss) -> None:
    prediction, target = depth_pair([1.0, 2.0], [1.0, 2.0])
    value = loss(prediction, target)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(prediction.grad).all()
    assert value.item() < 2e-3


def test_berhu_of_a_hand_computed_case() -> None:
    """Errors 1, 5, 10 give c = 2; 1 stays, the others become (e^2 + c^2) / 2c."""
    prediction, target = depth_pair([2.0, 6.0, 11.0], [1.0, 1.0, 1.0])
    assert berhu_loss(prediction, target).item() == pytest.approx((1 + 29 / 4 + 104 / 4) / 3)


def test_berhu_is_the_mean_over_known_pixels_unless_official() -> None:
    full = berhu_loss(*depth_pair([3.0, 3.0], [1.0, 1.0]))
    half = depth_pair([3.0, 3.0], [1.0, 0.0])
    assert berhu_loss(*half).item() == pytest.approx(full.item())
    assert berhu_loss(*half, official=True).item() == pytest.approx(full.item() / 2)


def test_each_image_has_its_own_threshold_unless_official() -> None:
    """With a common threshold, one large error changes the loss of the other images."""
    generator = torch.Generator().manual_seed(4)
    target = torch.rand(2, 6, 8, generator=generator) * 5 + 1
    prediction = target[:, None] + torch.randn(2, 1, 6, 8, generator=generator)
    prediction[1, 0, 3, 3] += 60
    alone = [berhu_loss(prediction[i : i + 1], target[i : i + 1]) for i in (0, 1)]
    assert float(berhu_loss(prediction, target)) == pytest.approx(float(sum(alone)) / 2)
    official = [
        berhu_loss(prediction[i : i + 1], target[i : i + 1], official=True) for i in (0, 1)
    ]
    together = float(berhu_loss(prediction, target, official=True))
    assert together < 0.95 * float(sum(official)) / 2


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


def test_predictions_are_resized_to_the_target() -> None:
    """Targets are never resized."""
    prediction = torch.full((1, 1, 2, 3), 5.0)
    target = torch.full((1, 7, 11), 5.0)
    assert berhu_loss(prediction, target).item() < 1e-6


def test_the_relative_loss_of_a_hand_computed_case() -> None:
    prediction, target = depth_pair([19.9, -4.9, 7.0], [9.9, 9.9, 0.0])
    expected = (math.log(2) + math.log(2)) / 2
    assert relative_loss(prediction, target).item() == pytest.approx(expected)


def test_unknown_pixels_do_not_change_the_threshold_of_berhu() -> None:
    alone = berhu_loss(*depth_pair([2.0, 6.0, 11.0], [1.0, 1.0, 1.0]))
    with_unknown = berhu_loss(*depth_pair([2.0, 6.0, 11.0, 900.0], [1.0, 1.0, 1.0, 0.0]))
    assert with_unknown.item() == pytest.approx(alone.item())


def normals_pair(predicted: list[float], true: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    return (torch.tensor(predicted).view(1, 3, 1, 1).requires_grad_(),
            torch.tensor(true).view(1, 3, 1, 1))  # fmt: skip


def test_normals_are_compared_in_the_channel_order_of_the_network() -> None:
    """The head predicts x, z, y of any length; a data set has x, y, z."""
    same = normals_loss(*normals_pair([0.0, -5.0, 0.0], [0.0, 0.0, -1.0]))
    assert same.item() == pytest.approx(0, abs=1e-6)
    across = normals_loss(*normals_pair([0.0, 0.0, -3.0], [0.0, 0.0, -1.0]))
    assert across.item() == pytest.approx(1)


def test_unknown_normals_are_ignored() -> None:
    prediction, target = normals_pair([1.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    value = normals_loss(prediction, target)
    value.backward()
    assert value.item() == 0
    assert prediction.grad.abs().max() == 0


def test_fixed_weights_multiply_the_losses() -> None:
    total = TaskWeights({'segmentation': 0.5, 'depth': 0.5})
    found = {'segmentation': torch.tensor(2.0), 'depth': torch.tensor(4.0)}
    assert total(found, {'segmentation', 'depth'}).item() == pytest.approx(3)
    assert total(found, {'depth'}).item() == pytest.approx(2)


def test_learned_weights_converge_to_their_optimum() -> None:
    """At the minimum of exp(-s) L + s the weight exp(-s) is 1 / L."""
    weights = TaskWeights({'segmentation': 1.0, 'depth': 1.0}, learned=True)
    optimizer = torch.optim.Adam(weights.parameters(), lr=0.05)
    losses = {'segmentation': torch.tensor(0.25), 'depth': torch.tensor(4.0)}
    for _ in range(600):
        optimizer.zero_grad()
        weights(losses, set(losses)).backward()
        optimizer.step()
    found = {task: math.exp(-float(s.detach())) for task, s in weights.log_variances.items()}
    assert found == pytest.approx({'segmentation': 4.0, 'depth': 0.25}, rel=0.02)


def test_the_learned_weight_of_an_absent_task_does_not_change() -> None:
    weights = TaskWeights({'segmentation': 0.5, 'depth': 0.5}, learned=True)
    losses = {'segmentation': torch.tensor(1.0), 'depth': torch.tensor(0.0)}
    weights(losses, {'segmentation'}).backward()
    assert weights.log_variances['depth'].grad.item() == 0
    assert weights.log_variances['segmentation'].grad.item() != 0
