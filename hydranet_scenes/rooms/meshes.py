"""Meshes of rooms: textured boxes, walls with openings, cushions, solids of revolution, cloth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Vertices (N, 3) in meters, faces (M, 3), texture coordinates (N, 2), normals (N, 3).
Mesh = tuple[NDArray, NDArray, NDArray, NDArray]
# OpenGL computes the light at the vertices, so large faces are divided into cells of this size.
_CELL = 0.35


def _grid_faces(rows: int, columns: int) -> NDArray:
    """Return the (M, 3) faces of a grid of vertices, two triangles per cell."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    return np.concatenate([np.stack([a, a + 1, a + columns + 1], 1),
                           np.stack([a, a + columns + 1, a + columns], 1)])  # fmt: skip


def join(parts: Sequence[Mesh]) -> Mesh:
    """Join several meshes into one."""
    starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    vertices, uv, normals = (
        np.concatenate([part[index] for part in parts]) for index in (0, 2, 3)
    )
    faces = np.concatenate([part[1] + start for part, start in zip(parts, starts)])
    return vertices, faces, uv, normals


def rectangle(
    origin: ArrayLike, across: ArrayLike, up: ArrayLike, *, texture_size: float = 1.0,
    cuts: tuple[Sequence[float], Sequence[float]] = ((), ()), stretch: bool = False,
    holes: Sequence[tuple[float, float, float, float]] = (),
) -> Mesh:  # fmt: skip
    """
    Return a flat rectangle of cells with the normal ``across`` x ``up``.

    :param origin: (3,) lower left corner; ``across`` and ``up`` the (3,) vectors of the sides.
    :param texture_size: side of the texture in meters.
    :param stretch: fit one texture to the rectangle instead.
    :param cuts: further cell boundaries, in meters along ``across`` and along ``up``.
    :param holes: (left, bottom, right, top) in meters. Their edges must be among the cuts.
    """
    origin, across, up = (np.asarray(value, float) for value in (origin, across, up))
    width, height = float(np.linalg.norm(across)), float(np.linalg.norm(up))
    lines = []
    for length, more in ((width, cuts[0]), (height, cuts[1])):
        even = np.linspace(0, length, max(2, int(np.ceil(length / _CELL)) + 1))
        lines.append(np.unique(np.round([*even, *more], 4)))
    x, y = np.meshgrid(*lines)
    vertices = origin + x[..., None] * across / width + y[..., None] * up / height
    size = (width, height) if stretch else (texture_size, texture_size)
    rotate = not stretch and height > width
    uv = np.stack([y / size[1], x / size[0]] if rotate else [x / size[0], 1 - y / size[1]], -1)
    faces = _grid_faces(*x.shape)
    middle = np.stack([x, y], -1).reshape(-1, 2)[faces].mean(1)
    keep = np.ones(len(faces), bool)
    for left, bottom, right, top in holes:
        inside = (middle > (left, bottom)) & (middle < (right, top))
        keep &= ~inside.all(1)
    normal = np.cross(across, up) / (width * height)
    normals = np.broadcast_to(normal, (x.size, 3))
    return vertices.reshape(-1, 3), faces[keep], uv.reshape(-1, 2), normals


def box(size: ArrayLike, *, texture_size: float = 1.0, stretch: bool = False) -> Mesh:
    """
    Return a box around the origin whose texture runs along the longer side of each face.

    :param texture_size: side of the texture in meters.
    :param stretch: fit one texture to each face instead.
    """
    if stretch and max(np.asarray(size)) <= _CELL:
        vertices, faces, uv, normals = _unit_box()
        return vertices * np.asarray(size, float), faces, uv, normals
    return _divided_box(np.asarray(size, float) / 2, texture_size, stretch)


@lru_cache(maxsize=1)
def _unit_box() -> Mesh:
    """Return a box with sides of length 1 and one cell per face."""
    vertices, faces, uv, normals = _divided_box(np.full(3, _CELL / 2), 1.0, True)
    return vertices / _CELL, faces, uv, normals


def _divided_box(half: NDArray, texture_size: float, stretch: bool) -> Mesh:
    """Return a box whose faces are divided into cells."""
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            across, up = np.zeros(3), np.zeros(3)
            across[(axis + 1) % 3] = 2 * half[(axis + 1) % 3] * sign
            up[(axis + 2) % 3] = 2 * half[(axis + 2) % 3]
            if axis == 1:
                # Keep the texture upright on the front and the back.
                across, up = up * sign, across * sign
                across *= -1
            normal = np.zeros(3)
            normal[axis] = half[axis] * sign
            sides.append(
                rectangle(normal - across / 2 - up / 2, across, up, texture_size=texture_size,
                          stretch=stretch)
            )  # fmt: skip
    return join(sides)


