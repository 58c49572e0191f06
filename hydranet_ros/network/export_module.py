"""
The network as a model file has it: pixels in, published arrays out.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional

from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.network.rewrites import RewrittenNetwork

UPSAMPLINGS = ('bilinear', 'bicubic')
INTERNAL_SCALES = (1.0, 0.75, 0.5)
TARGETS = ('cpu', 'gpu')


class DeployedNetwork(nn.Module):
    """
    The network as the model file has it: pixels in, published arrays out.

    :param class_slice: (first, last + 1) channel of the segmentation head, ``None`` for all.
    :param internal_scale: of the picture that the network sees; the answers are of the image's
        own size whatever it is.
    """

    offset: Tensor  # of a pixel from 0 to 255
    factor: Tensor

    def __init__(
        self, network: HydraNet, class_slice: tuple[int, int] | None = None,
        upsampling: str = 'bilinear', internal_scale: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.internal_scale = internal_scale
        self.network = network
        self.class_slice = class_slice
        self.upsampling = upsampling
        offset, factor = network.normalization()
        self.register_buffer('offset', offset)
        self.register_buffer('factor', factor)

    @property
    def output_names(self) -> list[str]:
        """Return the names of the graph's outputs, in order."""
        names = []
        tasks = self.network.config.tasks
        if 'segmentation' in tasks:
            names += ['labels', 'confidence']
        return names + [task for task in ('depth', 'normals') if task in tasks]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """
        Run on one image.

        :param image: (1, H, W, 3) uint8 RGB.
        :returns: what :attr:`output_names` says: labels (1, H, W) uint8; confidence (1, H, W)
            uint8, 255 times the winning probability; depth (1, H, W) float32 metres; normals
            (1, H, W, 3) float32 unit vectors in the optical frame.
        """
        found = self.network(self.pixels(image) * self.factor)
        if 'segmentation' in found and self.class_slice is not None:
            found['segmentation'] = found['segmentation'][:, slice(*self.class_slice)]
        return self.publish(found, image.shape[1:3])

    def pixels(self, image: Tensor) -> Tensor:
        """Return what the network sees, (1, 3, h, w) float, from 0 to 255 less the mean."""
        pixels = image.permute(0, 3, 1, 2).float()
        if self.internal_scale != 1:
            up, down = Fraction(self.internal_scale).limit_denominator(16).as_integer_ratio()
            size = [(side * up + down - 1) // down for side in image.shape[1:3]]
            pixels = functional.interpolate(pixels, size, mode='bilinear', align_corners=False)
        return pixels - self.offset

    def publish(self, found: dict[str, Tensor], size: torch.Size) -> tuple[Tensor, ...]:
        """
        Turn what the heads say into what :meth:`forward` returns.

        :param found: by task, at stride 4; ``size`` is the image's (H, W).
        """
        outputs: list[Tensor] = []
        if 'segmentation' in found:
            outputs += self._classes(found['segmentation'], size)
        if 'depth' in found:
            outputs.append(self._resize(found['depth'], size).abs().flatten(0, 1))
        if 'normals' in found:
            outputs.append(self._normals(found['normals'], size))
        return tuple(outputs)

    def _resize(self, x: Tensor, size: torch.Size) -> Tensor:
        return functional.interpolate(x, size=size, mode=self.upsampling, align_corners=False)

    def _classes(self, logits: Tensor, size: torch.Size) -> list[Tensor]:
        """
        Bring logits to the image's size, then decide; class ids are never resized.

        The classes come last: ONNX Runtime upsamples and reduces fastest in that order.
        """
        full = self._resize(logits, size).permute(0, 2, 3, 1)
        labels = full.argmax(3).to(torch.uint8)
        probability = 1 / (full - full.amax(3, keepdim=True)).exp().sum(3)
        return [labels, (probability * 255).round().to(torch.uint8)]

    def _normals(self, x: Tensor, size: torch.Size) -> Tensor:
        """
        Return unit vectors in the optical frame: x right, y down, z ahead.

        They point from the surface towards the camera: a wall seen frontally is (0, 0, -1), a
        floor (0, -1, 0). The official channels are x, z, y of just this frame: those of its
        example ``norm_gt_000433.png``, coloured (x + 1) / 2, (z + 1) / 2, (1 - y) / 2, agree with
        the normals of the depth map beside it.
        """
        x = functional.normalize(self._resize(x, size), dim=1)
        return torch.stack([x[:, 0], x[:, 2], x[:, 1]], -1)


class RewrittenDeployment(nn.Module):
    """
    The same in the form that ONNX Runtime's CPU provider runs fastest.

    See :mod:`hydranet_ros.network.rewrites`; the answers differ by rounding only.
    """

    def __init__(self, deployed: DeployedNetwork) -> None:
        super().__init__()
        self.deployed = deployed
        self.network = RewrittenNetwork(deployed.network, deployed.class_slice)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Run on one image; see :meth:`DeployedNetwork.forward`."""
        found = self.network(self.deployed.pixels(image))
        return self.deployed.publish(found, image.shape[1:3])
