"""Meshes of cars: a body lofted through cross-sections, and its windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Vertices (N, 3) in meters and faces (M, 3).
Mesh = tuple[NDArray, NDArray]
_Edge = tuple[NDArray, NDArray]
# Cross-sections from front to rear: x and height of the top in meters, and the width of the top
# relative to the width of the car.
_PROFILES = {
    'sedan': (
        (2.24, 0.62, 0.8), (2.14, 0.74, 0.88), (1.6, 0.88, 0.9), (1.05, 0.95, 0.88),
        (0.3, 1.38, 0.66), (-0.1, 1.44, 0.68), (-0.8, 1.42, 0.66), (-1.55, 1.06, 0.8),
        (-2.1, 1.02, 0.86), (-2.26, 0.9, 0.84),
    ),
    'hatchback': (
        (1.95, 0.62, 0.8), (1.86, 0.76, 0.88), (1.4, 0.92, 0.9), (1.0, 0.98, 0.88),
        (0.3, 1.42, 0.68), (-0.3, 1.5, 0.7), (-1.2, 1.47, 0.68), (-1.62, 1.4, 0.66),
        (-1.92, 0.95, 0.86), (-1.98, 0.85, 0.86),
    ),
    'estate': (
        (2.28, 0.62, 0.8), (2.18, 0.74, 0.88), (1.6, 0.9, 0.9), (1.1, 0.96, 0.88),
        (0.35, 1.4, 0.68), (-0.2, 1.47, 0.7), (-1.5, 1.46, 0.69), (-1.95, 1.38, 0.66),
        (-2.22, 0.98, 0.86), (-2.3, 0.86, 0.86),
    ),
    'suv': (
        (2.22, 0.78, 0.84), (2.14, 0.98, 0.9), (1.6, 1.08, 0.92), (1.15, 1.12, 0.9),
        (0.5, 1.62, 0.72), (0.0, 1.7, 0.74), (-1.5, 1.68, 0.73), (-1.95, 1.6, 0.7),
        (-2.2, 1.1, 0.88), (-2.26, 0.95, 0.88),
    ),
    'van': (
        (2.45, 0.75, 0.86), (2.38, 1.0, 0.9), (2.0, 1.12, 0.92), (1.75, 1.2, 0.9),
        (1.15, 1.85, 0.8), (0.7, 1.95, 0.82), (-1.8, 1.95, 0.82), (-2.35, 1.9, 0.8),
        (-2.48, 1.1, 0.9), (-2.5, 0.95, 0.9),
    ),
}  # fmt: skip
CAR_KINDS = tuple(_PROFILES)
# Indices of the cross-sections at the ends of the windshield, of the roof and of the rear window.
_COWL, _FRONT, _BACK, _DECK = 3, 4, -4, -2
_CLEARANCE = 0.22


@dataclass(frozen=True)
class CarShape:
    """
    A car that stands on z = 0, centered at the origin: x forward, y left, z up; meters.

    :param nose: x of its front end; ``tail`` of its rear end.
    :param belt: height of the lower edge of the side windows.
    :param body: the painted body.
    :param panes: all windows as one mesh.
    """

    nose: float
    tail: float
    width: float
    belt: float
    body: Mesh
    panes: Mesh


def car_shape(kind: str, width: float, stretch: float) -> CarShape:
    """
    Return the meshes of a car.

    :param kind: one of :data:`CAR_KINDS`.
    :param width: in meters.
    :param stretch: factor of the length.
    """
    profile = np.array(_PROFILES[kind]) * (stretch, 1, 1)
    belt = float(profile[_COWL, 1])
    rings = np.stack([_section(x, top, share, width, belt) for x, top, share in profile])
    ends = np.array([0.9, 0.97, *[1.0] * (len(rings) - 4), 0.97, 0.92])
    rings[:, :, 1] *= ends[:, None]
    panes = _panes(rings)
    return CarShape(profile[0, 0], profile[-1, 0], width, belt, _loft(rings), panes)


def _section(x: float, top: float, share: float, width: float, belt: float) -> NDArray:
    """Return the cross-section at ``x``, (12, 3): up the right side and down the left side."""
    half, low = width / 2, min(belt, top - 0.05)
    heights = (_CLEARANCE, 0.45, low - 0.1, low, top - 0.04, top)
    halves = (0.86 * half, half, 0.99 * half, 0.95 * half, share * half, share * half * 0.8)
    right = [(x, -y, z) for y, z in zip(halves, heights)]
    left = [(x, y, z) for y, z in zip(halves, heights)][::-1]
    return np.array(right + left)


def _loft(rings: NDArray) -> Mesh:
    """Return the closed mesh through (count, points, 3) rings from front to rear."""
    count, around = rings.shape[:2]
    faces = []
    for ring in range(count - 1):
        for index in range(around):
            a = ring * around + index
            b = ring * around + (index + 1) % around
            faces += [(a, b, b + around), (a, b + around, a + around)]
    last = (count - 1) * around
    for index in range(1, around - 1):
        faces += [(0, index + 1, index), (last, last + index, last + index + 1)]
    return rings.reshape(-1, 3), np.array(faces)


def _between(a: NDArray, b: NDArray, share: float) -> NDArray:
    return np.asarray(a + (b - a) * share)


def _quad(
    first: _Edge, second: _Edge, *, low: float, high: float, start: float, end: float
) -> NDArray:
    """Return a part of the quad between two edges, each given as (lower end, upper end)."""
    corners = []
    for along, up in ((start, low), (end, low), (end, high), (start, high)):
        corners.append(_between(_between(first[0], first[1], up),
                                _between(second[0], second[1], up), along))  # fmt: skip
    return np.array(corners)


def _panes(rings: NDArray) -> Mesh:
    """Return windshield, rear window and side windows, about a centimeter off the body."""
    quads = []
    cowl, front, back, deck = rings[_COWL], rings[_FRONT], rings[_BACK], rings[_DECK]
    deck = rings[-3] if len(rings) == 10 and rings[-3, 5, 2] < rings[_BACK, 5, 2] - 0.2 else deck
    for low, high in ((cowl, front), (deck, back)):
        quads.append(_quad((low[5], high[5]), (low[6], high[6]), low=0.1, high=0.92,
                           start=-0.07, end=1.07))  # fmt: skip
    middle = _between(front, back, 0.45)
    for belt, roof in ((3, 4), (8, 7)):
        for first, second in ((front, middle), (middle, back)):
            quads.append(_quad((first[belt], first[roof]), (second[belt], second[roof]),
                               low=0.08, high=0.88, start=0.06, end=0.94))  # fmt: skip
        nose = np.array([_between(cowl[belt], front[belt], 0.35), front[belt], front[roof]])
        inset = _between(nose, nose.mean(0), 0.15)
        quads.append(np.concatenate([inset, inset[2:]]))
    vertices = np.concatenate([_offset_outward(quad) for quad in quads])
    base = np.arange(len(quads))[:, None, None] * 4
    both = np.array([(0, 1, 2), (0, 2, 3), (0, 2, 1), (0, 3, 2)])
    return vertices, (base + both).reshape(-1, 3)


def _offset_outward(quad: NDArray) -> NDArray:
    """Move a quad of a window away from the body."""
    normal = np.cross(quad[1] - quad[0], quad[2] - quad[0])
    normal = normal / max(1e-9, float(np.linalg.norm(normal)))
    middle = quad.mean(0) - (0.0, 0.0, 0.9)
    middle[0] *= 0.3
    return np.asarray(quad + 0.012 * normal * np.sign(normal @ middle))
