"""
The joint network written a second time, plainly, in the official checkpoints' key names.

An independent check of the product's network: it shares no code with it. Written from the
published description of the layers, not from it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

STAGES = {2: (1, 32, 16, 1, 1), 3: (6, 16, 24, 2, 2), 4: (6, 24, 32, 3, 2), 5: (6, 32, 64, 4, 2),
          6: (6, 64, 96, 3, 1), 7: (6, 96, 160, 3, 2), 8: (6, 160, 320, 1, 1)}  # fmt: skip
STEMS = {8: 320, 7: 160, 6: 96, 5: 64, 4: 32, 3: 24}


def unit(inputs, outputs, kernel, stride, groups, relu):
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
              nn.BatchNorm2d(outputs)]  # fmt: skip
    return nn.Sequential(*layers, *([nn.ReLU6()] if relu else []))


class Block(nn.Module):
    def __init__(self, inputs, outputs, expansion, stride):
        super().__init__()
        wide = inputs * expansion
        self.output = nn.Sequential(
            unit(inputs, wide, 1, 1, 1, True),
            unit(wide, wide, 3, stride, wide, True),
            unit(wide, outputs, 1, 1, 1, False),
        )
        self.add = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.output(x) if self.add else self.output(x)


class Crp(nn.Module):
    def __init__(self, groups):
        super().__init__()
        for index in range(1, 5):
            conv = nn.Conv2d(256, 256, 1, groups=groups, bias=False)
            setattr(self, f'{index}_outvar_dimred', conv)

    def forward(self, x):
        top = x
        for index in range(1, 5):
            top = functional.max_pool2d(top, 5, 1, 2)
            top = getattr(self, f'{index}_outvar_dimred')(top)
            x = x + top
        return x


class ReferenceNetwork(nn.Module):
    def __init__(self, classes, tasks=('segm', 'depth'), align_corners=False):
        super().__init__()
        self.tasks, self.align = tasks, align_corners
        self.layer1 = unit(3, 32, 3, 2, 1, True)
        for index, (expansion, inputs, outputs, count, stride) in STAGES.items():
            blocks = [Block(inputs, outputs, expansion, stride)]
            blocks += [Block(outputs, outputs, expansion, 1) for _ in range(count - 1)]
            setattr(self, f'layer{index}', nn.Sequential(*blocks))
        for index, channels in STEMS.items():
            setattr(self, f'conv{index}', nn.Conv2d(channels, 256, 1, bias=False))
        for index in (4, 3, 2, 1):
            setattr(self, f'crp{index}', nn.Sequential(Crp(256 if index == 1 else 1)))
            if index > 1:
                setattr(self, f'conv_adapt{index}', nn.Conv2d(256, 256, 1, bias=False))
        for task in tasks:
            outputs = {'segm': classes, 'depth': 1, 'normal': 3}[task]
            setattr(self, f'pre_{task}', nn.Conv2d(256, 256, 1, groups=256, bias=False))
            setattr(self, task, nn.Conv2d(256, outputs, 3, padding=1))

    def forward(self, x):
        found = {}
        for index in range(1, 9):
            x = found[index] = getattr(self, f'layer{index}')(x)

        def up(value, target):
            return functional.interpolate(
                value, found[target].shape[2:], mode='bilinear', align_corners=self.align
            )

        x = functional.relu6(self.conv8(found[8]) + self.conv7(found[7]))
        x = up(self.conv_adapt4(self.crp4(x)), 6)
        x = functional.relu6(self.conv6(found[6]) + self.conv5(found[5]) + x)
        x = up(self.conv_adapt3(self.crp3(x)), 4)
        x = functional.relu6(self.conv4(found[4]) + x)
        x = up(self.conv_adapt2(self.crp2(x)), 3)
        x = self.crp1(functional.relu6(self.conv3(found[3]) + x))
        return tuple(
            getattr(self, task)(functional.relu6(getattr(self, f'pre_{task}')(x)))
            for task in self.tasks
        )


def random_reference(classes=6, tasks=('segm', 'depth'), align_corners=False, seed=3):
    """Return a reference network whose weights and statistics are drawn, and of sane size."""
    generator = torch.Generator().manual_seed(seed)
    network = ReferenceNetwork(classes, tasks, align_corners).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith('num_batches_tracked'):
                continue
            drawn = torch.randn(value.shape, generator=generator)
            if value.ndim == 4:
                fan = value.shape[1] * value.shape[2] * value.shape[3]
                gain = 0.25 if 'outvar_dimred' in name else 1.0
                value.copy_(drawn * gain * (2 / fan) ** 0.5)
            elif name.endswith('running_var'):
                value.copy_(drawn.abs() + 0.5)
            elif name.endswith('.1.weight'):
                value.copy_(1 + 0.1 * drawn)
            else:
                value.copy_(0.1 * drawn)
    return network
