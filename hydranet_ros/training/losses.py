"""
Losses of the joint network; each ignores what is not annotated.

Predictions are first brought to the size of the targets; targets are never resized (section 3.4
of the paper's training code).
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from hydranet_ros.model_info import UNLABELLED

_FLOOR = 1e-6
MIN_DEPTH = 0.1


def resize_to(prediction: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Bring (B, C, h, w) to (B, C, H, W), bilinearly, in float32."""
    return functional.interpolate(
        prediction.float(), size=tuple(size), mode='bilinear', align_corners=False
    )


def segmentation_loss(
    logits: Tensor, labels: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """
    Softmax cross entropy over the labelled pixels; 0 where none is labelled.

    :param logits: (B, C, h, w).
    :param labels: (B, H, W) int64, 255 unlabelled.
    """
    if not bool((labels != UNLABELLED).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(
        resize_to(logits, labels.shape[1:]), labels, weight=weight, ignore_index=UNLABELLED,
        label_smoothing=smoothing,
    )  # fmt: skip


def berhu_loss(prediction: Tensor, target: Tensor, *, official: bool = False) -> Tensor:
    """
    Inverse Huber loss (arXiv 1606.00373) over the pixels with depth; 0 where there is none.

    :param prediction: (B, 1, h, w) metres.
    :param target: (B, H, W) metres, 0 unknown.
    :param official: as the official code has it: negative predictions count as 0, the mean is
        over all pixels, known or not, and the threshold between the two norms is a fifth of the
        largest error of the whole batch. Otherwise the mean is over known pixels, a negative
        prediction is an error like any other, and each image has its own threshold, so that the
        loss does not depend on what shares a batch, or a process, with it.
    """
    valid = target > 0
    if not bool(valid.any()):
        return prediction.sum() * 0.0
    resized = resize_to(prediction, target.shape[1:])[:, 0]
    error = ((resized.relu() if official else resized) - target).abs() * valid
    largest = error.detach().amax() if official else error.detach().amax((1, 2), keepdim=True)
    threshold = (0.2 * largest).clamp_min(_FLOOR)
    loss = torch.where(error <= threshold, error, (error**2 + threshold**2) / (2 * threshold))
    return loss.sum() / (valid.numel() if official else valid.sum())


def silog_loss(prediction: Tensor, target: Tensor, *, variance_focus: float = 0.85) -> Tensor:
    """
    Scale-invariant logarithmic loss (Eigen et al. 2014, in the form of BTS) without its factor 10.

    :param prediction: (B, 1, h, w) metres; its absolute value is taken, as inference does.
    :param target: (B, H, W) metres, 0 unknown; 0 is returned where nothing is known.
    """
    valid = target > 0
    if not bool(valid.any()):
        return prediction.sum() * 0.0
    resized = resize_to(prediction, target.shape[1:])[:, 0]
    difference = (resized[valid].abs() + MIN_DEPTH).log() - (target[valid] + MIN_DEPTH).log()
    spread = (difference**2).mean() - variance_focus * difference.mean() ** 2
    return (spread + _FLOOR).sqrt()


def relative_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Mean absolute difference of the logarithms: for small errors the mean relative error.

    Against :func:`silog_loss` it is less moved by the few pixels at edges, whose depth no coarse
    output can follow.

    :param prediction: (B, 1, h, w) metres; its absolute value is taken, as inference does.
    :param target: (B, H, W) metres, 0 unknown; 0 is returned where nothing is known.
    """
    valid = target > 0
    if not bool(valid.any()):
        return prediction.sum() * 0.0
    resized = resize_to(prediction, target.shape[1:])[:, 0]
    return (
        ((resized[valid].abs() + MIN_DEPTH).log() - (target[valid] + MIN_DEPTH).log()).abs().mean()
    )


def normals_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """
    One minus the cosine between prediction and target, over the pixels with a normal.

    :param prediction: (B, 3, h, w) in the network's channel order x, z, y, of any length.
    :param target: (B, 3, H, W) unit vectors in the optical frame (x, y, z), 0 unknown; 0 is
        returned where nothing is known.
    """
    valid = (target != 0).any(1)
    if not bool(valid.any()):
        return prediction.sum() * 0.0
    resized = resize_to(prediction, target.shape[2:])
    return 1 - functional.cosine_similarity(resized, target[:, (0, 2, 1)], dim=1)[valid].mean()


class TaskWeights(nn.Module):
    """
    The sum of the losses: with weights that are given, or learnt.

    Learnt (Kendall et al. 2018): exp(-s) L + s for every task, s a parameter that starts at
    -log(weight). A task whose loss is absent contributes nothing: no s either, which would
    drift away otherwise.
    """

    def __init__(self, weights: Mapping[str, float], *, learnt: bool = False) -> None:
        super().__init__()
        self.given = dict(weights)
        self.spread = nn.ParameterDict(
            {task: nn.Parameter(torch.tensor(-math.log(weight)))
             for task, weight in weights.items()} if learnt else {}
        )  # fmt: skip

    def forward(self, losses: Mapping[str, Tensor], present: Container[str]) -> Tensor:
        """
        Return the total.

        :param losses: of every task, 0 (with a gradient path) where it is absent.
        :param present: tasks that the batch has annotations of.
        """
        total = torch.stack(list(losses.values())).sum() * 0.0
        for task, loss in losses.items():
            if task not in present:
                total = total + sum(p.sum() for p in self.spread.values()) * 0.0
            elif self.spread:
                spread = self.spread[task]
                total = total + torch.exp(-spread) * loss + spread
            else:
                total = total + self.given[task] * loss
        return total
