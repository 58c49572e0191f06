"""Meshes of houses, roofs, tree crowns and hedges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.textures import noise
from hydranet_scenes.streets.facades import FACADE_WIDTH

# Vertices (N, 3) in meters, faces (M, 3), texture coordinates (N, 2).
Mesh = tuple[NDArray, NDArray, NDArray]
# The same, and normals (N, 3).
LitMesh = tuple[NDArray, NDArray, NDArray, NDArray]


def house_walls(
    width: float, depth: float, height: float, repeats: float, shift: float = 0.0
) -> Mesh:
    """
    Return four walls around the origin, on z = 0.

    :param width: extent along x in meters; ``depth`` along y.
    :param repeats: vertical repetitions of the texture. Horizontally it repeats every 12 m.
    :param shift: texture coordinate at which the first wall starts, 0..1.
    """
    x, y = width / 2, depth / 2
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    vertices: list[tuple[float, float, float]] = []
    faces, uv = [], []
    for index in range(4):
        (x0, y0), (x1, y1) = corners[index], corners[(index + 1) % 4]
        end = shift + np.hypot(x1 - x0, y1 - y0) / FACADE_WIDTH
        base = len(vertices)
        vertices += [(x0, y0, 0), (x1, y1, 0), (x1, y1, height), (x0, y0, height)]
        uv += [(shift, repeats), (end, repeats), (end, 0), (shift, 0)]
        faces += [(base, base + 1, base + 2), (base, base + 2, base + 3)]
    return np.array(vertices), np.array(faces), np.array(uv)


def gable_roof(width: float, depth: float, height: float, overhang: float = 0.4) -> Mesh:
    """Return a double-sided gable roof with its ridge along x and its eaves at about z = 0."""
    x, y = width / 2 + overhang, depth / 2 + overhang
    low = -height * overhang / (depth / 2)
    top = [(-x, -y, low), (x, -y, low), (x, 0, height), (-x, 0, height), (-x, y, low), (x, y, low)]
    vertices = np.array(top + top, float)
    vertices[6:, 2] -= 0.12
    upper = [(0, 1, 2), (0, 2, 3), (4, 3, 2), (4, 2, 5)]
    lower = [(c + 6, b + 6, a + 6) for a, b, c in upper]
    ring = (0, 1, 2, 5, 4, 3)
    rim = []
    for a, b in zip(ring, ring[1:] + ring[:1]):
        rim += [(a + 6, b + 6, b), (a + 6, b, a)]
    repeat = width / 3
    uv = np.array([(0, 2), (repeat, 2), (repeat, 0), (0, 0), (0, 2), (repeat, 2)] * 2)
    return vertices, np.array(upper + lower + rim), uv


def gable_walls(width: float, depth: float, height: float) -> tuple[NDArray, NDArray]:
    """Return the two triangular walls under a gable roof along x: vertices and faces."""
    x, y = width / 2, depth / 2
    vertices = np.array([(-x, y, 0), (-x, -y, 0), (-x, 0, height),
                         (x, -y, 0), (x, y, 0), (x, 0, height)])  # fmt: skip
    return vertices, np.array([(0, 1, 2), (3, 4, 5)])


def crown(rng: np.random.Generator, radius: float, height: float, tufts: int = 260) -> LitMesh:
    """Return an uneven tree crown around the origin, with tufts that roughen its outline."""
    rows, columns = 10, 15
    theta = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    phi = np.linspace(0, 2 * np.pi, columns)[None, :]
    bumps = 1 + 0.38 * noise(rng, (rows, columns), 3)
    bumps[:, -1] = bumps[:, 0]
    around = np.sin(theta) * bumps * (1 + rng.uniform(-0.35, 0.35) * np.cos(theta)) * radius
    points = np.stack(
        [around * np.cos(phi), around * np.sin(phi), np.cos(theta) * bumps * height / 2], -1
    )
    uv = np.stack(np.broadcast_arrays(phi / np.pi, theta / np.pi), -1).reshape(-1, 2)
    blob = points.reshape(-1, 3)
    chosen = rng.integers(columns, len(blob) - columns, tufts)
    size = rng.uniform(0.05, 0.16, tufts) * radius**0.6
    leaves = _tufts(rng, blob[chosen] * rng.uniform(0.97, 1.12, (tufts, 1)), uv[chosen], size)
    return _lit(blob, _grid_faces(rows, columns), uv, leaves)


def hedge(rng: np.random.Generator, length: float, width: float, height: float) -> LitMesh:
    """Return a hedge along x, on z = 0."""
    columns = max(4, int(length / 0.7))
    half = [(1, 0), (1, 0.6), (0.9, 0.95), (0, 1.03)]
    profile = np.array(half + [(-y, z) for y, z in half[-2::-1]])
    x = np.linspace(-length / 2, length / 2, columns)
    rough = 1 + 0.1 * rng.standard_normal((len(profile), columns, 1))
    points = np.empty((len(profile), columns, 3))
    points[..., 0] = x
    points[..., 1:] = profile[:, None] * (width / 2, height) * rough
    across = np.abs(np.linspace(-1, 1, len(profile)))[:, None]
    uv = np.stack(np.broadcast_arrays(x[None] / 3.0, across), -1).reshape(-1, 2)
    blob = points.reshape(-1, 3)
    chosen = rng.integers(columns, len(blob) - columns, columns * 5)
    leaves = _tufts(rng, blob[chosen], uv[chosen], rng.uniform(0.06, 0.16, len(chosen)))
    return _lit(blob, _grid_faces(len(profile), columns), uv, leaves)


def _grid_faces(rows: int, columns: int) -> NDArray:
    """Return the (M, 3) faces of a grid of vertices, two triangles per cell."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    first = np.stack([a, a + columns, a + 1], 1)
    second = np.stack([a + 1, a + columns, a + columns + 1], 1)
    return np.concatenate([first, second])


