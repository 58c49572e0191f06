"""
Operations and memory traffic of the network's convolutions, and the time floors of a device.

The count is exact; PyTorch's meta device computes shapes without values.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet


@dataclass(frozen=True)
class Layer:
    """
    One convolution.

    :param macs: multiply-adds.
    :param values: values it reads and writes (input, weights, output), each counted once.
    :param weights: weights among them.
    """

    name: str
    macs: int
    values: int
    weights: int


@dataclass(frozen=True)
class Floors:
    """
    Shortest times of the network on a device, in milliseconds.

    :param arithmetic: all operations at the rate of the largest matrix product.
    :param layers: the tensors of each convolution moved once; reachable for a runtime that fuses
        activations, sums and pools into convolutions.
    :param fused: only image, weights and results moved; not reachable.
    """

    arithmetic: float
    layers: float
    fused: float

    @property
    def binding(self) -> float:
        """Return the larger of ``arithmetic`` and ``layers``."""
        return max(self.arithmetic, self.layers)


def convolutions(network: HydraNet, batch: int, size: tuple[int, int]) -> tuple[Layer, ...]:
    """
    Return the convolutions of an image batch (batch, 3, H, W), in the order of the code.

    :param size: (height, width) in pixels.
    """
    import torch
    from torch import nn

    found: list[Layer] = []
    shapes = copy.deepcopy(network).to('meta')

    def hook(name: str, module: nn.Conv2d, inputs: tuple[Any, ...], output: Any) -> None:
        weights = module.weight.numel() + (0 if module.bias is None else module.bias.numel())
        macs = output.numel() * math.prod(module.weight.shape[1:])
        found.append(Layer(name, macs, inputs[0].numel() + output.numel() + weights, weights))

    for name, module in shapes.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: hook(name, module, inputs, output)
            )
    with torch.no_grad():
        shapes(torch.empty(batch, 3, *size, device='meta'))
    return tuple(found)


def floors(
    layers: Sequence[Layer], *, width: int, outside: int, flops: float, bandwidth: float
) -> Floors:
    """
    Return the shortest times of these convolutions.

    :param width: bytes of a value: 4 for float32, 2 for half precision.
    :param outside: bytes of the image and of the results.
    :param flops: operations per second of the largest matrix product in this precision.
    :param bandwidth: bytes per second of the memory.
    """
    moved = width * sum(layer.values for layer in layers)
    weights = width * sum(layer.weights for layer in layers)
    return Floors(
        arithmetic=2e3 * sum(layer.macs for layer in layers) / flops,
        layers=1e3 * moved / bandwidth,
        fused=1e3 * (weights + outside) / bandwidth,
    )
