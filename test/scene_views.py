"""Rendered streets and rooms that the tests of hydranet_scenes share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import HydranetError
from hydranet_scenes.rendering.cameras import kitti_camera, nyud_camera
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.renderer import RenderedFrame, Scene, SceneRenderer
from hydranet_scenes.rooms.generator import build_room
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.room_kinds import ROOM_KINDS
from hydranet_scenes.rooms.views import sample_handheld_pose
from hydranet_scenes.streets.street import Street

STREET_CAMERA = kitti_camera((96, 192))
ROOM_CAMERA = nyud_camera((72, 96))
ROOM_FRAMES = 4


def open_renderer(scene: Scene, camera: CameraModel) -> SceneRenderer:
    """Return a renderer; the test is skipped where MuJoCo cannot render."""
    try:
        return SceneRenderer(scene, (camera.height, camera.width))
    except HydranetError as err:
        pytest.skip(f'MuJoCo cannot render here: {err}')


def unproject(frame: RenderedFrame, camera: CameraModel, pose: Pose) -> np.ndarray:
    """Return the point of each pixel in the scene frame, (H, W, 3) meters."""
    height, width = frame.depth.shape
    v, u = np.mgrid[:height, :width]
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, u * 0 + 1.0], -1)
    points = (rays * frame.depth[..., None]) @ pose.rotation().T
    return points + (pose.x, pose.y, pose.z)


def cast_ray(renderer: SceneRenderer, start: np.ndarray, direction: np.ndarray):
    """Return class and distance in meters of the first geom that MuJoCo's ray caster finds."""
    import mujoco

    geom = np.zeros(1, np.int32)
    distance = mujoco.mj_ray(renderer.model, renderer.data, start, direction, None, 1, -1, geom)
    return renderer.geom_classes[geom[0]], distance


def share_confirmed_by_ray_casting(
    renderer: SceneRenderer, frame: RenderedFrame, camera: CameraModel, pose: Pose,
    pixels: np.ndarray,
) -> float:  # fmt: skip
    """Return the share of (N, 2) pixels with the class and, within 1 %, the depth of a ray."""
    start, points = np.array([pose.x, pose.y, pose.z]), unproject(frame, camera, pose)
    confirmed = 0
    for row, column in pixels:
        ray = points[row, column] - start
        length = float(np.linalg.norm(ray))
        label, distance = cast_ray(renderer, start, ray / length)
        same_class = label == frame.labels[row, column]
        confirmed += bool(same_class and math.isclose(distance, length, rel_tol=0.01))
    return confirmed / len(pixels)


@dataclass
class StreetView:
    """A street with its renderer, and the frame at its start."""

    street: Street
    renderer: SceneRenderer
    frame: RenderedFrame

    def render(self, pose: Pose) -> RenderedFrame:
        """Return the frame at a pose."""
        return self.renderer.render(pose, STREET_CAMERA.fx)


class RoomView:
    """A room of one kind with its renderer, and the frames at some of its poses."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.room: Room = build_room(20 + tuple(ROOM_KINDS).index(kind))
        self.renderer = open_renderer(self.room, ROOM_CAMERA)
        rng = np.random.default_rng(1)
        self.poses = [sample_handheld_pose(rng, self.room) for _ in range(ROOM_FRAMES)]
        self.frames = [self.renderer.render(pose, ROOM_CAMERA.fx) for pose in self.poses]
