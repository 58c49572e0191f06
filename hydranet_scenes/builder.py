"""Collects textures, meshes and geoms and their classes into a MuJoCo model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.textures import Texture, encode

SKY, BUILDING, ROAD, SIDEWALK, VEGETATION, CAR, OTHER = 0, 1, 2, 3, 4, 5, 255


def numbers(values: Sequence[float] | NDArray) -> str:
    """Return numbers as MJCF writes them."""
    return ' '.join(f'{value:.5g}' for value in np.asarray(values, float).ravel())


class SceneBuilder:
    """
    A scene in the making; lengths in metres, x along the street, y to the left, z up.

    Each geom carries the class its pixels are labelled with.

    :ivar background: class of pixels that show nothing.
    :ivar sun_follows: whether the sun's map of shadows goes with the camera.
    """

    background = SKY
    sun_follows = True

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.classes: dict[str, int] = {}
        self._assets: list[str] = []
        self._static: list[str] = []
        self._bodies: list[str] = []
        self.body_names: list[str] = []

    def texture(self, texture: Texture) -> str:
        """Add a picture that materials may share and return its name."""
        name = f't{len(self._assets)}'
        self.files[f'{name}.png'] = encode(texture)
        self._assets.append(f'<texture name="{name}" type="2d" file="{name}.png"/>')
        return name

    def material(
        self, *, texture: str | Texture = '', color: Sequence[float] | NDArray = (1, 1, 1),
        repeat: Sequence[float] = (1, 1), shine: float = 0.0, alpha: float = 1.0,
    ) -> str:  # fmt: skip
        """
        Add a material and return its name.

        :param texture: a picture, or the name of one added before.
        :param color: 0..1, multiplies the texture.
        """
        if not isinstance(texture, str):
            texture = self.texture(texture)
        name = f'm{len(self._assets)}'
        look = numbers([*np.clip(color, 0, 1), alpha])
        attributes = f'rgba="{look}" specular="{shine:.2f}" shininess="{shine:.2f}"'
        if texture:
            attributes += f' texture="{texture}" texrepeat="{numbers(repeat)}"'
        self._assets.append(f'<material name="{name}" {attributes}/>')
        return name

    def mesh(
        self, vertices: NDArray, faces: NDArray, uv: NDArray | None = None,
        normals: NDArray | None = None,
    ) -> str:  # fmt: skip
        """Add a mesh, (N, 3) vertices and (M, 3) faces, and return its name."""
        name = f's{len(self._assets)}'
        coordinates = '' if uv is None else f' texcoord="{numbers(uv)}"'
        if normals is not None:
            coordinates += f' normal="{numbers(normals)}"'
        indices = ' '.join(str(index) for index in np.asarray(faces).ravel())
        self._assets.append(
            f'<mesh name="{name}" inertia="shell" vertex="{numbers(vertices)}"'
            f'{coordinates} face="{indices}"/>'
        )
        return name

    def geom(
        self, kind: str, label: int, material: str, *, pos: Sequence[float] | NDArray = (0, 0, 0),
        size: Sequence[float] = (), mesh: str = '', euler: Sequence[float] = (0, 0, 0),
        body: list[str] | None = None,
    ) -> None:  # fmt: skip
        """Add a geom; ``euler`` in degrees; to ``body`` or to the world."""
        name = f'g{len(self.classes)}'
        self.classes[name] = label
        shape = f'mesh={quoteattr(mesh)}' if mesh else f'size="{numbers(size)}"'
        target = self._static if body is None else body
        target.append(
            f'<geom name="{name}" type="{kind}" {shape} pos="{numbers(pos)}" '
            f'euler="{numbers(euler)}" material="{material}"/>'
        )

    def body(self, geoms: list[str], pos: Sequence[float], yaw: float) -> str:
        """Add a body that can be moved, at ``pos`` with ``yaw`` degrees; return its name."""
        name = f'b{len(self.body_names)}'
        self.body_names.append(name)
        self._bodies.append(
            f'<body name="{name}" mocap="true" pos="{numbers(pos)}" euler="0 0 {yaw:.3f}">'
            + ''.join(geoms) + '</body>'
        )  # fmt: skip
        return name

    def xml(
        self, *, sun: Sequence[float], light: float, overhead: float, ambient: float,
        sky: Sequence[float], size: tuple[int, int], shadow_map: int = 1024,
    ) -> str:  # fmt: skip
        """
        Return the MJCF.

        :param sun: direction the light travels.
        :param light: strength of the sun; ``overhead`` of the sky above; ``ambient``
            of the light from all around; each about 0..1.
        :param sky: colour behind everything, 0..1.
        :param size: largest (height, width) that will be rendered.
        :param shadow_map: side of the map of shadows, which spans 180 m, in pixels.
        """
        assets, geoms, bodies = map('\n'.join, (self._assets, self._static, self._bodies))
        shadow = 'true' if light > 0.2 else 'false'
        start = -60 * np.asarray(sun)
        return f"""<mujoco>
<compiler angle="degree"/>
<visual>
  <global offwidth="{size[1]}" offheight="{size[0]}"/>
  <quality shadowsize="{shadow_map}" offsamples="4"/>
  <headlight ambient="{numbers([ambient] * 3)}" diffuse="0.08 0.08 0.08" specular="0 0 0"/>
  <map znear="0.0005" zfar="0.6" shadowclip="0.09" shadowscale="0.9"/>
</visual>
<statistic center="40 0 0" extent="1000"/>
<asset>
  <texture type="skybox" builtin="flat" rgb1="{numbers(sky)}" width="8" height="48"/>
  {assets}
</asset>
<worldbody>
  <light directional="true" castshadow="{shadow}" dir="{numbers(sun)}" pos="{numbers(start)}"
         diffuse="{numbers([light, light * 0.97, light * 0.9])}" specular="0.3 0.3 0.3"
         ambient="0 0 0"/>
  <light directional="true" castshadow="false" dir="0.1 0.15 -1" pos="0 0 60"
         diffuse="{numbers([overhead] * 3)}" specular="0 0 0" ambient="0 0 0"/>
  <camera name="camera" pos="0 0 1.65" xyaxes="0 -1 0 0 0 1" fovy="30"/>
  {geoms}
  {bodies}
</worldbody>
</mujoco>"""
