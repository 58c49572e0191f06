"""
Rewrite the network for ONNX Runtime's CPU provider; the outputs differ by rounding only.

The provider keeps feature maps in blocks of 16 channels. An operator that it cannot run in this
layout costs a pass over the whole map in each direction, and a map of stride 4 is larger than a
processor's cache. Every rewrite is an algebraic identity:

- Between two levels of the decoder, ``relu6(t)`` becomes ``6 * clamp(t / 6, 0, 1)``. ONNX Runtime
  fuses this clamp into the preceding addition in the blocked layout
  (:mod:`hydranet_ros.network.graph_rewrites`), but not a ReLU6. Pooling, bilinear upsampling and
  convolutions without bias are homogeneous, so that the factor appears only in the stems (1 / 6)
  and in the first convolution of each head (6).
- The last level of the decoder is depthwise up to the heads. It runs in groups of channels that
  stay in the cache, and the heads add the results of the groups.
- The hidden maps of the first inverted residuals run in groups too: each group is expanded,
  filtered and projected, and the projections are added.
- A head's 3x3 convolution becomes, where that is cheaper, a 1x1 convolution to nine taps per
  class, which are shifted into place and added. The blocked layout rounds the number of output
  channels up to 16, so that a 3x3 convolution for one channel costs as much as for 16.
- The scale of the pixels is folded into the first convolution, and a domain's classes are sliced
  out of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hydranet_ros.network.decoders import (
    WIDTH,
    ChainedResidualPooling,
    Head,
    LightWeightRefineNet,
    Stem,
)
from hydranet_ros.network.encoders.base import Encoder
from hydranet_ros.network.encoders.mobilenet_v2 import InvertedResidual, MobileNetV2
from hydranet_ros.network.hydranet import OUTPUT_STRIDE, HydraNet

LAYOUT_BLOCK = 16
GROUP_WIDTH = 64
RELU6_LIMIT = 6.0
# Number of groups, by (stage, block) of MobileNet-v2: their hidden maps exceed 10 MB at 640x480.
RESIDUAL_GROUPS = {(3, 0): 3, (3, 1): 3, (4, 0): 3}
ClassSlice = tuple[int, int]


class RewrittenNetwork(nn.Module):
    """
    The rewritten form of :class:`~hydranet_ros.network.hydranet.HydraNet`.

    :param network: in evaluation mode; its weights are copied.
    :param class_slice: (first, last + 1) channel of the segmentation head, ``None`` for all.
    """

    def __init__(self, network: HydraNet, class_slice: ClassSlice | None = None) -> None:
        super().__init__()
        self.encoder = _rewritten_encoder(network.encoder)
        self.decoder = RewrittenDecoder(network.decoder, class_slice)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """
        Run the network.

        :param pixels: (1, 3, H, W) float32, RGB from 0 to 255 minus the mean; any H and W.
        :returns: {task: (1, outputs, H / 4, W / 4)}, sizes rounded up.
        """
        return self.decoder(self.encoder(pixels), (pixels.shape[2], pixels.shape[3]))


def _rewritten_encoder(encoder: Encoder) -> Encoder:
    """Return a copy that takes unscaled pixels and computes its largest hidden maps in groups."""
    copy = deepcopy(encoder)
    with torch.no_grad():
        copy.first_convolution.weight.mul_(HydraNet.normalization(torch.double)[1])
    if isinstance(copy, MobileNetV2):
        for (stage, index), groups in RESIDUAL_GROUPS.items():
            blocks = getattr(copy, f'layer{stage}')
            blocks[index] = GroupedResidual(blocks[index], groups)
    return copy


class GroupedResidual(nn.Module):
    """An inverted residual that computes its hidden channels in groups."""

    def __init__(self, block: InvertedResidual, groups: int) -> None:
        super().__init__()
        units: list[Any] = list(block.output)
        expand, filtered, project = (fuse_conv_bn_eval(unit[0], unit[1]) for unit in units)
        self.residual = block.residual
        self.groups = nn.ModuleList()
        for part in _slices(expand.out_channels, expand.out_channels // groups):
            bias = project.bias if part.start == 0 else None
            self.groups.append(
                nn.Sequential(
                    _conv(expand.weight[part], expand.bias[part]), nn.ReLU6(),
                    _conv(filtered.weight[part], filtered.bias[part], like=filtered), nn.ReLU6(),
                    _conv(project.weight[:, part], bias),
                )
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map (1, inputs, H, W) to (1, outputs, H / stride, W / stride)."""
        terms = [group(x) for group in self.groups]
        return reduce(add, terms, x) if self.residual else reduce(add, terms)


