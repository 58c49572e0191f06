"""
Where things are in a street image: horizon, ground, distance.

Weather depends on distance. Where depth is annotated it is used; elsewhere a street canyon
stands in: flat ground, walls left and right, sky above them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.adverse.pixels import quarter_grid

# Metres and ratios of the stand-in: a car's camera, the half width of a street between house
# fronts, their height above the camera, where haze hides what is behind, and the focal length
# relative to the larger of height and 0.7 of the width (KITTI has 0.83, NYUD 1.08).
CAMERA_HEIGHT = 1.5
HALF_STREET = 10.0
WALL_HEIGHT = 11.0
FARTHEST = 250.0
FOCAL_RATIO = 1.0
# A depth image in which nothing is farther is a room: what is unknown there is no sky.
ROOM = 20.0


@dataclass(frozen=True)
class StreetCamera:
    """
    How a street lies in an image.

    :param vanishing_x: pixels from the left, of the point where the street vanishes.
    :param horizon: pixels from the top, of the same point; either may lie outside the image.
    :param focal_length: pixels.
    """

    vanishing_x: float
    horizon: float
    focal_length: float


def usual_camera(height: int, width: int) -> StreetCamera:
    """Return the camera of an image of which nothing is known: level, and looking ahead."""
    return StreetCamera(width / 2, height / 2, FOCAL_RATIO * max(height, 0.7 * width))


@dataclass(frozen=True)
class Scene:
    """
    What a corruption is given.

    :param image: (H, W, 3) uint8 RGB.
    :param known_depth: (H, W) float32 metres, 0 unknown, or ``None``.
    """

    image: NDArray[np.uint8]
    camera: StreetCamera
    known_depth: NDArray[np.float32] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def horizon(self) -> float:
        """Return the row of the horizon in pixels from the top."""
        return self.camera.horizon

    @property
    def unit(self) -> float:
        """Return a length in pixels that is 1 for an image of 480x360 and grows with its side."""
        height, width = self.size
        return float(np.sqrt(height * width)) / 416

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """Return (H, W) float32 metres, everywhere known."""
        stand_in = street_depth(self.size, self.camera)
        if self.known_depth is None:
            return push_sky_back(stand_in, self.image, self.horizon)
        return fill_depth(self.known_depth, stand_in, self.horizon)

    @cached_property
    def ground(self) -> NDArray[np.float32]:
        """Return (H, 1) float32: 0 above the horizon, rising to 1 on the ground before us."""
        rows = np.arange(self.size[0], dtype=np.float32)[:, None]
        ramp = np.clip((rows - np.float32(self.horizon)) / (0.2 * self.size[0]), 0, 1)
        return ramp * ramp * (3 - 2 * ramp)


def street_depth(size: tuple[int, int], camera: StreetCamera) -> NDArray[np.float32]:
    """
    Return the depth of an empty street canyon, of size (H, W), float32 metres.

    A stand-in for what is not annotated: a camera 1.5 m above flat ground in the middle of a
    street 20 m wide between fronts 12.5 m high, sky at 250 m; edges smoothed.
    """
    height, width = size
    rows, columns = quarter_grid(height, width)
    rows = rows - np.float32(camera.horizon)
    columns = np.abs(columns - np.float32(camera.vanishing_x))
    focal = camera.focal_length
    ground = np.where(rows > 0, focal * CAMERA_HEIGHT / np.maximum(rows, 1e-3), FARTHEST)
    wall = focal * HALF_STREET / np.maximum(columns, 1)
    above = -rows * wall / focal  # metres above the camera at which a ray meets the wall
    wall = np.where(above > WALL_HEIGHT, FARTHEST, wall)
    depth = np.minimum(np.minimum(ground, wall), FARTHEST).astype(np.float32)
    depth = np.exp(cv2.GaussianBlur(np.log(depth), (0, 0), 4))
    return cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)


def push_sky_back(
    depth: NDArray[np.float32], image: NDArray[np.uint8], horizon: float
) -> NDArray[np.float32]:
    """
    Return the stand-in with what looks like sky moved to where sky is.

    Sky is bright or blue, smooth, and above the horizon. A wall taken for sky only gets too much
    fog.
    """
    height, width = depth.shape
    rows, columns = quarter_grid(height, width)
    small = cv2.resize(image, (columns.size, rows.size), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(grey, (7, 7))
    rough = np.sqrt(np.maximum(cv2.blur(grey * grey, (7, 7)) - mean * mean, 0))
    blue = small[..., 2].astype(np.float32) - small[..., 0]
    bright = np.clip((mean / max(float(np.percentile(mean, 90)), 60.0) - 0.6) / 0.25, 0, 1)
    bright = np.maximum(bright, np.clip((blue - 25) / 25, 0, 1))
    above = np.clip((horizon - rows) / (0.05 * height), 0, 1)
    sky = cv2.blur(bright * np.clip((14 - rough) / 8, 0, 1) * above, (5, 5))
    sky = cv2.resize(sky, (width, height), interpolation=cv2.INTER_LINEAR)
    return depth + (np.float32(FARTHEST) - depth) * sky


def fill_depth(
    depth: NDArray[np.float32], stand_in: NDArray[np.float32], horizon: float
) -> NDArray[np.float32]:
    """
    Return depth without gaps.

    A map that is mostly known outdoors has no gaps but the sky, which is far. In a sparse one
    (LiDAR) or in a room, a gap takes the mean of what is known around it, or the stand-in where
    nothing is.
    """
    known = depth > 0
    share = float(known.mean())
    if share == 0.0:
        return stand_in
    if share > 0.4 and float(depth.max()) > ROOM:
        rows = np.arange(len(depth))[:, None]
        return np.where(known, depth, np.where(rows < horizon, np.float32(FARTHEST), stand_in))
    reach = max(3, int(0.08 * max(depth.shape)) | 1)
    weight = cv2.blur(known.astype(np.float32), (reach, reach))
    around = cv2.blur(depth, (reach, reach)) / np.maximum(weight, 1e-6)
    if float(depth.max()) <= ROOM:
        stand_in = np.full_like(depth, np.median(depth[known]))
    return np.where(known, depth, np.where(weight > 0.002, around, stand_in))
