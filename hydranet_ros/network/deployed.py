"""
The network as a model file has it: pixels in, published arrays out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hydranet_ros.network.hydranet import MEAN, STD, HydraNet
from hydranet_ros.network.rewrites import RewrittenNetwork

UPSAMPLINGS = ('bilinear', 'bicubic')


class DeployedNetwork(nn.Module):
    """
    The network as the model file has it: pixels in, published arrays out.

    :param class_slice: (first, last + 1) channel of the segmentation head, ``None`` for all.
    """

    offset: Tensor  # of a pixel from 0 to 255
    factor: Tensor

    def __init__(
        self, network: HydraNet, class_slice: tuple[int, int] | None = None,
        upsampling: str = 'bilinear',
    ) -> None:  # fmt: skip
        super().__init__()
        self.network = network
        self.class_slice = class_slice
        self.upsampling = upsampling
        self.register_buffer('offset', 255 * torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer('factor', 1 / (255 * torch.tensor(STD).view(1, 3, 1, 1)))

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
        normalised = (image.permute(0, 3, 1, 2).float() - self.offset) * self.factor
        found = self.network(normalised)
        if 'segmentation' in found and self.class_slice is not None:
            found['segmentation'] = found['segmentation'][:, slice(*self.class_slice)]
        return self.publish(found, image.shape[1:3])

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
        pixels = image.permute(0, 3, 1, 2).float() - self.deployed.offset
        return self.deployed.publish(self.network(pixels), image.shape[1:3])