class RewrittenDecoder(nn.Module):
    """The rewritten form of :class:`~hydranet_ros.network.decoders.LightWeightRefineNet`."""

    def __init__(
        self, decoder: LightWeightRefineNet, class_slice: ClassSlice | None = None
    ) -> None:
        super().__init__()
        levels = len(decoder.pools)
        parts = _slices(WIDTH, GROUP_WIDTH)
        finest, every = [levels - 1], [slice(0, WIDTH)]
        self.levels = nn.ModuleList(
            nn.ModuleList(
                _Level(decoder, index, part) for part in (parts if index in finest else every)
            )
            for index in range(levels)
        )
        heads: dict[str, Any] = dict(decoder.heads.items())
        self.heads = nn.ModuleDict({
            task: RewrittenHead(head, parts, class_slice if task == 'segmentation' else None)
            for task, head in heads.items()
        })  # fmt: skip

    def forward(
        self, features: Sequence[Sequence[Tensor]], size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """
        Map the encoder's features to {task: (1, outputs, H / 4, W / 4)}.

        :param size: (H, W) of the image. The size of each level is computed from it, because
            reading the shape of a feature map would copy the map out of the blocked layout.
        """
        strides = [OUTPUT_STRIDE * 2**exponent for exponent in reversed(range(len(features)))]
        maps: list[Tensor] = []
        for level, given, stride in zip(self.levels, features, strides):
            target = [(length + stride - 1) // stride for length in size]
            below = maps[0] if maps else None
            groups: list[Any] = list(level.children())
            maps = [group(given, below, target) for group in groups]
        return {task: head(maps) for task, head in self.heads.items()}


class _Level(nn.Module):
    """
    Some channels of one level of the decoder; its values are a sixth of the decoder's.

    :param part: the channels; all, unless the level's pooling is depthwise.
    """

    def __init__(self, decoder: LightWeightRefineNet, index: int, part: slice) -> None:
        super().__init__()
        stems, pools, adapts = _contents(decoder)
        self.align_corners = decoder.align_corners
        self.stem = Stem(_conv(conv.weight[part] / RELU6_LIMIT) for conv in stems[index])
        self.pool = _part_of_pooling(pools[index], part)
        self.adapt = _conv(adapts[index - 1].weight[part]) if index else None
        width = part.stop - part.start
        # An identity that brings the upsampled map into the blocked layout, where Add is fused.
        one = torch.ones(width, 1, 1, 1, dtype=stems[index][0].weight.dtype)
        self.enter = _conv(one, groups=width) if index else None

    def forward(self, level: Sequence[Tensor], below: Tensor | None, size: list[int]) -> Tensor:
        total = self.stem(level)
        if self.adapt is not None and self.enter is not None and below is not None:
            upsampled = functional.interpolate(
                self.adapt(below), size=size, mode='bilinear', align_corners=self.align_corners
            )
            total = total + self.enter(upsampled)
        return self.pool(total.clamp(0, 1))


def _contents(decoder: LightWeightRefineNet) -> tuple[list[Any], list[Any], list[Any]]:
    """Return stems, pooling blocks and adapting convolutions, as lists because of their types."""
    return list(decoder.stems), list(decoder.pools), list(decoder.adapts)


def _part_of_pooling(pool: ChainedResidualPooling, part: slice) -> ChainedResidualPooling:
    """Return a pooling block for some channels; all of them, unless the block is depthwise."""
    width = part.stop - part.start
    whole: list[Any] = list(pool.convs)
    convs = [_conv(conv.weight[part], like=conv, groups=conv.groups * width // WIDTH)
             for conv in whole]  # fmt: skip
    copy = ChainedResidualPooling(width)
    copy.convs = nn.ModuleList(convs)
    return copy


class RewrittenHead(nn.Module):
    """
    The rewritten form of :class:`~hydranet_ros.network.decoders.Head`, for groups of channels.

    :param parts: the channels of each group.
    :param class_slice: (first, last + 1) output channel, ``None`` for all.
    """

    def __init__(
        self, head: Head, parts: Sequence[slice], class_slice: ClassSlice | None = None
    ) -> None:
        super().__init__()
        kept = slice(*class_slice) if class_slice else slice(None)
        assert head.out.bias is not None
        weight, bias = head.out.weight.detach()[kept], head.out.bias.detach()[kept]
        self.as_taps = shifted_taps_are_cheaper(len(weight))
        self.pre = nn.ModuleList(
            _conv(RELU6_LIMIT * head.pre.weight[part], groups=part.stop - part.start)
            for part in parts
        )
        if self.as_taps:
            taps, self.shift, self.gather = _taps(weight, bias)
            self.out = nn.ModuleList(_conv(taps[:, part]) for part in parts)
        else:
            self.out = nn.ModuleList(
                _conv(weight[:, part], None if part.start else bias, like=head.out)
                for part in parts
            )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map (1, width, H, W) of each group to (1, outputs, H, W)."""
        terms = (out(functional.relu6(pre(x))) for x, pre, out in zip(maps, self.pre, self.out))
        total = reduce(add, terms)
        return self.gather(self.shift(total)) if self.as_taps else total


def shifted_taps_are_cheaper(outputs: int) -> bool:
    """
    Return whether a head's 3x3 convolution is cheaper as nine shifted 1x1 taps.

    The cost is the number of multiplications per pixel in the blocked layout, where the number of
    channels is rounded up to a multiple of 16.

    :param outputs: output channels of the head.
    """
    direct = 9 * WIDTH * _blocked(outputs)
    taps = _blocked(9 * outputs) * (WIDTH + 9 + _blocked(outputs))
    return taps < direct


def _taps(weight: Tensor, bias: Tensor) -> tuple[Tensor, nn.Conv2d, nn.Conv2d]:
    """
    Split a 3x3 convolution into a 1x1 convolution to its taps, their shift and their sum.

    Zeros are shifted in at the border, as the padding of the 3x3 convolution does.

    :param weight: (outputs, inputs, 3, 3), of a convolution with padding 1.
    :returns: the weight of the 1x1 convolution, (9 outputs rounded up to 16, inputs, 1, 1), and
        the convolutions that shift and add its output.
    """
    outputs, inputs = weight.shape[:2]
    width = _blocked(9 * outputs)
    taps = weight.new_zeros(width, inputs, 1, 1)
    taps[: 9 * outputs, :, 0, 0] = weight.permute(2, 3, 0, 1).reshape(9 * outputs, inputs)
    shift, gather = weight.new_zeros(width, 1, 3, 3), weight.new_zeros(outputs, width, 1, 1)
    for channel in range(9 * outputs):
        place, output = divmod(channel, outputs)
        shift[channel, 0, place // 3, place % 3] = 1
        gather[output, channel] = 1
    return taps, _conv(shift, groups=width, padding=1), _conv(gather, bias)


def _blocked(channels: int) -> int:
    return -(-channels // LAYOUT_BLOCK) * LAYOUT_BLOCK


def _slices(width: int, step: int) -> list[slice]:
    return [slice(start, start + step) for start in range(0, width, step)]


def _conv(
    weight: Tensor, bias: Tensor | None = None, *, like: nn.Conv2d | None = None,
    groups: int | None = None, padding: int = 0,
) -> nn.Conv2d:  # fmt: skip
    """
    Return a convolution with a copy of a weight and a bias.

    :param like: a convolution with the same stride and padding, which is depthwise or not.
    """
    outputs, inputs, height, width = weight.shape
    stride = 1
    if like is not None:
        stride, padding = like.stride[0], int(like.padding[0])
        if groups is None:
            groups = outputs if like.groups > 1 else 1
    groups = groups or 1
    conv = nn.Conv2d(
        inputs * groups, outputs, (height, width), stride, padding, groups=groups,
        bias=bias is not None, dtype=weight.dtype,
    )  # fmt: skip
    with torch.no_grad():
        conv.weight.copy_(weight)
        if bias is not None and conv.bias is not None:
            conv.bias.copy_(bias)
    return conv.requires_grad_(False)
