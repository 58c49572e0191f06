"""
The network written so that ONNX Runtime's CPU provider runs it fastest, with the same answers.

The provider keeps feature maps in blocks of 16 channels. It leaves that layout, at the price of a
pass over the whole map each way, for every operator that it cannot run in it; and a map of the
finest stride is larger than a processor's cache. Each rewrite below is an identity of algebra, so
that only rounding differs:

- Between two levels ``relu6(t)`` becomes ``6 * clamp(t / 6, 0, 1)``: the clamp can stay in the
  layout and be fused into the sum before it (:mod:`hydranet_ros.network.graph_rewrites`), ReLU6
  after a sum cannot. Pooling, bilinear upsampling and convolutions without bias are homogeneous,
  so only the stems (1 / 6) and the heads' scales (6) carry the factor.
- The finest level is depthwise up to the heads: it is computed in groups of channels that stay in
  the cache, and the heads add up what each group gives them.
- The hidden maps of the first inverted residuals likewise: expanded, filtered and projected in
  groups, the projections added up.
- A head's 3x3 convolution is, where that is cheaper, a 1x1 convolution to nine taps a class, each
  of which is shifted to its place and added up. The blocks of 16 channels make few classes dear:
  the depth head pays for 16.
- The pixels' scale is folded into the first convolution; so are a domain's classes into the head.
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
GROUP = 64
RELU6_LIMIT = 6.0
# Hidden maps of these (stage, block) of MobileNet-v2 exceed 10 MB at 640x480: in how many groups.
RESIDUAL_GROUPS = {(3, 0): 3, (3, 1): 3, (4, 0): 3}
ClassSlice = tuple[int, int]


class RewrittenNetwork(nn.Module):
    """
    What :class:`~hydranet_ros.network.hydranet.HydraNet` computes, from pixels less their mean.

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

        :param pixels: (1, 3, H, W) float, RGB from 0 to 255 less the mean, any H and W.
        :returns: {task: (1, outputs, H / 4, W / 4)}, sizes rounded up.
        """
        return self.decoder(self.encoder(pixels), (pixels.shape[2], pixels.shape[3]))


def _rewritten_encoder(encoder: Encoder) -> Encoder:
    """Return a copy that takes pixels from 0 to 255 and splits its largest hidden maps."""
    copy = deepcopy(encoder)
    with torch.no_grad():
        copy.first_convolution.weight.mul_(HydraNet.normalization(torch.double)[1])
    if isinstance(copy, MobileNetV2):
        for (stage, index), groups in RESIDUAL_GROUPS.items():
            blocks = getattr(copy, f'layer{stage}')
            blocks[index] = GroupedResidual(blocks[index], groups)
    return copy


class GroupedResidual(nn.Module):
    """An inverted residual whose hidden channels are computed group after group."""

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
    """What :class:`~hydranet_ros.network.decoders.LightWeightRefineNet` computes."""

    def __init__(
        self, decoder: LightWeightRefineNet, class_slice: ClassSlice | None = None
    ) -> None:
        super().__init__()
        levels = len(decoder.pools)
        parts = _slices(WIDTH, GROUP)
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

        :param size: H and W of the image, from which the size of each level follows. Asking a
            feature map for its size would bring the whole map out of the blocked layout.
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
    One level of the decoder for some of its channels, at a sixth of the decoder's values.

    :param part: the channels; all of them unless the level's pooling is depthwise.
    """

    def __init__(self, decoder: LightWeightRefineNet, index: int, part: slice) -> None:
        super().__init__()
        stems, pools, adapts = _contents(decoder)
        self.align_corners = decoder.align_corners
        self.stem = Stem(_conv(conv.weight[part] / RELU6_LIMIT) for conv in stems[index])
        self.pool = _part_of_pooling(pools[index], part)
        self.adapt = _conv(adapts[index - 1].weight[part]) if index else None
        width = part.stop - part.start
        # Takes the upsampled map into the blocked layout, where the sum can be fused.
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
    """Return stems, poolings and adapting convolutions; a ModuleList has no type of its items."""
    return list(decoder.stems), list(decoder.pools), list(decoder.adapts)


def _part_of_pooling(pool: ChainedResidualPooling, part: slice) -> ChainedResidualPooling:
    """Return the pooling block of some channels; a block that mixes channels must be whole."""
    width = part.stop - part.start
    whole: list[Any] = list(pool.convs)
    convs = [_conv(conv.weight[part], like=conv, groups=conv.groups * width // WIDTH)
             for conv in whole]  # fmt: skip
    copy = ChainedResidualPooling(width)
    copy.convs = nn.ModuleList(convs)
    return copy


class RewrittenHead(nn.Module):
    """
    What :class:`~hydranet_ros.network.decoders.Head` computes, from groups of channels.

    :param parts: the channels of each group.
    :param class_slice: (first, last + 1) output, ``None`` for all.
    """

    def __init__(
        self, head: Head, parts: Sequence[slice], class_slice: ClassSlice | None = None
    ) -> None:
        super().__init__()
        kept = slice(*class_slice) if class_slice else slice(None)
        assert head.out.bias is not None
        weight, bias = head.out.weight.detach()[kept], head.out.bias.detach()[kept]
        self.as_taps = taps_are_cheaper(len(weight))
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


def taps_are_cheaper(outputs: int) -> bool:
    """
    Tell whether a head's 3x3 convolution is cheaper as nine 1x1 taps, shifted and added up.

    Counted in multiplications a pixel of the blocked layout, which fills up to 16 channels.
    """
    direct = 9 * WIDTH * _blocked(outputs)
    taps = _blocked(9 * outputs) * (WIDTH + 9 + _blocked(outputs))
    return taps < direct


def _taps(weight: Tensor, bias: Tensor) -> tuple[Tensor, nn.Conv2d, nn.Conv2d]:
    """
    Return a 3x3 convolution as the weight of a 1x1 one to its taps, their shift and their sum.

    A tap's map is shifted before it is added; what is shifted in from outside is zero, as the
    zero padding of the 3x3 convolution makes it.

    :param weight: (outputs, inputs, 3, 3); the padding is 1.
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
    Return a convolution of this weight, a copy.

    :param like: whose stride and padding it takes; and whose depthwise grouping, if it has one.
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
