"""ResNet-18 to 152 (He et al., CVPR 2016) without the classifier, with torchvision's keys."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hydranet_ros.network.encoders.base import Encoder, Features, State


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
    """1x1, 3x3 and 1x1 convolutions with a shortcut; the 3x3 has the stride (ResNet-50 to 152)."""

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


class ResNet(Encoder):
    """
    A ResNet; as in DenseTorch, the first batch norm has a momentum of 0.95.

    :param block: the kind of residual block.
    :param blocks: number of blocks of each of the four stages.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, block: type[BasicBlock | Bottleneck], blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64, momentum=0.95)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        widths = []
        for index, count in enumerate(blocks, start=1):
            width = 64 * 2 ** (index - 1)
            stage = []
            for position in range(count):
                stride = 2 if index > 1 and position == 0 else 1
                stage.append(block(inputs, width, stride))
                inputs = width * block.expansion
            setattr(self, f'layer{index}', nn.Sequential(*stage))
            widths.append(inputs)
        self.channels = tuple((width,) for width in reversed(widths))

    @property
    def first_convolution(self) -> nn.Conv2d:
        """Return the 7x7 convolution of stride 2."""
        return self.conv1

    def forward(self, x: Tensor) -> Features:
        """Map a normalized image (B, 3, H, W) to features at strides 32, 16, 8 and 4."""
        l1 = self.layer1(self.maxpool(torch.relu(self.bn1(self.conv1(x)))))
        l2 = self.layer2(l1)
        l3 = self.layer3(l2)
        l4 = self.layer4(l3)
        return [[l4], [l3], [l2], [l1]]

    @staticmethod
    def from_torchvision(state: State) -> State:
        """Drop the classifier; all other keys are equal."""
        return {key: value for key, value in state.items() if not key.startswith('fc.')}
