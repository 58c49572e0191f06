"""
The optimiser: orthogonalised momentum for 1x1 convolutions, AdamW for the rest.

The decoder has no batch norm, and the inputs of its 256-wide convolutions are all positive, so
their gradients are nearly of rank one. An update of equal singular values (Muon, Jordan et al.
2024) learns from the small directions too, and bounds how far one step moves the output.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@torch.no_grad()
def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """
    Return the (n, m) matrix with its singular values brought near 1.

    Quintic Newton-Schulz iteration in bfloat16; the singular values come out within 0.7..1.2.
    """
    a, b, c = _NEWTON_SCHULZ
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(Optimizer):
    """
    Momentum, orthogonalised, for (out, in, 1, 1) weights.

    A step of rate ``lr`` has the spectral norm ``lr * sqrt(max(1, out / in))``.
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 0.01, momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, {'lr': lr, 'momentum': momentum, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group['params']:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state['momentum'] = torch.zeros_like(weight)
        kept = state['momentum']
        kept.lerp_(gradient, 1 - group['momentum'])
        ahead = torch.lerp(gradient, kept, group['momentum']).flatten(1)
        rows, columns = ahead.shape
        size = group['lr'] * max(1.0, rows / columns) ** 0.5
        weight.mul_(1 - group['lr'] * group['weight_decay'])
        weight.add_(orthogonalise(ahead).view_as(weight), alpha=-size)


def is_matrix(weight: Tensor) -> bool:
    """Return whether a weight is that of a 1x1 convolution over all channels."""
    return weight.ndim == 4 and weight.shape[2:] == (1, 1) and weight.shape[1] > 1


def build_optimisers(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    learning_rate: float,
    encoder_factor: float,
    matrix_rate: float,
    weight_decay: float,
) -> list[Optimizer]:
    """
    Return the optimisers of a network; each group's ``peak`` is its rate before any schedule.

    :param learning_rate: AdamW's rate in the decoder.
    :param encoder_factor: AdamW's rate in the encoder relative to that.
    :param matrix_rate: Muon's rate for all 1x1 convolutions; 0 leaves them to AdamW.
    :param weight_decay: decoupled; none for batch norms and biases.
    """
    groups = []
    matrices = []
    for part, rate in ((encoder, learning_rate * encoder_factor), (decoder, learning_rate)):
        rest = list(part.parameters())
        if matrix_rate:
            matrices += [weight for weight in rest if is_matrix(weight)]
            rest = [weight for weight in rest if not is_matrix(weight)]
        for decay, decayed in ((weight_decay, True), (0.0, False)):
            chosen = [weight for weight in rest if (weight.ndim > 1) == decayed]
            groups.append({'params': chosen, 'weight_decay': decay, 'peak': rate})
    # A second moment that forgets faster than the default: a late spike of the decoder's gradient
    # would saturate ReLU6 for good.
    found: list[Optimizer] = [AdamW(groups, lr=learning_rate, betas=(0.9, 0.99))]
    if matrices:
        group = {'params': matrices, 'peak': matrix_rate}
        found.append(Muon([group], lr=matrix_rate, weight_decay=weight_decay))
    return found
