"""A drive along a street: smooth motion, other cars moving, exact poses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel
from hydranet_scenes.appearance import Appearance, mild_look
from hydranet_scenes.dataset import KITTI_FOCAL, KITTI_WIDTH
from hydranet_scenes.renderer import Pose, RawFrame, StreetRenderer
from hydranet_scenes.street import STREET_KINDS, StreetKind, build_street

SPEED = 6.0


@dataclass(frozen=True)
class DriveFrame:
    """
    One frame of a drive.

    :param seconds: since the start.
    :param image: (H, W, 3) uint8 RGB.
    :param velocity: metres a second in the camera's optical frame (x right, y down, z ahead).
    :param turning: radians a second about its axes.
    """

    seconds: float
    image: NDArray[np.uint8]
    truth: RawFrame
    pose: Pose
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.array([0.0, 0.0, SPEED]))
    turning: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))


def kitti_camera(size: tuple[int, int]) -> CameraModel:
    """Return KITTI's camera at (height, width): the same horizontal field of view."""
    height, width = size
    focal = KITTI_FOCAL * width / KITTI_WIDTH
    return CameraModel(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def drive(
    seed: int, frames: int, *, size: tuple[int, int], fps: float,
    kind: StreetKind = STREET_KINDS['streets'],
) -> Iterator[DriveFrame]:  # fmt: skip
    """Yield the frames of a drive in the camera's own lane at 6 m/s."""
    street = build_street(seed, kind)
    rng = np.random.default_rng((303, seed))
    appearance = Appearance(rng, mild_look(rng))
    focal = kitti_camera(size).fx
    with StreetRenderer(street, size, shadow_map=4096) as renderer:
        for index in range(frames):
            seconds = index / fps
            pose = pose_at(seconds, street.lane)
            for car in street.traffic:
                renderer.move_car(car, car.x + car.speed * seconds)
            truth = renderer.render(pose, focal)
            yield DriveFrame(seconds, appearance.apply(truth), truth, pose)


def pose_at(seconds: float, lane: float) -> Pose:
    """Return the camera's pose: forward at constant speed, swaying gently in its lane."""
    x = SPEED * seconds
    sway, period = 0.25, 40.0
    y = lane + sway * math.sin(2 * math.pi * x / period)
    yaw = math.atan(sway * 2 * math.pi / period * math.cos(2 * math.pi * x / period))
    pitch = 0.004 * math.sin(5.0 * seconds)
    return Pose(x, y, 1.65 + 0.01 * math.sin(7.0 * seconds), yaw, pitch)
