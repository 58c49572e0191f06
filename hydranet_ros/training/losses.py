"""
Losses of the joint network; each ignores what is not annotated.

Predictions are first brought to the size of the targets; targets are never resized (section 3.4
of the paper's training code).
"""

from __future__ import annotations

import torch
from torch import Tensor
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
    :param official: as the official code has it: negative predictions count as 0, and the mean is
        over all pixels, known or not. Otherwise the mean is over known pixels, and a negative
        prediction is an error like any other.
    """
    valid = target > 0
    if not bool(valid.any()):
        return prediction.sum() * 0.0
    resized = resize_to(prediction, target.shape[1:])[:, 0]
    error = ((resized.relu() if official else resized) - target).abs()[valid]
    threshold = (0.2 * error.detach().max()).clamp_min(_FLOOR)
    loss = torch.where(error <= threshold, error, (error**2 + threshold**2) / (2 * threshold))
    return loss.sum() / (valid.numel() if official else loss.numel())


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
