"""
The optimizer: Muon for 1x1 convolutions, AdamW for all other weights.

The decoder has no batch normalization, and the inputs of its 256-channel convolutions are all
positive, so that their gradients have almost rank one. Muon (Jordan et al. 2024) orthogonalizes
the momentum: the update has equal singular values, learns in the weak directions too, and bounds
the change of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from hydranet_ros.training.config import OptimizerSettings

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@torch.no_grad()
def orthogonalize(matrix: Tensor, iterations: int = 5) -> Tensor:
    """
    Return the (n, m) matrix with all singular values close to 1.

    A quintic Newton-Schulz iteration in bfloat16; the singular values end up in 0.7..1.2.
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
    Muon and AdamW in one optimizer, so that any training loop can use it.

    Groups with ``matrix: True`` hold weights of shape (out, in, 1, 1) and use Muon: the update
    has the spectral norm ``lr * sqrt(max(1, out / in))``. All other groups use AdamW.
    """

    def __init__(self, params: Iterable[Any], lr: float, *, momentum: float = 0.95) -> None:
        # beta2 is below the default of 0.999: with the slower average, a late spike of the
        # decoder's gradient would saturate ReLU6 permanently.
        super().__init__(params, lr=lr, betas=(0.9, 0.99))
        self._momentum = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Update every weight that has a gradient."""
        loss = None
        if closure is not None:
            # Before the groups are separated, because the closure zeroes all gradients.
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
            # Adam's load_state_dict expects a step in the state of every weight.
            state['step'] = torch.zeros(())
            state['momentum'] = torch.zeros_like(weight)
        state['step'] += 1
        kept = state['momentum']
        kept.lerp_(gradient, 1 - self._momentum)
        ahead = torch.lerp(gradient, kept, self._momentum).flatten(1)
        rows, columns = ahead.shape
        size = group['lr'] * max(1.0, rows / columns) ** 0.5
        weight.mul_(1 - group['lr'] * group['weight_decay'])
        weight.add_(orthogonalize(ahead).view_as(weight), alpha=-size)


def is_matrix(weight: Tensor) -> bool:
    """Return whether a weight is that of a 1x1 convolution which is not depthwise."""
    return weight.ndim == 4 and weight.shape[2:] == (1, 1) and weight.shape[1] > 1


def build_optimizer(
    encoder: nn.Module,
    decoder: nn.Module,
    settings: OptimizerSettings,
    *,
    others: Sequence[Tensor] = (),
) -> Optimizer:
    """
    Return the optimizer of a network, with the peak learning rates of the schedule.

    Weight decay applies to convolution weights, never to batch normalization and biases. ``sgd``
    is the paper's optimizer, where weight decay is part of the gradient.

    :param others: other parameters, such as the task weights; they use the decoder's rate.
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
