"""The module that is exported: from uint8 pixels to the outputs of a model file."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional

from hydranet_ros.network.hydranet import HydraNet
from hydranet_ros.network.rewrites import RewrittenNetwork

UPSAMPLINGS = ('bilinear', 'bicubic')
INTERNAL_SCALES = (1.0, 0.75, 0.5)


class ExportModule(nn.Module):
    """
    A network with the normalization, upsampling and decisions that its model file contains.

    :param network: in evaluation mode.
    :param class_slice: (first, last + 1) channel of the segmentation head, ``None`` for all.
    :param upsampling: one of :data:`UPSAMPLINGS`, from the heads to the image's size.
    :param internal_scale: one of :data:`INTERNAL_SCALES`; the network runs on the image resized
        by it. The outputs always have the image's size.
    """

    # They normalize pixels from 0 to 255; their names are those of initializers in the file.
    offset: Tensor
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
        """Return the names of the outputs, in order."""
        names = []
        tasks = self.network.config.tasks
        if 'segmentation' in tasks:
            names += ['labels', 'confidence']
        return names + [task for task in ('depth', 'normals') if task in tasks]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """
        Run on a batch of images.

        :param image: (B, H, W, 3) uint8 RGB.
        :returns: the outputs that :attr:`output_names` lists: labels (B, H, W) uint8; confidence
            (B, H, W) uint8, the probability of the label times 255; depth (B, H, W) meters;
            normals (B, H, W, 3) unit vectors in the optical frame; both in the module's dtype.
        """
        outputs = self.network(self.centered_pixels(image) * self.factor)
        if 'segmentation' in outputs and self.class_slice is not None:
            outputs['segmentation'] = outputs['segmentation'][:, slice(*self.class_slice)]
        return self.decode(outputs, image.shape[1:3])

    def centered_pixels(self, image: Tensor, *, convert_first: bool = True) -> Tensor:
        """
        Map (B, H, W, 3) uint8 to (B, 3, h, w), resized, 0 to 255 minus the mean.

        :param convert_first: convert to floating point before the dimensions are moved. TensorRT
            needs it, because it moves no uint8; on a CPU the other order moves fewer bytes.
        """
        dtype = self.offset.dtype
        if convert_first:
            pixels = image.to(dtype).permute(0, 3, 1, 2)
        else:
            pixels = image.permute(0, 3, 1, 2).to(dtype)
        if self.internal_scale != 1:
            up, down = Fraction(self.internal_scale).limit_denominator(16).as_integer_ratio()
            size = [(side * up + down - 1) // down for side in image.shape[1:3]]
            pixels = functional.interpolate(pixels, size, mode='bilinear', align_corners=False)
        return pixels - self.offset

    def decode(self, outputs: dict[str, Tensor], size: torch.Size) -> tuple[Tensor, ...]:
        """
        Convert the outputs of the heads to those of :meth:`forward`.

        :param outputs: by task, as :meth:`HydraNet.forward` returns them.
        :param size: (H, W) of the image.
        """
        decoded: list[Tensor] = []
        if 'segmentation' in outputs:
            decoded += self._labels_and_confidence(outputs['segmentation'], size)
        if 'depth' in outputs:
            decoded.append(self._resize(outputs['depth'], size).abs().flatten(0, 1))
        if 'normals' in outputs:
            decoded.append(self._normals(outputs['normals'], size))
        return tuple(decoded)

    def _resize(self, x: Tensor, size: torch.Size) -> Tensor:
        return functional.interpolate(x, size=size, mode=self.upsampling, align_corners=False)

    def _labels_and_confidence(self, logits: Tensor, size: torch.Size) -> list[Tensor]:
        """
        Resize the logits, then take the class of the largest; class ids are never resized.

        The classes are the last dimension, because ONNX Runtime reduces that one fastest.
        """
        full = self._resize(logits, size).permute(0, 2, 3, 1)
        labels = full.argmax(3).to(torch.uint8)
        probability = 1 / (full - full.amax(3, keepdim=True)).exp().sum(3)
        return [labels, (probability * 255).round().to(torch.uint8)]

    def _normals(self, x: Tensor, size: torch.Size) -> Tensor:
        """
        Return unit vectors in the optical frame (x right, y down, z forward).

        They point from the surface toward the camera: (0, 0, -1) is a wall seen frontally,
        (0, -1, 0) a floor. The heads output x, z, y of this frame. The official example
        ``norm_gt_000433.png``, colored (x + 1) / 2, (z + 1) / 2, (1 - y) / 2, proves it: it agrees
        with the normals of the depth map that belongs to it.
        """
        x = functional.normalize(self._resize(x, size), dim=1)
        return torch.stack([x[:, 0], x[:, 2], x[:, 1]], -1)


class RewrittenExportModule(nn.Module):
    """
    An :class:`ExportModule` in the form that ONNX Runtime's CPU provider runs fastest.

    See :mod:`hydranet_ros.network.rewrites`. The outputs differ by rounding only.
    """

    def __init__(self, deployed: ExportModule) -> None:
        super().__init__()
        self.deployed = deployed
        self.network = RewrittenNetwork(deployed.network, deployed.class_slice)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Run on one image (1, H, W, 3) uint8; see :meth:`ExportModule.forward`."""
        outputs = self.network(self.deployed.centered_pixels(image, convert_first=False))
        return self.deployed.decode(outputs, image.shape[1:3])
