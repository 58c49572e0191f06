"""Collect textures, materials, meshes and geoms of a MuJoCo model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.textures import Texture, encode_png


def mjcf_numbers(values: Sequence[float] | NDArray) -> str:
    """Format numbers for an MJCF attribute."""
    return ' '.join(f'{value:.5g}' for value in np.asarray(values, float).ravel())


class SceneBuilder:
    """
    The parts of a MuJoCo model. Lengths are in meters, z points up.

    Subclasses write the MJCF document around these parts.

    :ivar files: PNG bytes of each texture, by file name.
    :ivar classes: class id of each geom, by geom name.
    :cvar background: class id of pixels that show no geom.
    """

    background: int = 255

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.classes: dict[str, int] = {}
        self._assets: list[str] = []
        self._static: list[str] = []
        self._bodies: list[str] = []
        self.body_names: list[str] = []

    def texture(self, texture: Texture) -> str:
        """Add a texture that several materials may share and return its name."""
        name = f't{len(self._assets)}'
        self.files[f'{name}.png'] = encode_png(texture)
        self._assets.append(f'<texture name="{name}" type="2d" file="{name}.png"/>')
        return name

    def material(
        self, *, texture: str | Texture = '', color: Sequence[float] | NDArray = (1, 1, 1),
        repeat: Sequence[float] = (1, 1), shine: float = 0.0, alpha: float = 1.0,
    ) -> str:  # fmt: skip
        """
        Add a material and return its name.

        :param texture: a texture, or the name of one added before.
        :param color: RGB 0..1, multiplied with the texture.
        :param repeat: repetitions of the texture along its two axes.
        :param shine: MuJoCo's ``specular`` and ``shininess``, 0..1.
        """
        if not isinstance(texture, str):
            texture = self.texture(texture)
        name = f'm{len(self._assets)}'
        rgba = mjcf_numbers([*np.clip(color, 0, 1), alpha])
        attributes = f'rgba="{rgba}" specular="{shine:.2f}" shininess="{shine:.2f}"'
        if texture:
            attributes += f' texture="{texture}" texrepeat="{mjcf_numbers(repeat)}"'
        self._assets.append(f'<material name="{name}" {attributes}/>')
        return name

    def mesh(
        self, vertices: NDArray, faces: NDArray, uv: NDArray | None = None,
        normals: NDArray | None = None,
    ) -> str:  # fmt: skip
        """
        Add a mesh and return its name.

        :param vertices: (N, 3) meters; ``uv`` (N, 2) texture coordinates; ``normals`` (N, 3).
        :param faces: (M, 3) vertex indices.
        """
        name = f's{len(self._assets)}'
        coordinates = '' if uv is None else f' texcoord="{mjcf_numbers(uv)}"'
        if normals is not None:
            coordinates += f' normal="{mjcf_numbers(normals)}"'
        indices = ' '.join(str(index) for index in np.asarray(faces).ravel())
        self._assets.append(
            f'<mesh name="{name}" inertia="shell" vertex="{mjcf_numbers(vertices)}"'
            f'{coordinates} face="{indices}"/>'
        )
        return name

    def geom(
        self, kind: str, label: int, material: str, *, pos: Sequence[float] | NDArray = (0, 0, 0),
        size: Sequence[float] = (), mesh: str = '', euler: Sequence[float] = (0, 0, 0),
        body: list[str] | None = None,
    ) -> None:  # fmt: skip
        """
        Add a geom to ``body``, or to the world.

        :param kind: MuJoCo's geom type.
        :param label: class id of its pixels.
        :param euler: degrees about x, y and z.
        """
        name = f'g{len(self.classes)}'
        self.classes[name] = label
        shape = f'mesh={quoteattr(mesh)}' if mesh else f'size="{mjcf_numbers(size)}"'
        target = self._static if body is None else body
        target.append(
            f'<geom name="{name}" type="{kind}" {shape} pos="{mjcf_numbers(pos)}" '
            f'euler="{mjcf_numbers(euler)}" material="{material}"/>'
        )

    def body(self, geoms: list[str], pos: Sequence[float], yaw: float) -> str:
        """Add a movable body at ``pos``, rotated by ``yaw`` degrees, and return its name."""
        name = f'b{len(self.body_names)}'
        self.body_names.append(name)
        self._bodies.append(
            f'<body name="{name}" mocap="true" pos="{mjcf_numbers(pos)}" euler="0 0 {yaw:.3f}">'
            + ''.join(geoms) + '</body>'
        )  # fmt: skip
        return name

    def _joined_parts(self) -> tuple[str, str, str]:
        """Return the MJCF of all assets, of all static geoms and of all bodies."""
        return '\n'.join(self._assets), '\n'.join(self._static), '\n'.join(self._bodies)
