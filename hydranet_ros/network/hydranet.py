"""
The joint network: one encoder, one decoder and one head per task.

Nekrasov et al., "Real-Time Joint Semantic Segmentation and Depth Estimation Using Asymmetric
Annotations", ICRA 2019, section III.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hydranet_ros.errors import CheckpointError
from hydranet_ros.model_files.metadata import TASKS
from hydranet_ros.network.decoders import LightWeightRefineNet
from hydranet_ros.network.encoders import ENCODERS, build_encoder

# Statistics of ImageNet's RGB values in 0..1, which every encoder's weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
OUTPUT_STRIDE = 4
PAPER_STD = 0.01


@dataclass(frozen=True)
class HydraNetConfig:
    """
    Architecture of a network.

    :param encoder: a name in :data:`~hydranet_ros.network.encoders.ENCODERS`.
    :param num_classes: output channels of the segmentation head, 1 to 255.
    :param tasks: any non-empty subset of segmentation, depth, normals.
    :param align_corners: see :class:`~hydranet_ros.network.decoders.LightWeightRefineNet`.
    :raises CheckpointError: if a value is not allowed.
    """

    encoder: str = 'mobilenet_v2'
    num_classes: int = 6
    tasks: tuple[str, ...] = ('segmentation', 'depth')
    align_corners: bool = False

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise CheckpointError(f'encoder is {self.encoder!r}; allowed: {", ".join(ENCODERS)}.')
        tasks = set(self.tasks)
        if not tasks or tasks - set(TASKS) or len(tasks) != len(self.tasks):
            raise CheckpointError(
                f'tasks is {list(self.tasks)}; allowed: one or more of {", ".join(TASKS)}, each '
                'once.'
            )
        if 'segmentation' in self.tasks and not 1 <= self.num_classes <= 255:
            raise CheckpointError(f'num_classes is {self.num_classes}; allowed: 1 to 255.')

    @property
    def head_outputs(self) -> dict[str, int]:
        """Return the number of output channels of each task's head."""
        sizes = {'segmentation': self.num_classes, 'depth': 1, 'normals': 3}
        return {task: sizes[task] for task in TASKS if task in self.tasks}


class HydraNet(nn.Module):
    """
    The joint network; ``decoder`` contains the heads.

    :meth:`normalize` converts images to the input of :meth:`forward`.
    """

    def __init__(self, config: HydraNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        self.decoder = LightWeightRefineNet(
            self.encoder.channels, config.head_outputs, align_corners=config.align_corners
        )

    @staticmethod
    def normalize(images: Tensor) -> Tensor:
        """
        Normalize images as every encoder expects: ``(images / 255 - MEAN) / STD``.

        :param images: (B, H, W, 3) RGB, 0 to 255, uint8 or float32.
        :returns: (B, 3, H, W) float32; a view with the channels last in memory.
        """
        mean, std = (torch.tensor(values, device=images.device) for values in (MEAN, STD))
        return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)

    @staticmethod
    def normalization(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """
        Return :meth:`normalize` as an offset and a factor: ``(images - offset) * factor``.

        Exported graphs use this form, because the factor can be folded into the weights of the
        first convolution. The offset cannot: the convolution pads with zeros, which must remain
        the mean color. The result differs from :meth:`normalize` by rounding only.

        :returns: two tensors (1, 3, 1, 1), for images (B, 3, H, W) from 0 to 255.
        """
        mean, std = (torch.tensor(values, dtype=dtype).view(1, 3, 1, 1) for values in (MEAN, STD))
        return 255 * mean, 1 / (255 * std)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """
        Run the network.

        :param image: (B, 3, H, W) float32, normalized by :meth:`normalize`; any H and W.
        :returns: the outputs of the heads by task, at a quarter of the size, rounded up:
            ``segmentation`` logits (B, C, H/4, W/4); ``depth`` (B, 1, H/4, W/4) in meters, of
            either sign (inference takes the absolute value); ``normals`` (B, 3, H/4, W/4) in the
            official channel order x, z, y, of any length.
        """
        return self.decoder(self.encoder(image))


def build_hydranet(config: HydraNetConfig | None = None, *, init: str = 'paper') -> HydraNet:
    """
    Return a network with new random weights.

    :param init: ``paper`` draws all convolutions from N(0, 0.01), which trains well only with
        ImageNet weights loaded into the encoder; any other value draws them by He et al. (2015)
        and suits training from random weights.
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
        _scale_down_decoder(model)
    return model


def _scale_down_decoder(model: HydraNet) -> None:
    """Scale the decoder's weights: without batch norm its ReLU6 would saturate."""
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
