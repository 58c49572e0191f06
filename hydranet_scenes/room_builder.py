"""What rooms are built with: lamps, glowing materials, textured boxes, pieces of furniture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydranet_ros.model_files.metadata import UNLABELLED
from hydranet_scenes import room_shapes
from hydranet_scenes.builder import SceneBuilder, numbers
from hydranet_scenes.textures import Texture


@dataclass(frozen=True)
class Lamp:
    """
    A source of light.

    :param color: 0..1 of red, green, blue.
    :param toward: where its light goes; ``spread`` degrees to either side, 0: parallel rays.
    :param shadow: whether it casts shadows, each of which costs a pass.
    """

    at: tuple[float, float, float]
    toward: tuple[float, float, float]
    color: tuple[float, float, float]
    spread: float = 90.0
    shadow: bool = False

    def xml(self) -> str:
        """Return its MJCF."""
        kind = f'type="spot" cutoff="{self.spread:.1f}" exponent="0.6"'
        if not self.spread:
            kind = 'type="directional"'
        return (
            f'<light {kind} castshadow="{str(self.shadow).lower()}" pos="{numbers(self.at)}" '
            f'dir="{numbers(self.toward)}" diffuse="{numbers(self.color)}" '
            'specular="0.15 0.15 0.15" ambient="0 0 0" attenuation="1 0 0.03"/>'
        )


class RoomBuilder(SceneBuilder):
    """A room in the making: metres, a corner of its floor at the origin, z up."""

    background = UNLABELLED
    sun_follows = False

    def __init__(self) -> None:
        super().__init__()
        self.textured: set[str] = set()
        self._boxes: dict[tuple, tuple[str, room_shapes.Solid]] = {}

    def material(
        self, *, texture: str | Texture = '', color: Sequence[float] | NDArray = (1, 1, 1),
        repeat: Sequence[float] = (1, 1), shine: float = 0.0, alpha: float = 1.0,
        glow: float = 0.0, reflect: float = 0.0,
    ) -> str:  # fmt: skip
        """
        Add a material and return its name; see :meth:`SceneBuilder.material`.

        :param glow: how much of its colour it shows unlit.
        :param reflect: how much of a mirror the +z face of a box of it is.
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

    def solid(self, solid: room_shapes.Solid) -> str:
        """Add a mesh of :mod:`room_shapes` and return its name."""
        vertices, faces, uv, normals = solid
        return self.mesh(vertices, faces, uv, normals)

    def box_mesh(self, size: ArrayLike, whole: bool) -> tuple[str, room_shapes.Solid]:
        """Return a box for textures, made once for each size."""
        key = (*np.round(np.asarray(size, float), 3).tolist(), whole)
        if key not in self._boxes:
            solid = room_shapes.box(key[:3], whole=whole)
            self._boxes[key] = (self.solid(solid), solid)
        return self._boxes[key]

    def part(
        self, kind: str, label: int, material: str, *, at: ArrayLike, turn: NDArray,
        size: Sequence[float] = (), mesh: str = '', body: list[str],
    ) -> None:  # fmt: skip
        """Add a geom turned by a rotation matrix to a body."""
        self.geom(kind, label, material, pos=np.asarray(at, float), size=size, mesh=mesh,
                  euler=_euler(turn), body=body)  # fmt: skip

    def xml(  # type: ignore[override]  # a room has other lights than a street
        self, *, size: tuple[int, int], shadow_map: int = 1024, lamps: Sequence[Lamp] = (),
        ambient: Sequence[float] = (0.3, 0.3, 0.3), extent: float = 10.0,
    ) -> str:  # fmt: skip
        """
        Return the MJCF.

        :param size: largest (height, width) that will be rendered.
        :param lamps: at most seven, as OpenGL has eight lights and the camera's counts.
        :param ambient: colour of the light from all around, 0..1.
        :param extent: metres that the room measures across.
        """
        assets, geoms, bodies = map('\n'.join, (self._assets, self._static, self._bodies))
        lights = '\n'.join(lamp.xml() for lamp in lamps)
        near, far, shadows = 0.08 / extent, 30 / extent, 0.8
        return f"""<mujoco>
<compiler angle="degree"/>
<visual>
  <global offwidth="{size[1]}" offheight="{size[0]}"/>
  <quality shadowsize="{shadow_map}" offsamples="4" numquads="6" numslices="20"/>
  <headlight ambient="{numbers(ambient)}" diffuse="0.06 0.06 0.06" specular="0 0 0"/>
  <map znear="{near:.5f}" zfar="{far:.5f}" shadowclip="{shadows}" shadowscale="0.85"/>
</visual>
<statistic center="{numbers([extent / 3, extent / 3, 1.2])}" extent="{extent:.3f}"/>
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


def _euler(turn: NDArray) -> tuple[float, float, float]:
    """Return degrees about x, y and z, each in the frame turned before, as MJCF reads them."""
    b = np.arcsin(np.clip(turn[0, 2], -1, 1))
    if abs(turn[0, 2]) > 0.999999:
        return float(np.degrees(np.arctan2(turn[2, 1], turn[1, 1]))), float(np.degrees(b)), 0.0
    a, c = np.arctan2(-turn[1, 2], turn[2, 2]), np.arctan2(-turn[0, 1], turn[0, 0])
    return float(np.degrees(a)), float(np.degrees(b)), float(np.degrees(c))


def rotation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> NDArray:
    """Return the matrix that turns about x, then y, then z of the fixed frame; degrees."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.radians([x, y, z]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


