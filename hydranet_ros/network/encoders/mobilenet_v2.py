"""MobileNet-v2 up to its 320-channel layer (Sandler et al., CVPR 2018), as the paper uses it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hydranet_ros.network.encoders.base import Encoder, Features, State

# (expansion, output channels, blocks, stride of the first block); Table 2 of arXiv 1801.04381.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def conv_bn(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Return a convolution without bias, batch norm and, if ``act``, ReLU6; padding is same."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if act:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """
    1x1 expansion, 3x3 depthwise convolution and 1x1 projection, with a shortcut at stride 1.

    As in the official code and unlike torchvision, an expansion by 1 is a convolution too.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.output = nn.Sequential(
            conv_bn(inputs, hidden, 1),
            conv_bn(hidden, hidden, 3, stride=stride, groups=hidden),
            conv_bn(hidden, outputs, 1, act=False),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        out = self.output(x)
        return x + out if self.residual else out


class MobileNetV2(Encoder):
    """MobileNet-v2, layers 1 to 8 in the official code's names."""

    channels = ((320, 160), (96, 64), (32,), (24,))
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential
    layer5: nn.Sequential
    layer6: nn.Sequential
    layer7: nn.Sequential
    layer8: nn.Sequential

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = conv_bn(3, 32, 3, stride=2)
        inputs = 32
        for index, (expansion, outputs, blocks, stride) in enumerate(_STAGES, start=2):
            stage = [InvertedResidual(inputs, outputs, expansion, stride)]
            stage += [InvertedResidual(outputs, outputs, expansion, 1) for _ in range(blocks - 1)]
            setattr(self, f'layer{index}', nn.Sequential(*stage))
            inputs = outputs

    @property
    def first_convolution(self) -> nn.Conv2d:
        """Return the 3x3 convolution of stride 2."""
        conv = self.layer1[0]
        assert isinstance(conv, nn.Conv2d)
        return conv

    def forward(self, x: Tensor) -> Features:
        """Map a normalized image (B, 3, H, W) to features at strides 32, 16, 8 and 4."""
        l3 = self.layer3(self.layer2(self.layer1(x)))
        l4 = self.layer4(l3)
        l5 = self.layer5(l4)
        l6 = self.layer6(l5)
        l7 = self.layer7(l6)
        l8 = self.layer8(l7)
        return [[l8, l7], [l6, l5], [l4], [l3]]

    @staticmethod
    def from_torchvision(state: State) -> State:
        """
        Translate ``features.N`` to ``layerM.B``, and drop the classifier.

        torchvision has no convolution for an expansion by 1. It is set to the identity, which is
        exact, because its input is already within the range of ReLU6.
        """
        if 'features.0.0.weight' not in state:
            return {
                key: value for key, value in state.items() if not key.startswith('classifier.')
            }
        blocks = [(stage, block) for stage, (_, _, count, _) in enumerate(_STAGES, start=2)
                  for block in range(count)]  # fmt: skip
        out: State = {}
        for key, value in state.items():
            parts = key.split('.')
            if parts[0] != 'features':
                continue
            index = int(parts[1])
            if index == 0:
                out['.'.join(['layer1', *parts[2:]])] = value
            elif index <= len(blocks):
                stage, block = blocks[index - 1]
                out[f'layer{stage}.{block}.output.{_position(index, parts[3:])}'] = value
        return {**out, **_identity_expansion(32)}


def _position(index: int, parts: list[str]) -> str:
    """
    Translate the part of a key after ``features.N.conv``.

    torchvision groups convolution and batch norm in pairs, but for the last, which stand alone.
    """
    first = 1 if index == 1 else 0
    pairs = 1 if index == 1 else 2
    position = int(parts[0])
    if position < pairs:
        return '.'.join([str(position + first), *parts[1:]])
    return '.'.join([str(pairs + first), str(position - pairs), *parts[1:]])


def _identity_expansion(width: int) -> State:
    """Return the weights of a 1x1 convolution and batch norm that change nothing."""
    prefix = 'layer2.0.output.0'
    return {
        f'{prefix}.0.weight': torch.eye(width).view(width, width, 1, 1),
        f'{prefix}.1.weight': torch.full((width,), (1 + 1e-5) ** 0.5),
        f'{prefix}.1.bias': torch.zeros(width),
        f'{prefix}.1.running_mean': torch.zeros(width),
        f'{prefix}.1.running_var': torch.ones(width),
    }
