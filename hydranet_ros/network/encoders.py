"""
Encoders: MobileNet-v2 (layers 1 to 8) and ResNet-18 to 152, without their classifiers.

Each returns its features grouped by stride, deepest first, as the decoder takes them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hydranet_ros.errors import CheckpointError

Features = list[list[Tensor]]

# (expansion, output channels, blocks, stride of the first block); Table 2 of arXiv 1801.04381.
_MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_RESNET_BLOCKS = {
    'resnet18': (2, 2, 2, 2),
    'resnet34': (3, 4, 6, 3),
    'resnet50': (3, 4, 6, 3),
    'resnet101': (3, 4, 23, 3),
    'resnet152': (3, 8, 36, 3),
}
ENCODERS = ('mobilenet_v2', *_RESNET_BLOCKS)


def conv_bn(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Return convolution (no bias, same padding), batch norm and, if ``act``, ReLU6."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if act:
        layers.append(nn.ReLU6(inplace=True))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1; the expansion is present even where it is 1."""

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


class MobileNetV2(nn.Module):
    """MobileNet-v2 up to its 320-channel layer, as the paper uses it."""

    channels = ((320, 160), (96, 64), (32,), (24,))
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
        for index, (expansion, outputs, blocks, stride) in enumerate(_MOBILENET_STAGES, start=2):
            stage = [InvertedResidual(inputs, outputs, expansion, stride)]
            stage += [InvertedResidual(outputs, outputs, expansion, 1) for _ in range(blocks - 1)]
            setattr(self, f'layer{index}', nn.Sequential(*stage))
            inputs = outputs

    def forward(self, x: Tensor) -> Features:
        """Map a normalised image (B, 3, H, W) to features at strides 32, 16, 8 and 4."""
        l3 = self.layer3(self.layer2(self.layer1(x)))
        l4 = self.layer4(l3)
        l5 = self.layer5(l4)
        l6 = self.layer6(l5)
        l7 = self.layer7(l6)
        l8 = self.layer8(l7)
        return [[l8, l7], [l6, l5], [l4], [l3]]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (ResNet-18 and 34)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, width, H / stride, W / stride)."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride), 1x1 with a shortcut (ResNet-50, 101, 152)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, 4 width, H / stride, W / stride)."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
    )


class ResNet(nn.Module):
    """
    ResNet-18, 34, 50, 101 or 152 with torchvision's key names.

    The stem's batch norm has momentum 0.95, as DenseTorch trains it.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, name: str) -> None:
        super().__init__()
        block = BasicBlock if name in ('resnet18', 'resnet34') else Bottleneck
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64, momentum=0.95)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        widths = []
        for index, blocks in enumerate(_RESNET_BLOCKS[name], start=1):
            width = 64 * 2 ** (index - 1)
            stage = []
            for position in range(blocks):
                stride = 2 if index > 1 and position == 0 else 1
                stage.append(block(inputs, width, stride))
                inputs = width * block.expansion
            setattr(self, f'layer{index}', nn.Sequential(*stage))
            widths.append(inputs)
        self.channels = tuple((width,) for width in reversed(widths))

    def forward(self, x: Tensor) -> Features:
        """Map a normalised image (B, 3, H, W) to features at strides 32, 16, 8 and 4."""
        l1 = self.layer1(self.maxpool(torch.relu(self.bn1(self.conv1(x)))))
        l2 = self.layer2(l1)
        l3 = self.layer3(l2)
        l4 = self.layer4(l3)
        return [[l4], [l3], [l2], [l1]]


def build_encoder(name: str) -> MobileNetV2 | ResNet:
    """
    Return an encoder with fresh weights.

    :raises CheckpointError: if ``name`` is none of :data:`ENCODERS`.
    """
    if name == 'mobilenet_v2':
        return MobileNetV2()
    if name in _RESNET_BLOCKS:
        return ResNet(name)
    raise CheckpointError(f'Encoder {name!r} is unknown; allowed: {", ".join(ENCODERS)}.')