class Piece:
    """
    A piece of furniture in its own frame: x along the wall, y into the room, z up.

    It stands with its back at y = 0 and its middle at x = 0. ``low`` and ``high`` bound it.
    """

    def __init__(self, builder: RoomBuilder, rng: np.random.Generator) -> None:
        self.builder, self.rng = builder, rng
        self.glows: list[NDArray] = []
        self._parts: list[dict[str, Any]] = []
        self.low, self.high = np.full(3, np.inf), np.full(3, -np.inf)
        self._turn, self._at = np.eye(3), np.zeros(3)

    @contextmanager
    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, *, yaw: float = 0.0,
              roll: float = 0.0, pitch: float = 0.0) -> Iterator[None]:  # fmt: skip
        """Build what follows at (x, y, z), turned by ``pitch`` about x, then ``yaw`` about z."""
        turn, at = self._turn, self._at
        self._at = at + turn @ np.array([x, y, z])
        self._turn = turn @ rotation(pitch, roll, yaw)
        yield
        self._turn, self._at = turn, at

    def _add(
        self, kind: str, label: int, look: str, centre: ArrayLike, half: ArrayLike, *,
        size: Sequence[float] = (), mesh: str = '', turn: NDArray | None = None,
        vertices: NDArray | None = None,
    ) -> None:  # fmt: skip
        whole = self._turn if turn is None else self._turn @ turn
        at = self._at + self._turn @ np.asarray(centre, float)
        if vertices is None:
            reach = np.abs(whole) @ np.asarray(half, float)
            low, high = at - reach, at + reach
        else:
            points = vertices @ whole.T + at
            low, high = points.min(0), points.max(0)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self._parts.append({'kind': kind, 'label': label, 'material': look, 'at': at,
                            'turn': whole, 'size': size, 'mesh': mesh})  # fmt: skip

    def glow(self, at: ArrayLike) -> None:
        """Say where a lamp of the piece shines."""
        self.glows.append(self._at + self._turn @ np.asarray(at, float))

    def box(
        self, label: int, look: str, low: ArrayLike, high: ArrayLike, *, whole: bool = False
    ) -> None:
        """Add a box from corner to corner; ``whole``: the texture once on each side."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        centre, size = (low + high) / 2, high - low
        if look in self.builder.textured:
            mesh, solid = self.builder.box_mesh(size, whole)
            self._add('mesh', label, look, centre, size / 2, mesh=mesh, vertices=solid[0])
        else:
            self._add('box', label, look, centre, size / 2, size=(size / 2).tolist())

    def block(
        self, label: int, look: str, centre: ArrayLike, size: ArrayLike, *,
        turn: NDArray | None = None, whole: bool = False,
    ) -> None:  # fmt: skip
        """Add a box round ``centre``, turned."""
        size = np.asarray(size, float)
        if look in self.builder.textured:
            mesh, solid = self.builder.box_mesh(size, whole)
            self._add('mesh', label, look, centre, size / 2, mesh=mesh, vertices=solid[0],
                      turn=turn)  # fmt: skip
        else:
            self._add('box', label, look, centre, size / 2, size=(size / 2).tolist(), turn=turn)

    def rod(self, label: int, look: str, start: ArrayLike, end: ArrayLike, radius: float,
            *, kind: str = 'cylinder') -> None:  # fmt: skip
        """Add a cylinder (or capsule) from point to point."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = float(np.linalg.norm(end - start))
        axis = (end - start) / length
        side = np.cross(axis, (0.0, 1.0, 0.0) if abs(axis[1]) < 0.9 else (1.0, 0.0, 0.0))
        side /= np.linalg.norm(side)
        turn = np.stack([side, np.cross(axis, side), axis], 1)
        long = length / 2 + (radius if kind == 'capsule' else 0.0)
        self._add(kind, label, look, (start + end) / 2, (radius, radius, long),
                  size=(radius, length / 2), turn=turn)  # fmt: skip

    def ball(self, label: int, look: str, centre: ArrayLike, radii: Sequence[float]) -> None:
        """Add an ellipsoid."""
        self._add('ellipsoid', label, look, centre, radii, size=radii)

    def solid(self, label: int, look: str, solid: room_shapes.Solid, at: ArrayLike = (0, 0, 0),
              *, turn: NDArray | None = None) -> None:  # fmt: skip
        """Add a mesh of :mod:`room_shapes`."""
        mesh = self.builder.solid(solid)
        self._add('mesh', label, look, at, (0, 0, 0), mesh=mesh, vertices=solid[0], turn=turn)

    def turned(self, label: int, look: str, profile: ArrayLike, at: ArrayLike = (0, 0, 0),
               *, scale: ArrayLike = (1, 1)) -> None:  # fmt: skip
        """Add what a lathe makes; see :func:`room_shapes.turned`."""
        self.solid(label, look, room_shapes.turned(profile, scale=scale), at)

    def cushion(self, label: int, look: str, low: ArrayLike, high: ArrayLike,
                round_: float = 0.35, *, turn: NDArray | None = None) -> None:  # fmt: skip
        """Add a soft box from corner to corner."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        self.solid(label, look, room_shapes.cushion(high - low, round_=round_), (low + high) / 2,
                   turn=turn)  # fmt: skip

    def place(self, x: float, y: float, yaw: float, z: float = 0.0) -> Bounds:
        """Put the finished piece into the room and return what it takes up there."""
        body: list[str] = []
        for part in self._parts:
            self.builder.part(**part, body=body)
        self.builder.body(body, (x, y, z), yaw)
        return self.bounds(x, y, yaw, z)

    def bounds(self, x: float, y: float, yaw: float, z: float = 0.0) -> Bounds:
        """Return what the piece would take up at (x, y, z), turned by ``yaw`` degrees."""
        turn = rotation(z=yaw)
        centre = turn @ ((self.low + self.high) / 2) + (x, y, z)
        reach = np.abs(turn) @ ((self.high - self.low) / 2)
        return Bounds(tuple(centre - reach), tuple(centre + reach))


@dataclass(frozen=True)
class Bounds:
    """A box along the room's axes, from ``low`` to ``high`` (x, y, z in metres)."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def meets(self, other: Bounds, slack: float = 0.0) -> bool:
        """Return whether two boxes overlap by more than ``slack`` in every direction."""
        return all(
            min(self.high[axis], other.high[axis]) - max(self.low[axis], other.low[axis]) > slack
            for axis in range(3)
        )
