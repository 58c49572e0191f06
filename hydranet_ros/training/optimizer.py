"""
The optimiser: orthogonalised momentum for 1x1 convolutions, AdamW for the rest.

The decoder has no batch norm, and the inputs of its 256-wide convolutions are all positive, so
their gradients are nearly of rank one. An update of equal singular values (Muon, Jordan et al.
2024) learns from the small directions too, and bounds how far one step moves the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from hydranet_ros.training.config import OptimiserSettings

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


class MuonAdamW(AdamW):
    """
    One optimiser for both kinds of weights, so that any training loop can drive it.

    Groups with ``matrix: True`` hold (out, in, 1, 1) weights: their momentum is orthogonalised,
    and a step of rate ``lr`` has the spectral norm ``lr * sqrt(max(1, out / in))``. All others
    are AdamW's.
    """

    def __init__(self, params: Iterable[Any], lr: float, *, momentum: float = 0.95) -> None:
        # A second moment that forgets faster than the default: a late spike of the decoder's
        # gradient would saturate ReLU6 for good.
        super().__init__(params, lr=lr, betas=(0.9, 0.99))
        self._momentum = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update every weight that has a gradient."""
        loss = None
        if closure is not None:
            # Before the groups are parted: the closure zeroes the gradients of all of them.
            with torch.enable_grad():
                loss = closure()
        every = self.param_groups
        self.param_groups = [group for group in every if not group.get('matrix')]
        try:
            super().step()
        finally:
            self.param_groups = every
        for group in every:
            if group.get('matrix'):
                for weight in group['params']:
                    if weight.grad is not None:
                        self._update(weight, weight.grad, group)
        return loss

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            # Adam's loading looks for the step in the state of every weight.
            state['step'] = torch.zeros(())
            state['momentum'] = torch.zeros_like(weight)
        state['step'] += 1
        kept = state['momentum']
        kept.lerp_(gradient, 1 - self._momentum)
        ahead = torch.lerp(gradient, kept, self._momentum).flatten(1)
        rows, columns = ahead.shape
        size = group['lr'] * max(1.0, rows / columns) ** 0.5
        weight.mul_(1 - group['lr'] * group['weight_decay'])
        weight.add_(orthogonalise(ahead).view_as(weight), alpha=-size)


def is_matrix(weight: Tensor) -> bool:
    """Return whether a weight is that of a 1x1 convolution over all channels."""
    return weight.ndim == 4 and weight.shape[2:] == (1, 1) and weight.shape[1] > 1


def build_optimiser(
    encoder: nn.Module,
    decoder: nn.Module,
    settings: OptimiserSettings,
    *,
    others: Sequence[Tensor] = (),
) -> Optimizer:
    """
    Return the optimiser of a network; each group's rate is its peak, before any schedule.

    Weight decay is for weights, never for batch norms and biases; ``sgd`` is the paper's kind of
    training, where the decay is part of the gradient.

    :param others: what else is learnt (the weights of the tasks), at the decoder's rate.
    """
    matrices = []
    groups: list[dict[str, Any]] = []
    rates = (settings.learning_rate * settings.encoder_factor, settings.learning_rate)
    for part, rate in zip((encoder, decoder), rates):
        rest = list(part.parameters())
        if settings.kind == 'muon' and settings.matrix_rate:
            matrices += [weight for weight in rest if is_matrix(weight)]
            rest = [weight for weight in rest if not is_matrix(weight)]
        for decay, decayed in ((settings.weight_decay, True), (0.0, False)):
            chosen = [weight for weight in rest if (weight.ndim > 1) == decayed]
            if chosen:
                groups.append({'params': chosen, 'weight_decay': decay, 'lr': rate})
    if others:
        groups.append({'params': list(others), 'weight_decay': 0.0, 'lr': rates[1]})
    if settings.kind == 'sgd':
        return SGD(groups, lr=rates[1], momentum=settings.momentum)
    if matrices:
        groups.append({'params': matrices, 'weight_decay': settings.weight_decay,
                       'lr': settings.matrix_rate, 'matrix': True})  # fmt: skip
    return MuonAdamW(groups, lr=rates[1])
