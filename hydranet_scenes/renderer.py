"""MuJoCo as a camera: colour, exact labels, exact depth."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import MissingDependencyError, SceneError
from hydranet_scenes.builder import SceneBuilder
from hydranet_scenes.cars import MovingCar

FAR = 400.0
_SHADOWS_AHEAD = 60.0


@dataclass(frozen=True)
class Pose:
    """
    Where the camera is: metres and radians in the street's frame (x along it, y left, z up).

    ``yaw`` turns to the left, ``pitch`` upwards, ``roll`` clockwise.
    """

    x: float
    y: float
    z: float = 1.65
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def rotation(self) -> NDArray[np.float64]:
        """Return the 3x3 rotation from the optical frame (x right, y down, z ahead)."""
        cy, sy, cp, sp = (f(a) for a in (self.yaw, self.pitch) for f in (math.cos, math.sin))
        ahead = np.array([cy * cp, sy * cp, sp])
        right = np.array([sy, -cy, 0.0])
        down = np.cross(ahead, right)
        cr, sr = math.cos(self.roll), math.sin(self.roll)
        return np.stack([right * cr + down * sr, down * cr - right * sr, ahead], 1)


class Scene(Protocol):
    """
    What can be rendered: a street or a room.

    :param lights: arguments of the builder's ``xml``.
    """

    lights: dict

    @property
    def builder(self) -> SceneBuilder:
        """Return textures, meshes and geoms with their classes."""


@dataclass(frozen=True)
class RawFrame:
    """
    One rendered view.

    :param image: (H, W, 3) uint8 RGB, sky in one colour.
    :param labels: (H, W) uint8: class ids of streets or rooms, 255 for everything else.
    :param depth: (H, W) float32 metres along the optical axis, NaN where there is only sky.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]


def _mujoco() -> Any:
    if 'MUJOCO_GL' not in os.environ and not os.environ.get('DISPLAY'):
        os.environ['MUJOCO_GL'] = 'osmesa'
        os.environ.setdefault('PYOPENGL_PLATFORM', 'osmesa')
    try:
        import mujoco
    except ImportError as err:
        raise MissingDependencyError(
            "MuJoCo is not installed; install it with: pip install 'hydranet_ros[train]'"
        ) from err
    return mujoco


class StreetRenderer:
    """
    Renders one street or room from any pose.

    :param size: (height, width) in pixels.
    :param shadow_map: side of the map of shadows in pixels; the larger, the sharper and slower.
    :raises SceneError: if no OpenGL for MuJoCo can be had.
    """

    def __init__(self, scene: Scene, size: tuple[int, int], *, shadow_map: int = 1024) -> None:
        mujoco = _mujoco()
        builder = scene.builder
        xml = builder.xml(size=size, shadow_map=shadow_map, **scene.lights)
        self._sun = np.asarray(scene.lights['sun']) if builder.sun_follows else None
        self._model = mujoco.MjModel.from_xml_string(xml, builder.files)
        self._data = mujoco.MjData(self._model)
        try:
            self._renderer = mujoco.Renderer(self._model, *size, max_geom=10000)
        except Exception as err:
            raise SceneError(
                f'MuJoCo found no OpenGL ({type(err).__name__}: {err}). Without a display: '
                'apt install libosmesa6 and MUJOCO_GL=osmesa; on an NVIDIA GPU: MUJOCO_GL=egl.'
            ) from err
        self._classes = np.full(self._model.ngeom + 1, builder.background, np.uint8)
        for name, label in builder.classes.items():
            self._classes[self._model.geom(name).id] = label
        self._size = size
        self._mujoco = mujoco

    def __enter__(self) -> StreetRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()

    def move_car(self, car: MovingCar, x: float) -> None:
        """Put a car of the traffic at ``x``."""
        index = self._model.body(car.body).mocapid[0]
        self._data.mocap_pos[index] = (x, car.y, 0)

    def render(self, pose: Pose, focal_length: float) -> RawFrame:
        """Render the view from ``pose``; ``focal_length`` in pixels, centre in the middle."""
        self._place_camera(pose, focal_length)
        self._mujoco.mj_forward(self._model, self._data)
        renderer = self._renderer
        renderer.update_scene(self._data, camera='camera')
        image = renderer.render()
        renderer.enable_segmentation_rendering()
        geoms = renderer.render()[..., 0]
        renderer.disable_segmentation_rendering()
        renderer.enable_depth_rendering()
        depth = renderer.render().copy()
        renderer.disable_depth_rendering()
        depth[(geoms < 0) | (depth > FAR)] = np.nan
        return RawFrame(image, self._classes[geoms], depth)

    def _place_camera(self, pose: Pose, focal_length: float) -> None:
        height = self._size[0]
        self._model.cam_fovy[0] = math.degrees(2 * math.atan(height / 2 / focal_length))
        self._model.cam_pos[0] = (pose.x, pose.y, pose.z)
        rotation = pose.rotation() * (1, -1, -1)
        quaternion = np.zeros(4)
        self._mujoco.mju_mat2Quat(quaternion, rotation.ravel())
        self._model.cam_quat[0] = quaternion
        if self._sun is None:
            return
        ahead = np.array([math.cos(pose.yaw), math.sin(pose.yaw), 0.0]) * _SHADOWS_AHEAD
        self._model.light_pos[0] = np.array([pose.x, pose.y, 0.0]) + ahead - 80 * self._sun
