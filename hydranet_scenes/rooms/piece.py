"""Pieces of furniture: geoms in a local frame, with bounding boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydranet_scenes.rooms import meshes
from hydranet_scenes.rooms.builder import RoomBuilder


def rotation_matrix(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> NDArray[np.float64]:
    """Return the (3, 3) rotation about the fixed x, then y, then z axis; angles in degrees."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.radians([x, y, z]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


@dataclass(frozen=True)
class Bounds:
    """An axis-aligned box in the room frame, from corner ``low`` to ``high`` (x, y, z; meters)."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def overlaps(self, other: Bounds, tolerance: float = 0.0) -> bool:
        """Return whether two boxes overlap by more than ``tolerance`` along every axis."""
        return all(
            min(self.high[axis], other.high[axis]) - max(self.low[axis], other.low[axis])
            > tolerance
            for axis in range(3)
        )


class Piece:
    """
    A piece of furniture in its own frame: x along the wall, y into the room, z up; meters.

    The back of a piece is at y = 0, its center at x = 0. The methods that add shapes take the
    class id of the shape's pixels and the name of its material.

    :ivar low: (3,) lower corner of the bounding box; ``high`` the upper one.
    :ivar light_positions: (3,) positions of the lamps of the piece.
    """

    def __init__(self, builder: RoomBuilder, rng: np.random.Generator) -> None:
        self.builder, self.rng = builder, rng
        self.light_positions: list[NDArray] = []
        self._parts: list[dict[str, Any]] = []
        self.low, self.high = np.full(3, np.inf), np.full(3, -np.inf)
        self._rotation, self._origin = np.eye(3), np.zeros(3)

    @contextmanager
    def local_frame(
        self, x: float = 0.0, y: float = 0.0, z: float = 0.0, *, yaw: float = 0.0,
        pitch: float = 0.0,
    ) -> Iterator[None]:  # fmt: skip
        """Add the following shapes at (x, y, z), rotated by ``pitch`` about x, ``yaw`` about z."""
        rotation, origin = self._rotation, self._origin
        self._origin = origin + rotation @ np.array([x, y, z])
        self._rotation = rotation @ rotation_matrix(pitch, 0.0, yaw)
        yield
        self._rotation, self._origin = rotation, origin

    def _add(
        self, kind: str, label: int, material: str, center: ArrayLike, half_size: ArrayLike, *,
        size: Sequence[float] = (), mesh: str = '', rotation: NDArray | None = None,
        vertices: NDArray | None = None,
    ) -> None:  # fmt: skip
        """Add a geom and extend the bounding box by its vertices, or else by its half size."""
        total = self._rotation if rotation is None else self._rotation @ rotation
        at = self._origin + self._rotation @ np.asarray(center, float)
        if vertices is None:
            reach = np.abs(total) @ np.asarray(half_size, float)
            low, high = at - reach, at + reach
        else:
            points = vertices @ total.T + at
            low, high = points.min(0), points.max(0)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self._parts.append({'kind': kind, 'label': label, 'material': material, 'at': at,
                            'rotation': total, 'size': size, 'mesh': mesh})  # fmt: skip

    def add_light(self, at: ArrayLike) -> None:
        """Mark the position of a lamp."""
        self.light_positions.append(self._origin + self._rotation @ np.asarray(at, float))

    def box(
        self, label: int, material: str, low: ArrayLike, high: ArrayLike, *, stretch: bool = False
    ) -> None:
        """Add a box from corner ``low`` to ``high``; ``stretch`` fits the texture to each side."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        self.block(label, material, (low + high) / 2, high - low, stretch=stretch)

    def block(
        self, label: int, material: str, center: ArrayLike, size: ArrayLike, *,
        rotation: NDArray | None = None, stretch: bool = False,
    ) -> None:  # fmt: skip
        """Add a rotated box around ``center``; ``stretch`` fits the texture to each side."""
        size = np.asarray(size, float)
        if material in self.builder.textured:
            name, mesh = self.builder.box_mesh(size, stretch)
            self._add('mesh', label, material, center, size / 2, mesh=name, vertices=mesh[0],
                      rotation=rotation)  # fmt: skip
        else:
            self._add('box', label, material, center, size / 2, size=(size / 2).tolist(),
                      rotation=rotation)  # fmt: skip

    def rod(
        self, label: int, material: str, start: ArrayLike, end: ArrayLike, radius: float,
        *, kind: str = 'cylinder',
    ) -> None:  # fmt: skip
        """Add a cylinder, or a capsule, between two points."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        length = float(np.linalg.norm(end - start))
        axis = (end - start) / length
        side = np.cross(axis, (0.0, 1.0, 0.0) if abs(axis[1]) < 0.9 else (1.0, 0.0, 0.0))
        side /= np.linalg.norm(side)
        rotation = np.stack([side, np.cross(axis, side), axis], 1)
        half_length = length / 2 + (radius if kind == 'capsule' else 0.0)
        self._add(kind, label, material, (start + end) / 2, (radius, radius, half_length),
                  size=(radius, length / 2), rotation=rotation)  # fmt: skip

    def ball(self, label: int, material: str, center: ArrayLike, radii: Sequence[float]) -> None:
        """Add an ellipsoid."""
        self._add('ellipsoid', label, material, center, radii, size=radii)

    def mesh(
        self, label: int, material: str, mesh: meshes.Mesh, at: ArrayLike = (0, 0, 0), *,
        rotation: NDArray | None = None,
    ) -> None:  # fmt: skip
        """Add a mesh."""
        self._add('mesh', label, material, at, (0, 0, 0), mesh=self.builder.mesh(*mesh),
                  vertices=mesh[0], rotation=rotation)  # fmt: skip

    def lathe(
        self, label: int, material: str, profile: ArrayLike, at: ArrayLike = (0, 0, 0), *,
        scale: ArrayLike = (1, 1),
    ) -> None:  # fmt: skip
        """Add a solid of revolution; see :func:`hydranet_scenes.rooms.meshes.lathe`."""
        self.mesh(label, material, meshes.lathe(profile, scale=scale), at)

    def cushion(
        self, label: int, material: str, low: ArrayLike, high: ArrayLike,
        roundness: float = 0.35, *, rotation: NDArray | None = None,
    ) -> None:  # fmt: skip
        """Add a box with rounded edges; see :func:`hydranet_scenes.rooms.meshes.cushion`."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        mesh = meshes.cushion(high - low, roundness=roundness)
        self.mesh(label, material, mesh, (low + high) / 2, rotation=rotation)

    def place(self, x: float, y: float, yaw: float, z: float = 0.0) -> Bounds:
        """Add the piece to the room at (x, y, z), rotated by ``yaw`` degrees."""
        body: list[str] = []
        for part in self._parts:
            self.builder.rotated_geom(**part, body=body)
        self.builder.body(body, (x, y, z), yaw)
        return self.bounds(x, y, yaw, z)

    def bounds(self, x: float, y: float, yaw: float, z: float = 0.0) -> Bounds:
        """Return the bounding box of the piece at (x, y, z), rotated by ``yaw`` degrees."""
        rotation = rotation_matrix(z=yaw)
        center = rotation @ ((self.low + self.high) / 2) + (x, y, z)
        reach = np.abs(rotation) @ ((self.high - self.low) / 2)
        return Bounds(tuple(center - reach), tuple(center + reach))
