"""
Losses of the joint network; each ignores pixels without an annotation.

The losses resize predictions to the size of the targets and never resize targets, as the paper's
training code does.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from hydranet_ros.model_files.metadata import UNLABELED

_FLOOR = 1e-6
MIN_DEPTH = 0.1


def resize_to(prediction: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Resize (B, C, h, w) to (B, C, H, W) bilinearly, in float32."""
    return functional.interpolate(
        prediction.float(), size=tuple(size), mode='bilinear', align_corners=False
    )


def segmentation_loss(
    logits: Tensor, labels: Tensor, *, weight: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """
    Return the softmax cross entropy over the labeled pixels; 0 if there is none.

    :param logits: (B, C, h, w).
    :param labels: (B, H, W) int64, 255 unlabeled.
    """
    if not bool((labels != UNLABELED).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(
        resize_to(logits, labels.shape[1:]), labels, weight=weight, ignore_index=UNLABELED,
        label_smoothing=smoothing,
    )  # fmt: skip


def berhu_loss(prediction: Tensor, target: Tensor, *, official: bool = False) -> Tensor:
    """
    Return the inverse Huber loss (arXiv 1606.00373) over the pixels with depth; 0 if none.

    The threshold between the two norms is a fifth of the largest error of each image, so that the
    loss of an image does not depend on the rest of the batch.

    :param prediction: (B, 1, h, w) meters.
    :param target: (B, H, W) meters, 0 unknown.
    :param official: reproduce the official code, which counts negative predictions as 0, takes
        the mean over all pixels, known or not, and the threshold from the whole batch.
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
    Return the scale-invariant logarithmic loss (Eigen et al. 2014) as in BTS, without factor 10.

    :param prediction: (B, 1, h, w) meters; the loss uses the absolute value, as inference does.
    :param target: (B, H, W) meters, 0 unknown; the loss is 0 if all pixels are unknown.
    """
    if not bool((target > 0).any()):
        return prediction.sum() * 0.0
    difference = _log_difference(prediction, target)
    spread = (difference**2).mean() - variance_focus * difference.mean() ** 2
    return (spread + _FLOOR).sqrt()


def relative_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Return the mean absolute difference of log depth: for small errors the mean relative error.

    It depends less than :func:`silog_loss` on the few pixels at depth edges, which the coarse
    output cannot resolve.

    :param prediction: (B, 1, h, w) meters; the loss uses the absolute value, as inference does.
    :param target: (B, H, W) meters, 0 unknown; the loss is 0 if all pixels are unknown.
    """
    if not bool((target > 0).any()):
        return prediction.sum() * 0.0
    return _log_difference(prediction, target).abs().mean()


def _log_difference(prediction: Tensor, target: Tensor) -> Tensor:
    """Return log(prediction) - log(target) of the N pixels with depth, (N,)."""
    valid = target > 0
    resized = resize_to(prediction, target.shape[1:])[:, 0]
    return (resized[valid].abs() + MIN_DEPTH).log() - (target[valid] + MIN_DEPTH).log()


def normals_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Return one minus the mean cosine between prediction and target.

    :param prediction: (B, 3, h, w) in the network's channel order x, z, y, of any length.
    :param target: (B, 3, H, W) unit vectors in the optical frame (x, y, z), 0 unknown; the loss
        is 0 if all pixels are unknown.
    """
    valid = (target != 0).any(1)
    if not bool(valid.any()):
        return prediction.sum() * 0.0
    resized = resize_to(prediction, target.shape[2:])
    return 1 - functional.cosine_similarity(resized, target[:, (0, 2, 1)], dim=1)[valid].mean()


class TaskWeights(nn.Module):
    """
    The weighted sum of the task losses, with fixed or learned weights.

    Learned weights (Kendall et al. 2018) give exp(-s) L + s for each task, where the parameter s
    starts at -log(weight). A task without annotations contributes nothing, not even s, which
    would drift away otherwise.
    """

    def __init__(self, weights: Mapping[str, float], *, learned: bool = False) -> None:
        super().__init__()
        self.fixed = dict(weights)
        self.log_variances = nn.ParameterDict(
            {task: nn.Parameter(torch.tensor(-math.log(weight)))
             for task, weight in weights.items()} if learned else {}
        )  # fmt: skip

    def forward(self, losses: Mapping[str, Tensor], present: Container[str]) -> Tensor:
        """
        Return the total loss.

        :param losses: loss of every task; 0, with a gradient path, for a task without annotations.
        :param present: tasks with annotations in the batch.
        """
        total = torch.stack(list(losses.values())).sum() * 0.0
        for task, loss in losses.items():
            if task not in present:
                total = total + sum(p.sum() for p in self.log_variances.values()) * 0.0
            elif self.log_variances:
                log_variance = self.log_variances[task]
                total = total + torch.exp(-log_variance) * loss + log_variance
            else:
                total = total + self.fixed[task] * loss
        return total
