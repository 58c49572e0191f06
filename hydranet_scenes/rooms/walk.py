"""A walk through a room with a handheld camera: smooth motion, exact poses."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.cameras import nyud_camera
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.renderer import SceneRenderer
from hydranet_scenes.rooms.appearance import RoomAppearance, mild_appearance
from hydranet_scenes.rooms.generator import build_room
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.views import SHADOW_MAP_SIZE
from hydranet_scenes.rooms.walk_path import CAMERA_HEIGHT, plan_path, plan_yaws
from hydranet_scenes.sequences import SequenceFrame

# Mean walking speed, in meters per second.
SPEED = 0.45


class Walk:
    """
    A walk back and forth between the two positions that are farthest apart on foot.

    The camera turns slowly toward the open parts of the room and sways like a handheld one. Its
    distance to furniture is at least 15 cm, or 5 cm in a crowded room.

    :param rng: draws the pitch and the phases of the sway.
    :raises SceneError: if the room has no free position.
    """

    def __init__(self, room: Room, rng: np.random.Generator) -> None:
        self._path = plan_path(room)
        self._yaws = plan_yaws(room, self._path)
        self._fractions = np.linspace(0, 1, len(self._path))
        length = float(np.linalg.norm(np.diff(self._path, axis=0), axis=1).sum())
        self._duration = max(4.0, length / SPEED)
        self._phase = rng.uniform(0, 2 * np.pi, 4)
        self._pitch = rng.uniform(-0.32, -0.2)

    def pose(self, seconds: float) -> Pose:
        """Return the camera's pose ``seconds`` after the start."""
        fraction = (1 - math.cos(math.pi * seconds / self._duration)) / 2
        x, y, yaw = (
            float(np.interp(fraction, self._fractions, values))
            for values in (self._path[:, 0], self._path[:, 1], self._yaws)
        )
        a, b, c, d = (float(phase) for phase in self._phase)
        return Pose(
            x=x, y=y, z=CAMERA_HEIGHT + 0.012 * math.sin(9.0 * seconds + a),
            yaw=yaw + 0.25 * math.sin(0.7 * seconds + b),
            pitch=self._pitch + 0.03 * math.sin(1.9 * seconds + c),
            roll=0.025 * math.sin(1.3 * seconds + d),
        )  # fmt: skip

    def twist(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return linear (m/s) and angular (rad/s) velocity in the optical frame, each (3,)."""
        half = 0.02
        before, after = self.pose(seconds - half), self.pose(seconds + half)
        now = self.pose(seconds).rotation()
        moved = np.array([after.x - before.x, after.y - before.y, after.z - before.z])
        rotated = cv2.Rodrigues(before.rotation().T @ after.rotation())[0].ravel()
        return now.T @ moved / (2 * half), rotated / (2 * half)


def render_walk(
    seed: int, frames: int, *, size: tuple[int, int], fps: float
) -> Iterator[SequenceFrame]:
    """
    Render a walk through the room of a seed.

    :param size: (height, width) in pixels.
    """
    room = build_room(seed)
    rng = np.random.default_rng((333, seed))
    walk, focal_length = Walk(room, rng), nyud_camera(size).fx
    appearance = RoomAppearance(rng, mild_appearance(rng), focal_length)
    with SceneRenderer(room, size, shadow_map=SHADOW_MAP_SIZE) as renderer:
        for index in range(frames):
            seconds = index / fps
            pose = walk.pose(seconds)
            truth = renderer.render(pose, focal_length)
            yield SequenceFrame(
                seconds, appearance.apply(truth), truth, pose, *walk.twist(seconds)
            )
