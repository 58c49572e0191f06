"""Frames of a camera that moves through a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.renderer import RenderedFrame


@dataclass(frozen=True)
class SequenceFrame:
    """
    One frame of a drive or a walk.

    :param seconds: time since the start.
    :param image: (H, W, 3) uint8 RGB photo of ``truth``.
    :param truth: the rendered view, with exact labels and depth.
    :param linear_velocity: (3,) meters per second in the optical frame (x right, y down, z
        forward).
    :param angular_velocity: (3,) radians per second in the optical frame.
    """

    seconds: float
    image: NDArray[np.uint8]
    truth: RenderedFrame
    pose: Pose
    linear_velocity: NDArray[np.float64]
    angular_velocity: NDArray[np.float64]
