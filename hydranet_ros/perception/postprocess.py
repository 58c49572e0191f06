"""What follows the network, in numbers: the same on the CPU and on a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel

NEAREST = 1e-6
FARTHEST = 1e9


@dataclass(frozen=True)
class Finish:
    """
    How the network's answer becomes what a frame gives.

    :param surface: 256 bytes by class id, 255 where the class has a surface, else 0.
    :param least_confidence: 0..255; below it a pixel is unlabelled (255). 0: all are labelled.
    :param factor: by which depth is multiplied, for the camera's focal length.
    :param farthest: metres beyond which depth is unknown.
    :param camera: of the image, for the cloud; ``None`` if there is to be none.
    :param stride: the cloud takes every so many pixels.
    """

    surface: bytes
    least_confidence: float = 0.0
    factor: float = 1.0
    farthest: float = FARTHEST
    camera: CameraModel | None = None
    stride: int = 1

    @property
    def surface_table(self) -> NDArray[np.uint8]:
        """Return ``surface`` as (256,) uint8, without a copy."""
        return np.frombuffer(self.surface, np.uint8)
