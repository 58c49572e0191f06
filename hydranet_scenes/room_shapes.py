"""Meshes of rooms: boxes with textures in scale, walls with openings, cushions, turned shapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Vertices (N, 3), faces (M, 3), texture coordinates (N, 2), normals (N, 3).
Solid = tuple[NDArray, NDArray, NDArray, NDArray]
# The light is computed at the vertices, so large faces need some inside.
CELL = 0.35


def _grid(rows: int, columns: int) -> NDArray:
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    return np.concatenate([np.stack([a, a + 1, a + columns + 1], 1),
                           np.stack([a, a + columns + 1, a + columns], 1)])  # fmt: skip


def join(parts: Sequence[Solid]) -> Solid:
    """Return several solids as one."""
    starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    vertices, uv, normals = (
        np.concatenate([part[index] for part in parts]) for index in (0, 2, 3)
    )
    faces = np.concatenate([part[1] + start for part, start in zip(parts, starts)])
    return vertices, faces, uv, normals


def patch(
    origin: ArrayLike, across: ArrayLike, up: ArrayLike, *, metres: float = 1.0,
    cuts: tuple[Sequence[float], Sequence[float]] = ((), ()), whole: bool = False,
    holes: Sequence[tuple[float, float, float, float]] = (),
) -> Solid:  # fmt: skip
    """
    Return a flat rectangle in cells, facing ``across`` x ``up``.

    :param metres: side of the texture; ``whole`` stretches one over the rectangle instead.
    :param cuts: further lines of cells, metres across and up.
    :param holes: (left, bottom, right, top) in metres; their edges must be among the cuts.
    """
    origin, across, up = (np.asarray(value, float) for value in (origin, across, up))
    width, height = float(np.linalg.norm(across)), float(np.linalg.norm(up))
    lines = []
    for length, more in ((width, cuts[0]), (height, cuts[1])):
        even = np.linspace(0, length, max(2, int(np.ceil(length / CELL)) + 1))
        lines.append(np.unique(np.round([*even, *more], 4)))
    x, y = np.meshgrid(*lines)
    vertices = origin + x[..., None] * across / width + y[..., None] * up / height
    size = (width, height) if whole else (metres, metres)
    turn = not whole and height > width
    uv = np.stack([y / size[1], x / size[0]] if turn else [x / size[0], 1 - y / size[1]], -1)
    faces = _grid(*x.shape)
    middle = np.stack([x, y], -1).reshape(-1, 2)[faces].mean(1)
    keep = np.ones(len(faces), bool)
    for left, bottom, right, top in holes:
        inside = (middle > (left, bottom)) & (middle < (right, top))
        keep &= ~inside.all(1)
    normal = np.cross(across, up) / (width * height)
    normals = np.broadcast_to(normal, (x.size, 3))
    return vertices.reshape(-1, 3), faces[keep], uv.reshape(-1, 2), normals


def box(size: ArrayLike, *, metres: float = 1.0, whole: bool = False) -> Solid:
    """
    Return a box round the origin, its texture in scale, the grain along each longer side.

    :param whole: the texture once on each side instead.
    """
    if whole and max(np.asarray(size)) <= CELL:
        vertices, faces, uv, normals = _small_box()
        return vertices * np.asarray(size, float), faces, uv, normals
    return _box(np.asarray(size, float) / 2, metres, whole)


@lru_cache(maxsize=1)
def _small_box() -> Solid:
    """Return a box of one unit, each side one cell."""
    vertices, faces, uv, normals = _box(np.full(3, CELL / 2), 1.0, True)
    return vertices / CELL, faces, uv, normals


def _box(half: NDArray, metres: float, whole: bool) -> Solid:
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            across, up = np.zeros(3), np.zeros(3)
            across[(axis + 1) % 3] = 2 * half[(axis + 1) % 3] * sign
            up[(axis + 2) % 3] = 2 * half[(axis + 2) % 3]
            if axis == 1:
                # Upright on the sides that face front and back.
                across, up = up * sign, across * sign
                across *= -1
            normal = np.zeros(3)
            normal[axis] = half[axis] * sign
            sides.append(patch(normal - across / 2 - up / 2, across, up, metres=metres,
                               whole=whole))  # fmt: skip
    return join(sides)


def turned(profile: ArrayLike, segments: int = 18, *, scale: ArrayLike = (1, 1)) -> Solid:
    """
    Return what a lathe makes of a profile.

    :param profile: (N, 2) radius and height, the outside from bottom to top; for a vessel or a
        shade then the inside back down.
    :param scale: stretches x and y to an oval.
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
    return (vertices.reshape(-1, 3), _grid(len(profile), segments + 1), uv.reshape(-1, 2),
            normals.reshape(-1, 3))  # fmt: skip


def cushion(size: ArrayLike, *, round_: float = 0.35, metres: float = 0.8) -> Solid:
    """Return a soft box round the origin; ``round_`` from 0.1 (hard edges) to 1 (an ellipsoid)."""
    half = np.asarray(size, float) / 2
    theta, phi = np.meshgrid(np.linspace(-np.pi / 2, np.pi / 2, 13),
                             np.linspace(-np.pi, np.pi, 25), indexing='ij')  # fmt: skip

    def power(value: NDArray, exponent: float) -> NDArray:
        return np.asarray(np.sign(value) * np.abs(value) ** exponent)

    def surface(vertical: float, flat: float) -> NDArray:
        around = power(np.cos(theta), vertical)
        return np.stack([around * power(np.cos(phi), flat), around * power(np.sin(phi), flat),
                         power(np.sin(theta), vertical)], -1)  # fmt: skip

    vertices = surface(round_ * 1.4, round_) * half
    normals = surface(2 - round_ * 1.4, 2 - round_) / half
    normals /= np.maximum(1e-9, np.linalg.norm(normals, axis=-1, keepdims=True))
    uv = vertices[..., :2] / metres + vertices[..., 2:] / metres
    return (vertices.reshape(-1, 3), _grid(*theta.shape), uv.reshape(-1, 2),
            normals.reshape(-1, 3))  # fmt: skip


def drape(
    rng: np.random.Generator, width: float, height: float, *, depth: float = 0.05,
    pitch: float = 0.14, metres: float = 1.0,
) -> Solid:  # fmt: skip
    """Return hanging cloth: folds along x, its middle at the origin, z up, ``depth`` thick."""
    columns = max(9, int(width / pitch * 8))
    x = np.linspace(-width / 2, width / 2, columns)
    phase = np.cumsum(rng.uniform(0.6, 1.4, columns)) * 2 * np.pi / 8
    z = np.linspace(-height / 2, height / 2, max(3, int(height / CELL) + 1))
    wave = np.sin(phase) * (depth / 2 - 0.006)
    slope = np.gradient(wave, x)
    sides = []
    for sign in (-1.0, 1.0):
        points = np.empty((len(z), columns, 3))
        points[..., 0], points[..., 1], points[..., 2] = x, wave + sign * 0.005, z[:, None]
        normal = np.stack([-slope, np.ones_like(slope), np.zeros_like(slope)], -1) * sign
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        uv = np.stack(np.broadcast_arrays(x / metres, -z[:, None] / metres), -1)
        faces = _grid(len(z), columns)
        sides.append((points.reshape(-1, 3), faces if sign < 0 else faces[:, ::-1],
                      uv.reshape(-1, 2),
                      np.broadcast_to(normal, (len(z), columns, 3)).reshape(-1, 3)))  # fmt: skip
    return join(sides)
