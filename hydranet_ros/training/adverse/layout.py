"""
Estimate the layout of a street image: horizon, ground and distance.

Weather depends on distance. Annotated depth is used where it is known. Elsewhere the layout of an
empty street canyon replaces it: flat ground, a wall on each side, sky above.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.adverse.pixels import quarter_grid

# The empty street in meters: height of the camera of a car, half the width between the house
# fronts, their height above the camera, and the distance of the sky. FOCAL_RATIO is relative to
# the larger of height and 0.7 of the width (0.83 in KITTI, 1.08 in NYUD).
CAMERA_HEIGHT = 1.5
HALF_STREET = 10.0
WALL_HEIGHT = 11.0
FARTHEST = 250.0
FOCAL_RATIO = 1.0
# If no pixel is farther, the image shows a room, and unknown pixels are not sky.
ROOM = 20.0


@dataclass(frozen=True)
class StreetCamera:
    """
    The vanishing point of a street in an image, which may be outside the image.

    :param vanishing_x: its column in pixels.
    :param horizon: its row in pixels.
    :param focal_length: pixels.
    """

    vanishing_x: float
    horizon: float
    focal_length: float


def default_camera(height: int, width: int) -> StreetCamera:
    """Return a level camera that looks along the street, for an image without calibration."""
    return StreetCamera(width / 2, height / 2, FOCAL_RATIO * max(height, 0.7 * width))


@dataclass(frozen=True)
class Scene:
    """
    The input of a corruption.

    :param image: (H, W, 3) uint8 RGB.
    :param known_depth: (H, W) float32 meters, 0 unknown, or ``None``.
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
        """Return the scale of lengths in pixels: 1 for an image of 480x360."""
        height, width = self.size
        return float(np.sqrt(height * width)) / 416

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """Return (H, W) float32 meters, known at every pixel."""
        empty_street = street_depth(self.size, self.camera)
        if self.known_depth is None:
            return move_sky_back(empty_street, self.image, self.horizon)
        return fill_depth(self.known_depth, empty_street, self.horizon)

    @cached_property
    def ground(self) -> NDArray[np.float32]:
        """Return (H, 1) float32: 0 above the horizon, rising to 1 on the ground nearby."""
        rows = np.arange(self.size[0], dtype=np.float32)[:, None]
        ramp = np.clip((rows - np.float32(self.horizon)) / (0.2 * self.size[0]), 0, 1)
        return ramp * ramp * (3 - 2 * ramp)


def street_depth(size: tuple[int, int], camera: StreetCamera) -> NDArray[np.float32]:
    """
    Return the depth of an empty street canyon, (H, W) float32 meters, with smoothed edges.

    The camera is 1.5 m above flat ground in the middle of a street that is 20 m wide, between
    house fronts that are 12.5 m high. The sky is at 250 m.
    """
    height, width = size
    rows, columns = quarter_grid(height, width)
    rows = rows - np.float32(camera.horizon)
    columns = np.abs(columns - np.float32(camera.vanishing_x))
    focal = camera.focal_length
    ground = np.where(rows > 0, focal * CAMERA_HEIGHT / np.maximum(rows, 1e-3), FARTHEST)
    wall = focal * HALF_STREET / np.maximum(columns, 1)
    above = -rows * wall / focal  # height above the camera where the ray meets the wall
    wall = np.where(above > WALL_HEIGHT, FARTHEST, wall)
    depth = np.minimum(np.minimum(ground, wall), FARTHEST).astype(np.float32)
    depth = np.exp(cv2.GaussianBlur(np.log(depth), (0, 0), 4))
    return cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)


def move_sky_back(
    depth: NDArray[np.float32], image: NDArray[np.uint8], horizon: float
) -> NDArray[np.float32]:
    """
    Return the depth with pixels that look like sky at the distance of the sky.

    Sky is bright or blue, smooth and above the horizon. A wall that is mistaken for sky gets too
    much fog, nothing worse.
    """
    height, width = depth.shape
    rows, columns = quarter_grid(height, width)
    small = cv2.resize(image, (columns.size, rows.size), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(gray, (7, 7))
    rough = np.sqrt(np.maximum(cv2.blur(gray * gray, (7, 7)) - mean * mean, 0))
    blue = small[..., 2].astype(np.float32) - small[..., 0]
    bright = np.clip((mean / max(float(np.percentile(mean, 90)), 60.0) - 0.6) / 0.25, 0, 1)
    bright = np.maximum(bright, np.clip((blue - 25) / 25, 0, 1))
    above = np.clip((horizon - rows) / (0.05 * height), 0, 1)
    sky = cv2.blur(bright * np.clip((14 - rough) / 8, 0, 1) * above, (5, 5))
    sky = cv2.resize(sky, (width, height), interpolation=cv2.INTER_LINEAR)
    return depth + (np.float32(FARTHEST) - depth) * sky


def fill_depth(
    depth: NDArray[np.float32], empty_street: NDArray[np.float32], horizon: float
) -> NDArray[np.float32]:
    """
    Fill the unknown pixels of a depth image.

    In a dense outdoor depth image, unknown pixels above the horizon are sky. In a sparse one
    (lidar) or in a room, an unknown pixel takes the mean of the known pixels around it, or the
    depth of the empty street if there is none.
    """
    known = depth > 0
    share = float(known.mean())
    if share == 0.0:
        return empty_street
    if share > 0.4 and float(depth.max()) > ROOM:
        rows = np.arange(len(depth))[:, None]
        return np.where(known, depth, np.where(rows < horizon, np.float32(FARTHEST), empty_street))
    reach = max(3, int(0.08 * max(depth.shape)) | 1)
    weight = cv2.blur(known.astype(np.float32), (reach, reach))
    around = cv2.blur(depth, (reach, reach)) / np.maximum(weight, 1e-6)
    if float(depth.max()) <= ROOM:
        empty_street = np.full_like(depth, np.median(depth[known]))
    return np.where(known, depth, np.where(weight > 0.002, around, empty_street))
