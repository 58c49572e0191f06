"""Meshes: houses with their facades, crowns of trees, cars by their profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.scenes.textures import noise

Mesh = tuple[NDArray, NDArray, NDArray]
STOREY = 3.0
BAY = 6.0


def house_walls(width: float, depth: float, height: float) -> Mesh:
    """
    Return the four walls of a box standing on the origin, x by y by z metres.

    The texture repeats once a storey (3 m) and once a bay (6 m).
    """
    x, y = width / 2, depth / 2
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    vertices, faces, uv = [], [], []
    for index in range(4):
        (x0, y0), (x1, y1) = corners[index], corners[(index + 1) % 4]
        length = max(1.0, round(np.hypot(x1 - x0, y1 - y0) / BAY))
        storeys = max(1.0, round(height / STOREY))
        base = len(vertices)
        vertices += [(x0, y0, 0), (x1, y1, 0), (x1, y1, height), (x0, y0, height)]
        uv += [(0, storeys), (length, storeys), (length, 0), (0, 0)]
        faces += [(base, base + 1, base + 2), (base, base + 2, base + 3)]
    return np.array(vertices), np.array(faces), np.array(uv)


def gable_roof(width: float, depth: float, height: float, overhang: float = 0.4) -> Mesh:
    """Return a ridge roof along x with its two gables, its eaves at z = 0."""
    x, y = width / 2 + overhang, depth / 2 + overhang
    vertices = np.array(
        [(-x, -y, 0), (x, -y, 0), (x, 0, height), (-x, 0, height), (-x, y, 0), (x, y, 0)]
    )
    faces = np.array([(0, 1, 2), (0, 2, 3), (4, 3, 2), (4, 2, 5), (0, 3, 4), (1, 5, 2)])
    uv = np.array([(0, 2), (width / 3, 2), (width / 3, 0), (0, 0), (0, 2), (width / 3, 2)])
    return vertices, faces, uv


def crown(rng: np.random.Generator, radius: float, height: float) -> Mesh:
    """Return an uneven crown of leaves round the origin, ``radius`` wide, ``height`` high."""
    rows, columns = 9, 14
    theta = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    phi = np.linspace(0, 2 * np.pi, columns)[None, :]
    bumps = 1 + 0.35 * noise(rng, (rows, columns), 3)
    bumps[:, -1] = bumps[:, 0]
    taper = rng.uniform(-0.35, 0.35)
    around = np.sin(theta) * bumps * (1 + taper * np.cos(theta)) * radius
    vertices = np.stack(
        [around * np.cos(phi), around * np.sin(phi), np.cos(theta) * bumps * height / 2], -1
    )
    uv = np.stack(np.broadcast_arrays(phi / 1.6, theta / 1.2), -1)
    faces = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            a = row * columns + column
            faces += [(a, a + columns, a + 1), (a + 1, a + columns, a + columns + 1)]
    return vertices.reshape(-1, 3), np.array(faces), uv.reshape(-1, 2)


# Side profiles, metres from the middle of the car and above the road: body, then glass.
_PROFILES = {
    'sedan': (
        ((-2.2, 0.3), (2.2, 0.3), (2.25, 0.6), (2.1, 0.82), (1.1, 0.95), (-1.5, 1.0), (-2.2, 0.95)),
        ((0.95, 0.94), (0.35, 1.38), (-0.8, 1.42), (-1.6, 0.98)),
    ),
    'hatchback': (
        ((-1.9, 0.3), (1.95, 0.3), (2.0, 0.6), (1.9, 0.85), (1.1, 1.0), (-1.9, 1.05)),
        ((1.0, 0.99), (0.4, 1.48), (-1.5, 1.5), (-1.85, 1.04)),
    ),
    'suv': (
        ((-2.2, 0.4), (2.2, 0.4), (2.25, 0.8), (2.15, 1.05), (1.2, 1.15), (-2.2, 1.15)),
        ((1.1, 1.14), (0.6, 1.72), (-2.0, 1.75), (-2.15, 1.14)),
    ),
    'van': (
        ((-2.5, 0.4), (2.4, 0.4), (2.45, 0.9), (2.3, 1.2), (1.9, 1.25), (-2.5, 1.3)),
        ((1.85, 1.24), (1.3, 2.05), (-2.45, 2.1), (-2.5, 1.29)),
    ),
}  # fmt: skip
CAR_KINDS = tuple(_PROFILES)


def car_profile(kind: str) -> tuple[NDArray, NDArray]:
    """Return the (x, z) outlines of body and cabin of a kind of car."""
    body, cabin = _PROFILES[kind]
    return np.array(body), np.array(cabin)


def extrude(outline: NDArray, width: float, *, top: float = 1.0) -> tuple[NDArray, NDArray]:
    """
    Return a convex (x, z) outline as a solid ``width`` wide in y.

    :param top: width at the highest point relative to that at the lowest.
    """
    low, high = outline[:, 1].min(), outline[:, 1].max()
    factor = 1 + (top - 1) * (outline[:, 1] - low) / max(1e-6, high - low)
    half = factor * width / 2
    right = np.stack([outline[:, 0], -half, outline[:, 1]], 1)
    left = np.stack([outline[:, 0], half, outline[:, 1]], 1)
    count = len(outline)
    faces = []
    for index in range(1, count - 1):
        faces += [(0, index, index + 1), (count, count + index + 1, count + index)]
    for index in range(count):
        following = (index + 1) % count
        faces += [(index, count + index, following),
                  (following, count + index, count + following)]  # fmt: skip
    return np.concatenate([right, left]), np.array(faces)
