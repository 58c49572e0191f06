"""Render color, exact labels and exact depth with MuJoCo."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import MissingDependencyError, SceneError
from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rendering.scene_builder import SceneBuilder

# Surfaces beyond this distance have no depth, in meters.
MAX_DEPTH = 400.0
# The shadow map is centered this far in front of the camera, in meters.
_SHADOW_MAP_AHEAD = 60.0


class Scene(Protocol):
    """A scene that can be rendered: a street or a room."""

    @property
    def builder(self) -> SceneBuilder:
        """Return the builder that holds the scene's textures and the classes of its geoms."""

    @property
    def sun_direction(self) -> Sequence[float] | NDArray | None:
        """Return the direction of a sun whose shadow map follows the camera, or None."""

    def xml(self, *, size: tuple[int, int], shadow_map: int) -> str:
        """Return the MJCF document; see :meth:`StreetBuilder.xml`."""


@dataclass(frozen=True)
class RenderedFrame:
    """
    One rendered view.

    :param image: (H, W, 3) uint8 RGB, with a sky of one color.
    :param labels: (H, W) uint8 class ids, 255 unlabeled.
    :param depth: (H, W) float32 meters along the optical axis, NaN for sky and for surfaces beyond
        400 m.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]


def _import_mujoco() -> Any:
    """Import MuJoCo, with software rendering if neither a GL backend nor a display is set."""
    if 'MUJOCO_GL' not in os.environ and not os.environ.get('DISPLAY'):
        os.environ['MUJOCO_GL'] = 'osmesa'
        os.environ.setdefault('PYOPENGL_PLATFORM', 'osmesa')
    try:
        import mujoco
    except ImportError as err:
        raise MissingDependencyError(
            "MuJoCo is not installed. Install it with: pip install 'mujoco>=3.2,<5'"
        ) from err
    return mujoco


class SceneRenderer:
    """
    Renders a street or a room from any pose.

    :ivar model: MuJoCo's ``MjModel``; ``data`` its ``MjData``.
    :ivar geom_classes: (number of geoms + 1,) uint8 class id of each geom; the last entry is the
        class id of pixels that show no geom.
    :param size: (height, width) in pixels.
    :param shadow_map: side of the shadow map in pixels. Larger maps give sharper shadows and take
        longer.
    :raises MissingDependencyError: if MuJoCo is not installed.
    :raises SceneError: if MuJoCo finds no OpenGL implementation.
    """

    def __init__(self, scene: Scene, size: tuple[int, int], *, shadow_map: int = 1024) -> None:
        self._mujoco = _import_mujoco()
        builder = scene.builder
        sun = scene.sun_direction
        self._sun = None if sun is None else np.asarray(sun)
        xml = scene.xml(size=size, shadow_map=shadow_map)
        self.model = self._mujoco.MjModel.from_xml_string(xml, builder.files)
        self.data = self._mujoco.MjData(self.model)
        try:
            self._renderer = self._mujoco.Renderer(self.model, *size, max_geom=10000)
        except Exception as err:
            raise SceneError(
                f'MuJoCo found no OpenGL implementation ({type(err).__name__}: {err}). Without a '
                'display, run "apt install libosmesa6" and set MUJOCO_GL=osmesa. With an NVIDIA '
                'GPU, set MUJOCO_GL=egl.'
            ) from err
        self.geom_classes = np.full(self.model.ngeom + 1, builder.background, np.uint8)
        for name, label in builder.classes.items():
            self.geom_classes[self.model.geom(name).id] = label
        self._size = size

    def __enter__(self) -> SceneRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()

    def move_body(self, name: str, position: Sequence[float]) -> None:
        """Move a body of the builder, such as a car, to (x, y, z) in meters."""
        self.data.mocap_pos[self.model.body(name).mocapid[0]] = position

    def render(self, pose: Pose, focal_length: float) -> RenderedFrame:
        """
        Render the view from a pose.

        The principal point is the center of the image, ((W - 1) / 2, (H - 1) / 2).

        :param focal_length: fx = fy in pixels.
        """
        self._place_camera(pose, focal_length)
        self._mujoco.mj_forward(self.model, self.data)
        renderer = self._renderer
        renderer.update_scene(self.data, camera='camera')
        image = renderer.render()
        renderer.enable_segmentation_rendering()
        geoms = renderer.render()[..., 0]
        renderer.disable_segmentation_rendering()
        renderer.enable_depth_rendering()
        depth = renderer.render().copy()
        renderer.disable_depth_rendering()
        depth[(geoms < 0) | (depth > MAX_DEPTH)] = np.nan
        return RenderedFrame(image, self.geom_classes[geoms], depth)

    def _place_camera(self, pose: Pose, focal_length: float) -> None:
        height = self._size[0]
        self.model.cam_fovy[0] = math.degrees(2 * math.atan(height / 2 / focal_length))
        self.model.cam_pos[0] = (pose.x, pose.y, pose.z)
        # MuJoCo's camera frame is x right, y up, z backward.
        rotation = pose.rotation() * (1, -1, -1)
        quaternion = np.zeros(4)
        self._mujoco.mju_mat2Quat(quaternion, rotation.ravel())
        self.model.cam_quat[0] = quaternion
        if self._sun is None:
            return
        ahead = np.array([math.cos(pose.yaw), math.sin(pose.yaw), 0.0]) * _SHADOW_MAP_AHEAD
        self.model.light_pos[0] = np.array([pose.x, pose.y, 0.0]) + ahead - 80 * self._sun
