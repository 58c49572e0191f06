"""
The Light-Weight RefineNet decoder with one head per task.

Nekrasov et al., "Light-Weight RefineNet for Real-Time Semantic Segmentation", BMVC 2018,
section 3, as the joint network uses it (ICRA 2019, section III). All convolutions are 1x1, 256
wide, without bias or batch norm, except the last of each head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

from torch import Tensor, nn
from torch.nn import functional

WIDTH = 256
POOLING_STAGES = 4


class MaxPool5(nn.Module):
    """
    A 5x5 max pool of stride 1, computed as 5x1 followed by 1x5.

    The result is bit-equal to a 5x5 pool with 10 comparisons per pixel instead of 25.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.MaxPool2d((5, 1), stride=1, padding=(2, 0))
        self.columns = nn.MaxPool2d((1, 5), stride=1, padding=(0, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return self.columns(self.rows(x))


class ChainedResidualPooling(nn.Module):
    """
    Four stages of pooling and 1x1 convolution; the sum of all stages and the input is returned.

    :param groups: groups of each convolution; ``width`` makes the block depthwise.
    """

    def __init__(self, width: int, groups: int = 1) -> None:
        super().__init__()
        self.pool = MaxPool5()
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 1, groups=groups, bias=False) for _ in range(POOLING_STAGES)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        top = x
        for conv in self.convs:
            top = conv(self.pool(top))
            x = x + top
        return x


class Stem(nn.ModuleList):
    """One 1x1 convolution for each feature map of a stride; the results are added."""

    def forward(self, level: Sequence[Tensor]) -> Tensor:
        """Map features (B, channels, H, W), whose channels differ, to one (B, width, H, W)."""
        return reduce(add, (conv(feature) for conv, feature in zip(self, level)))


class Head(nn.Module):
    """Depthwise 1x1 convolution, ReLU6 and 3x3 convolution with bias: the output of one task."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.pre = nn.Conv2d(WIDTH, WIDTH, 1, groups=WIDTH, bias=False)
        self.out = nn.Conv2d(WIDTH, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 256, H, W) to (B, outputs, H, W)."""
        return self.out(functional.relu6(self.pre(x)))


class LightWeightRefineNet(nn.Module):
    """
    The decoder and its heads.

    :param channels: channels of the encoder's features, grouped by stride, deepest first. The
        pooling block of the last stride is depthwise.
    :param heads: output channels of each task's head.
    :param align_corners: mode of the bilinear upsampling: ``False`` in the official code,
        ``True`` in DenseTorch. It is a property of the weights, not a choice.
    """

    def __init__(
        self,
        channels: Sequence[Sequence[int]],
        heads: Mapping[str, int],
        *,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        last = len(channels) - 1
        self.stems = nn.ModuleList(
            Stem(nn.Conv2d(inputs, WIDTH, 1, bias=False) for inputs in level) for level in channels
        )
        self.pools = nn.ModuleList(
            ChainedResidualPooling(WIDTH, groups=WIDTH if index == last else 1)
            for index in range(len(channels))
        )
        self.adapts = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 1, bias=False) for _ in range(last))
        self.heads = nn.ModuleDict({task: Head(outputs) for task, outputs in heads.items()})

    def forward(self, features: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
        """Map the encoder's features to {task: (B, outputs, H / 4, W / 4)}."""
        x = features[0][0]
        for index, (stem, pool, level) in enumerate(zip(self.stems, self.pools, features)):
            total = stem(level)
            if index:
                total = total + functional.interpolate(
                    self.adapts[index - 1](x),
                    size=level[0].shape[2:],
                    mode='bilinear',
                    align_corners=self.align_corners,
                )
            x = pool(functional.relu6(total))
        return {task: head(x) for task, head in self.heads.items()}
