"""
The joint network: one encoder, one decoder, a head a task.

Nekrasov et al., "Real-Time Joint Semantic Segmentation and Depth Estimation Using Asymmetric
Annotations", ICRA 2019, section III. The modules only wire the parts together; normalisation and
upsampling belong to training and export.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hydranet_ros.errors import CheckpointError
from hydranet_ros.model_files.metadata import TASKS
from hydranet_ros.network.decoders import Decoder
from hydranet_ros.network.encoders import ENCODERS, build_encoder

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
STRIDE = 4
PAPER_STD = 0.01


@dataclass(frozen=True)
class HydraNetConfig:
    """
    What defines a network's shape.

    :param encoder: one of :data:`~hydranet_ros.network.encoders.ENCODERS`.
    :param num_classes: outputs of the segmentation head.
    :param tasks: any non-empty subset of segmentation, depth, normals.
    :param align_corners: see :class:`~hydranet_ros.network.decoders.Decoder`.
    :raises CheckpointError: if a value is outside what is allowed.
    """

    encoder: str = 'mobilenet_v2'
    num_classes: int = 6
    tasks: tuple[str, ...] = ('segmentation', 'depth')
    align_corners: bool = False

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise CheckpointError(
                f'Encoder {self.encoder!r} is unknown; allowed: {", ".join(ENCODERS)}.'
            )
        if (
            not self.tasks
            or set(self.tasks) - set(TASKS)
            or len(set(self.tasks)) != len(self.tasks)
        ):
            raise CheckpointError(
                f'Tasks {self.tasks!r} are not a non-empty subset of {TASKS}, each once.'
            )
        if 'segmentation' in self.tasks and not 1 <= self.num_classes <= 255:
            raise CheckpointError(f'num_classes is {self.num_classes}; allowed: 1..255.')

    @property
    def head_outputs(self) -> dict[str, int]:
        """Return the number of outputs of each task's head."""
        sizes = {'segmentation': self.num_classes, 'depth': 1, 'normals': 3}
        return {task: sizes[task] for task in TASKS if task in self.tasks}


class HydraNet(nn.Module):
    """Encoder and decoder wired together; ``decoder`` holds the heads."""

    def __init__(self, config: HydraNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        self.decoder = Decoder(
            self.encoder.channels, config.head_outputs, align_corners=config.align_corners
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """
        Run the network.

        :param image: (B, 3, H, W) float, ``(rgb / 255 - MEAN) / STD``, any H and W.
        :returns: ``segmentation`` logits (B, C, H/4, W/4), ``depth`` metres (B, 1, H/4, W/4;
            unbounded: inference takes the absolute value), ``normals`` (B, 3, H/4, W/4) in the
            official channel order x, z, y, not normalised; sizes rounded up.
        """
        return self.decoder(self.encoder(image))


def build_hydranet(config: HydraNetConfig | None = None, *, init: str = 'paper') -> HydraNet:
    """
    Return a network with fresh weights.

    :param init: ``paper`` draws every convolution from N(0, 0.01), which needs ImageNet weights
        in the encoder to train well; ``kaiming`` suits training from random weights.
    """
    model = HydraNet(config or HydraNetConfig())
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            if init == 'paper':
                nn.init.normal_(module.weight, std=PAPER_STD)
            else:
                nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if init != 'paper':
        _calm_decoder(model)
    return model


def _calm_decoder(model: HydraNet) -> None:
    """Scale the decoder down: it has no batch norm, and ReLU6 saturates at the full gain."""
    with torch.no_grad():
        for name, weight in model.decoder.named_parameters():
            if name.startswith('pools.'):
                weight.mul_(0.25)
            elif name.startswith('stems.'):
                weight.mul_(0.5)
            elif name.endswith('pre.weight'):
                nn.init.ones_(weight)
            elif name.endswith('out.weight'):
                nn.init.normal_(weight, std=PAPER_STD)
