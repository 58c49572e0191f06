"""A drive along a street: smooth camera motion, moving traffic, exact poses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hydranet_scenes.rendering.cameras import kitti_camera
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.renderer import SceneRenderer
from hydranet_scenes.sequences import SequenceFrame
from hydranet_scenes.streets.appearance import StreetAppearance, mild_appearance
from hydranet_scenes.streets.generator import build_street
from hydranet_scenes.streets.kinds import STREET_KINDS, StreetKind

# Speed of the camera, in meters per second.
SPEED = 6.0


def render_drive(
    seed: int, frames: int, *, size: tuple[int, int], fps: float,
    kind: StreetKind = STREET_KINDS['streets'],
) -> Iterator[SequenceFrame]:  # fmt: skip
    """
    Render a drive in the camera's lane at 6 m/s.

    :param size: (height, width) in pixels.
    """
    street = build_street(seed, kind)
    rng = np.random.default_rng((303, seed))
    appearance = StreetAppearance(rng, mild_appearance(rng))
    focal_length = kitti_camera(size).fx
    forward, no_rotation = np.array([0.0, 0.0, SPEED]), np.zeros(3)
    with SceneRenderer(street, size, shadow_map=4096) as renderer:
        for index in range(frames):
            seconds = index / fps
            pose = drive_pose(seconds, street.lane_y)
            for car in street.traffic:
                renderer.move_body(car.body, (car.x + car.speed * seconds, car.y, 0))
            truth = renderer.render(pose, focal_length)
            yield SequenceFrame(
                seconds, appearance.apply(truth), truth, pose, forward, no_rotation
            )


def drive_pose(seconds: float, lane_y: float) -> Pose:
    """Return the camera's pose: constant forward speed, with a slight sway within the lane."""
    x = SPEED * seconds
    sway, period = 0.25, 40.0
    y = lane_y + sway * math.sin(2 * math.pi * x / period)
    yaw = math.atan(sway * 2 * math.pi / period * math.cos(2 * math.pi * x / period))
    pitch = 0.004 * math.sin(5.0 * seconds)
    return Pose(x, y, 1.65 + 0.01 * math.sin(7.0 * seconds), yaw, pitch)