def _tufts(rng: np.random.Generator, at: NDArray, uv: NDArray, size: NDArray) -> Mesh:
    """Return a double-sided triangle of leaves at each (N, 3) point."""
    spread = rng.normal(0, 1, (len(at), 3, 3)) * size[:, None, None]
    vertices = (at[:, None] + spread).reshape(-1, 3)
    base = np.arange(len(at))[:, None] * 3
    faces = np.concatenate([base + (0, 1, 2), base + (0, 2, 1)])
    corners = uv[:, None] + rng.uniform(-0.08, 0.08, (len(at), 3, 2))
    return vertices, faces, corners.reshape(-1, 2)


def _lit(blob: NDArray, faces: NDArray, uv: NDArray, leaves: Mesh) -> LitMesh:
    """Join blob and leaves; all normals point away from the center, as on a smooth crown."""
    vertices = np.concatenate([blob, leaves[0]])
    center = blob.mean(0) * (0, 1, 1) if np.ptp(blob[:, 0]) > 8 else blob.mean(0)
    normals = vertices - center
    if np.ptp(blob[:, 0]) > 8:
        normals[:, 0] = 0
    normals = normals / np.maximum(1e-6, np.linalg.norm(normals, axis=1, keepdims=True))
    joined = np.concatenate([faces, leaves[1] + len(blob)])
    return vertices, joined, np.concatenate([uv, leaves[2]]), normals


def bare_crown(rng: np.random.Generator, depth: int = 5) -> tuple[NDArray, NDArray]:
    """Return the branches of a bare tree above the origin, as three-sided prisms."""
    vertices: list[NDArray] = []
    stack = [(np.zeros(3), np.array([0, 0, 1.0]), 1.6, 0.11, depth)]
    while stack:
        start, direction, length, radius, left = stack.pop()
        end = start + direction * length
        vertices += [_ring(start, direction, radius), _ring(end, direction, radius * 0.7)]
        for _ in range(3 if left > 0 else 0):
            turn = direction + rng.normal(0, 0.5, 3) + (0, 0, 0.12)
            turn = turn / np.linalg.norm(turn)
            stack.append((end, turn, length * rng.uniform(0.6, 0.9), radius * 0.65, left - 1))
    quad = np.array([(0, 1, 4), (0, 4, 3), (1, 2, 5), (1, 5, 4), (2, 0, 3), (2, 3, 5)])
    base = np.arange(len(vertices) // 2)[:, None, None] * 6
    return np.concatenate(vertices), (base + quad).reshape(-1, 3)


def _ring(center: NDArray, direction: NDArray, radius: float) -> NDArray:
    """Return the (3, 3) corners of an equilateral triangle perpendicular to a direction."""
    side = np.cross(direction, (0.3, 0.9, 0.1))
    side = side / np.linalg.norm(side)
    other = np.cross(direction, side)
    angles = np.arange(3) * 2 * np.pi / 3
    return center + radius * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * other)