def lathe(profile: ArrayLike, segments: int = 18, *, scale: ArrayLike = (1, 1)) -> Mesh:
    """
    Return a solid of revolution about the z axis.

    :param profile: (N, 2) radius and height in meters: the outside from bottom to top and, for
        hollow shapes, then the inside from top to bottom.
    :param scale: factors of x and y.
    """
    profile = np.asarray(profile, float)
    angles = np.linspace(0, 2 * np.pi, segments + 1)
    step = np.gradient(profile, axis=0)
    slope = np.stack([step[:, 1], -step[:, 0]], 1)
    slope /= np.maximum(1e-9, np.linalg.norm(slope, axis=1, keepdims=True))
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)

    def around(flat: NDArray, upright: NDArray) -> NDArray:
        level = np.broadcast_to(upright[:, None], (len(profile), segments + 1, 1))
        return np.concatenate([flat[:, None] * ring, level], -1)

    vertices = around(profile[:, :1], profile[:, 1:]) * (*np.asarray(scale, float), 1.0)
    normals = around(slope[:, :1], slope[:, 1:])
    uv = np.stack(np.broadcast_arrays(angles / (2 * np.pi), profile[:, 1:] * 2.0), -1)
    return (vertices.reshape(-1, 3), _grid_faces(len(profile), segments + 1), uv.reshape(-1, 2),
            normals.reshape(-1, 3))  # fmt: skip


def cushion(size: ArrayLike, *, roundness: float = 0.35, texture_size: float = 0.8) -> Mesh:
    """
    Return a box with rounded edges around the origin.

    :param size: (3,) meters.
    :param roundness: 0.1 (sharp edges) to 1 (an ellipsoid).
    """
    half = np.asarray(size, float) / 2
    theta, phi = np.meshgrid(np.linspace(-np.pi / 2, np.pi / 2, 13),
                             np.linspace(-np.pi, np.pi, 25), indexing='ij')  # fmt: skip

    def power(value: NDArray, exponent: float) -> NDArray:
        return np.asarray(np.sign(value) * np.abs(value) ** exponent)

    def surface(vertical: float, flat: float) -> NDArray:
        around = power(np.cos(theta), vertical)
        return np.stack([around * power(np.cos(phi), flat), around * power(np.sin(phi), flat),
                         power(np.sin(theta), vertical)], -1)  # fmt: skip

    vertices = surface(roundness * 1.4, roundness) * half
    normals = surface(2 - roundness * 1.4, 2 - roundness) / half
    normals /= np.maximum(1e-9, np.linalg.norm(normals, axis=-1, keepdims=True))
    uv = vertices[..., :2] / texture_size + vertices[..., 2:] / texture_size
    return (vertices.reshape(-1, 3), _grid_faces(*theta.shape), uv.reshape(-1, 2),
            normals.reshape(-1, 3))  # fmt: skip


def drape(
    rng: np.random.Generator, width: float, height: float, *, depth: float = 0.05,
    pitch: float = 0.14, texture_size: float = 1.0,
) -> Mesh:  # fmt: skip
    """
    Return hanging cloth with folds along x, around the origin.

    :param depth: extent of the folds along y in meters; ``pitch`` their mean distance along x.
    """
    columns = max(9, int(width / pitch * 8))
    x = np.linspace(-width / 2, width / 2, columns)
    phase = np.cumsum(rng.uniform(0.6, 1.4, columns)) * 2 * np.pi / 8
    z = np.linspace(-height / 2, height / 2, max(3, int(height / _CELL) + 1))
    wave = np.sin(phase) * (depth / 2 - 0.006)
    slope = np.gradient(wave, x)
    sides = []
    for sign in (-1.0, 1.0):
        points = np.empty((len(z), columns, 3))
        points[..., 0], points[..., 1], points[..., 2] = x, wave + sign * 0.005, z[:, None]
        normal = np.stack([-slope, np.ones_like(slope), np.zeros_like(slope)], -1) * sign
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        uv = np.stack(np.broadcast_arrays(x / texture_size, -z[:, None] / texture_size), -1)
        faces = _grid_faces(len(z), columns)
        sides.append((points.reshape(-1, 3), faces if sign < 0 else faces[:, ::-1],
                      uv.reshape(-1, 2),
                      np.broadcast_to(normal, (len(z), columns, 3)).reshape(-1, 3)))  # fmt: skip
    return join(sides)
