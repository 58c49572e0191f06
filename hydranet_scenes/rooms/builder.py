"""Build the MuJoCo model of a room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydranet_scenes.rendering.scene_builder import SceneBuilder, mjcf_numbers
from hydranet_scenes.rendering.textures import Texture
from hydranet_scenes.rooms import meshes


@dataclass(frozen=True)
class Light:
    """
    A light source, in the room frame.

    :param at: position in meters.
    :param toward: direction of the light.
    :param color: RGB 0..1.
    :param spread: half angle of the cone of light in degrees; 0 for parallel rays.
    :param shadow: whether it casts shadows. Each such light takes one more rendering pass.
    """

    at: tuple[float, float, float]
    toward: tuple[float, float, float]
    color: tuple[float, float, float]
    spread: float = 90.0
    shadow: bool = False

    def xml(self) -> str:
        """Return the MJCF element."""
        kind = f'type="spot" cutoff="{self.spread:.1f}" exponent="0.6"'
        if not self.spread:
            kind = 'type="directional"'
        return (
            f'<light {kind} castshadow="{str(self.shadow).lower()}" pos="{mjcf_numbers(self.at)}" '
            f'dir="{mjcf_numbers(self.toward)}" diffuse="{mjcf_numbers(self.color)}" '
            'specular="0.15 0.15 0.15" ambient="0 0 0" attenuation="1 0 0.03"/>'
        )


@dataclass(frozen=True)
class RoomLighting:
    """
    The light of a room.

    :param lights: at most seven, because OpenGL has eight lights and MuJoCo's headlight is one.
    :param ambient: color of the light from all directions, RGB 0..1.
    :param extent: diameter of the room in meters, from which the clipping planes follow.
    """

    lights: Sequence[Light] = ()
    ambient: Sequence[float] = (0.3, 0.3, 0.3)
    extent: float = 10.0


class RoomBuilder(SceneBuilder):
    """
    The parts of a room, in the room frame.

    :ivar textured: names of the materials that have a texture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.textured: set[str] = set()
        self._boxes: dict[tuple, tuple[str, meshes.Mesh]] = {}

    def material(
        self, *, texture: str | Texture = '', color: Sequence[float] | NDArray = (1, 1, 1),
        repeat: Sequence[float] = (1, 1), shine: float = 0.0, alpha: float = 1.0,
        glow: float = 0.0, reflect: float = 0.0,
    ) -> str:  # fmt: skip
        """
        Add a material and return its name; see :meth:`SceneBuilder.material`.

        :param glow: MuJoCo's ``emission``, 0..1.
        :param reflect: MuJoCo's ``reflectance``, 0..1, of the +z face of a box.
        """
        name = super().material(
            texture=texture, color=color, repeat=repeat, shine=shine, alpha=alpha
        )
        if not isinstance(texture, str) or texture:
            self.textured.add(name)
        if glow or reflect:
            more = f'emission="{glow:.2f}" reflectance="{reflect:.2f}"'
            self._assets[-1] = self._assets[-1].replace('/>', f' {more}/>')
        return name

    def box_mesh(self, size: ArrayLike, stretch: bool) -> tuple[str, meshes.Mesh]:
        """Return the name and the mesh of a textured box; boxes of one size share a mesh."""
        key = (*np.round(np.asarray(size, float), 3).tolist(), stretch)
        if key not in self._boxes:
            mesh = meshes.box(key[:3], stretch=stretch)
            self._boxes[key] = (self.mesh(*mesh), mesh)
        return self._boxes[key]

    def rotated_geom(
        self, kind: str, label: int, material: str, *, at: ArrayLike, rotation: NDArray,
        size: Sequence[float] = (), mesh: str = '', body: list[str],
    ) -> None:  # fmt: skip
        """Add a geom to a body; ``rotation`` is a (3, 3) matrix."""
        self.geom(kind, label, material, pos=np.asarray(at, float), size=size, mesh=mesh,
                  euler=_euler_angles(rotation), body=body)  # fmt: skip

    def xml(self, lighting: RoomLighting, *, size: tuple[int, int], shadow_map: int = 1024) -> str:
        """
        Return the room's MJCF document.

        :param size: largest (height, width) that will be rendered, in pixels.
        :param shadow_map: side of the shadow maps in pixels.
        """
        assets, geoms, bodies = self._joined_parts()
        extent = lighting.extent
        lights = '\n'.join(light.xml() for light in lighting.lights)
        near, far, shadows = 0.08 / extent, 30 / extent, 0.8
        return f"""<mujoco>
<compiler angle="degree"/>
<visual>
  <global offwidth="{size[1]}" offheight="{size[0]}"/>
  <quality shadowsize="{shadow_map}" offsamples="4" numquads="6" numslices="20"/>
  <headlight ambient="{mjcf_numbers(lighting.ambient)}" diffuse="0.06 0.06 0.06" specular="0 0 0"/>
  <map znear="{near:.5f}" zfar="{far:.5f}" shadowclip="{shadows}" shadowscale="0.85"/>
</visual>
<statistic center="{mjcf_numbers([extent / 3, extent / 3, 1.2])}" extent="{extent:.3f}"/>
<default><geom contype="0" conaffinity="0"/></default>
<asset>
  <texture type="skybox" builtin="flat" rgb1="0.8 0.88 1" width="8" height="48"/>
  {assets}
</asset>
<worldbody>
  {lights}
  <camera name="camera" pos="0 0 1.4" xyaxes="0 -1 0 0 0 1" fovy="50"/>
  {geoms}
  {bodies}
</worldbody>
</mujoco>"""


def _euler_angles(rotation: NDArray) -> tuple[float, float, float]:
    """Return MJCF's Euler angles of a rotation matrix: degrees about the moving x, y and z."""
    b = np.arcsin(np.clip(rotation[0, 2], -1, 1))
    if abs(rotation[0, 2]) > 0.999999:
        a, c = np.arctan2(rotation[2, 1], rotation[1, 1]), 0.0
    else:
        a = np.arctan2(-rotation[1, 2], rotation[2, 2])
        c = np.arctan2(-rotation[0, 1], rotation[0, 0])
    return float(np.degrees(a)), float(np.degrees(b)), float(np.degrees(c))
