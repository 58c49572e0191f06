"""Unlabeled objects of a street: lamps, signs, traffic lights, bins, bollards, pedestrians."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.streets.builder import StreetBuilder
from hydranet_scenes.streets.classes import OTHER

_SIGNS = (
    (0.75, 0.05, 0.05), (0.05, 0.15, 0.6), (0.9, 0.9, 0.9), (0.95, 0.75, 0.1), (0.1, 0.4, 0.2),
)  # fmt: skip


def furnish_sidewalk(
    builder: StreetBuilder, rng: np.random.Generator, *, side: int, curb: float, edge: float,
    end: float,
) -> None:  # fmt: skip
    """
    Add street furniture and pedestrians to one sidewalk.

    :param side: -1 (right) or 1 (left).
    :param curb: distance of the curb from the center line in meters; ``edge`` that of the outer
        edge of the sidewalk.
    :param end: x where the street ends.
    """
    gray = rng.uniform(0.15, 0.7)
    metal = builder.material(color=(gray, gray, gray), shine=0.4)
    if rng.random() < 0.75:
        _add_lamps(builder, rng, metal, side, (curb + rng.uniform(0.3, 0.6), end))
    for _ in range(int(rng.integers(0, 6))):
        _add_sign(builder, rng, metal, rng.uniform(8, 100), side * (curb + rng.uniform(0.3, 0.8)))
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(5, 80), side * (curb + rng.uniform(0.4, 0.9))
        color = builder.material(color=rng.uniform(0.05, 0.6, 3))
        builder.geom('cylinder', OTHER, color, pos=(x, y, 0.6), size=(0.22, 0.5))
    if rng.random() < 0.25:
        for x in np.arange(rng.uniform(0, 5), 60, rng.uniform(1.5, 4)):
            builder.geom('cylinder', OTHER, metal, pos=(x, side * (curb + 0.3), 0.55),
                         size=(0.06, 0.5))  # fmt: skip
    for _ in range(int(rng.integers(0, 6))):
        _add_pedestrian(builder, rng, rng.uniform(6, 70), side * rng.uniform(curb + 0.4, edge))


def _add_lamps(
    builder: StreetBuilder, rng: np.random.Generator, metal: str, side: int,
    span: tuple[float, float],
) -> None:  # fmt: skip
    """Add street lamps; ``span`` is their distance from the center line and the largest x."""
    y, end = span
    height, spacing, radius = rng.uniform(4, 8.5), rng.uniform(14, 35), rng.uniform(0.05, 0.1)
    for x in np.arange(rng.uniform(4, spacing), end, spacing):
        builder.geom('cylinder', OTHER, metal, pos=(x, side * y, height / 2),
                     size=(radius, height / 2))  # fmt: skip
        for reach, size in ((0.8, (0.06, 0.9, 0.04)), (1.6, (0.14, 0.35, 0.06))):
            builder.geom('box', OTHER, metal, pos=(x, side * (y - reach), height), size=size)


def _add_sign(
    builder: StreetBuilder, rng: np.random.Generator, metal: str, x: float, y: float
) -> None:
    """Add a round or rectangular traffic sign."""
    builder.geom('cylinder', OTHER, metal, pos=(x, y, 1.2), size=(0.035, 1.2))
    plate = builder.material(color=_SIGNS[int(rng.integers(len(_SIGNS)))])
    inner = builder.material(color=_SIGNS[2])
    if rng.random() < 0.5:
        for material, radius, offset in ((plate, 0.34, 0.0), (inner, 0.24, 0.01)):
            builder.geom('cylinder', OTHER, material, pos=(x - offset, y, 2.3),
                         size=(radius, 0.02), euler=(0, 90, 0))  # fmt: skip
    else:
        size = (0.02, rng.uniform(0.25, 0.6), rng.uniform(0.2, 0.4))
        builder.geom('box', OTHER, plate, pos=(x, y, 2.3), size=size)


def add_traffic_light(
    builder: StreetBuilder, rng: np.random.Generator, x: float, y: float
) -> None:
    """Add a traffic light with one of its lamps lit."""
    dark = builder.material(color=(0.06, 0.06, 0.06))
    builder.geom('cylinder', OTHER, dark, pos=(x, y, 1.4), size=(0.06, 1.4))
    builder.geom('box', OTHER, dark, pos=(x, y, 3.0), size=(0.14, 0.16, 0.45))
    lit = int(rng.integers(3))
    for index, color in enumerate(((0.9, 0.1, 0.05), (0.95, 0.7, 0.1), (0.1, 0.85, 0.4))):
        lamp = builder.material(color=np.array(color) * (1.0 if index == lit else 0.2))
        builder.geom('sphere', OTHER, lamp, pos=(x - 0.1, y, 3.28 - 0.28 * index), size=(0.1,))


def _add_pedestrian(builder: StreetBuilder, rng: np.random.Generator, x: float, y: float) -> None:
    """Add a pedestrian in mid-stride at (x, y)."""
    height, stride, yaw = rng.uniform(1.5, 1.9), rng.uniform(5, 22), rng.uniform(0, 360)
    tone = np.array([0.85, 0.65, 0.5]) * rng.uniform(0.4, 1.1)
    clothes = rng.uniform(0.02, 0.7, (2, 1)) * rng.uniform(0.5, 1, (2, 3))
    shirt, legs, skin, hair = (
        builder.material(color=color) for color in (*clothes, tone, tone * rng.uniform(0.1, 0.6))
    )
    parts: list[str] = []
    for side in (-1, 1):
        swing = side * stride / 200
        for material, at, size, pitch in (
            (legs, (swing, side * 0.09, height * 0.25), (0.085, height * 0.2), -side * stride),
            (shirt, (-swing, side * 0.25, height * 0.63), (0.055, height * 0.14), side * stride),
        ):
            builder.geom('capsule', OTHER, material, pos=at, size=size, euler=(0, pitch, 0),
                         body=parts)  # fmt: skip
    body: tuple[tuple[str, str, float, float, tuple[float, ...]], ...] = (
        ('ellipsoid', shirt, 0.0, 0.65, (0.15, 0.22, height * 0.2)),
        ('sphere', skin, 0.0, 0.92, (0.11,)),
        ('sphere', hair, -0.02, 0.945, (0.112,)),
    )
    for kind, material, forward, up, extent in body:
        builder.geom(kind, OTHER, material, pos=(forward, 0, height * up), size=extent, body=parts)
    builder.body(parts, (x, y, 0.1), yaw)
