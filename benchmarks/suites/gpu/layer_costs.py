"""
The network's convolutions counted, and the shortest time that a device allows for them.

PyTorch's meta device carries shapes without values, so that a count costs nothing and is exact.
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
    :param values: numbers it reads and writes: input, weights, output, each once.
    :param weights: those that are weights.
    """

    name: str
    macs: int
    values: int
    weights: int


@dataclass(frozen=True)
class Floors:
    """
    Shortest times of the network on a device, milliseconds.

    :param arithmetic: its multiplications at the rate of the largest matrix product.
    :param layers: the tensors of each convolution through memory once; what a runtime can reach
        that fuses activations, sums and pools into convolutions and nothing more.
    :param fused: only image, weights and results through memory; no runtime gets there.
    """

    arithmetic: float
    layers: float
    fused: float

    @property
    def binding(self) -> float:
        """Return the longer of arithmetic and layers."""
        return max(self.arithmetic, self.layers)


def convolutions(network: HydraNet, batch: int, size: tuple[int, int]) -> tuple[Layer, ...]:
    """
    Return the convolutions that an image batch (batch, 3, H, W) meets, in the order of the code.

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

    :param width: bytes of a number: 4 for float32, 2 for half precision.
    :param outside: bytes of the image and of the results.
    :param flops: operations a second of the largest matrix product in this precision.
    :param bandwidth: bytes a second of memory.
    """
    moved = width * sum(layer.values for layer in layers)
    weights = width * sum(layer.weights for layer in layers)
    return Floors(
        arithmetic=2e3 * sum(layer.macs for layer in layers) / flops,
        layers=1e3 * moved / bandwidth,
        fused=1e3 * (weights + outside) / bandwidth,
    )
