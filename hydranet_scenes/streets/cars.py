"""Parked and moving cars, built from body, windows, wheels, lamps, bumpers and plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydranet_scenes.streets.builder import StreetBuilder
from hydranet_scenes.streets.car_meshes import CAR_KINDS, CarShape, car_shape
from hydranet_scenes.streets.classes import CAR, ROAD

_PAINTS = (
    (0.75, 0.75, 0.78), (0.06, 0.06, 0.07), (0.9, 0.9, 0.9), (0.45, 0.05, 0.06),
    (0.1, 0.15, 0.35), (0.3, 0.32, 0.34), (0.1, 0.3, 0.18), (0.6, 0.5, 0.35), (0.15, 0.35, 0.55),
    (0.75, 0.58, 0.1), (0.7, 0.08, 0.06), (0.16, 0.17, 0.2), (0.5, 0.52, 0.55),
)  # fmt: skip
# Radius of a wheel, in meters.
_WHEEL = 0.32


@dataclass(frozen=True)
class Car:
    """
    A parked or moving car.

    :param body: name of its body in the scene builder.
    :param x: position of its center at time 0, in meters; ``y`` likewise.
    :param speed: along x, in meters per second.
    :param length: along the car, in meters.
    """

    body: str
    x: float
    y: float
    speed: float = 0.0
    length: float = 4.6


def add_car(
    builder: StreetBuilder, rng: np.random.Generator, *, x: float, y: float, yaw: float,
    speed: float = 0.0,
) -> Car:  # fmt: skip
    """Add a car of a random kind at (x, y), rotated by ``yaw`` degrees."""
    parts: list[str] = []
    kind = str(rng.choice(CAR_KINDS, p=[0.28, 0.3, 0.16, 0.16, 0.1]))
    shape = car_shape(kind, rng.uniform(1.68, 1.88), rng.uniform(0.92, 1.06))
    color = np.array(_PAINTS[int(rng.integers(len(_PAINTS)))]) * rng.uniform(0.7, 1.15)
    paint = builder.material(color=color, shine=0.6)
    glass = builder.material(color=np.array([0.1, 0.12, 0.14]) * rng.uniform(0.4, 2.6), shine=0.9)
    dark = builder.material(color=[rng.uniform(0.03, 0.09)] * 3)
    builder.geom('mesh', CAR, paint, mesh=builder.mesh(*shape.body), body=parts)
    builder.geom('mesh', CAR, glass, mesh=builder.mesh(*shape.panes), body=parts)
    _add_wheels(builder, rng, parts, shape, dark)
    _add_lamps(builder, rng, parts, shape, dark)
    _add_mirrors(builder, parts, shape, paint)
    _add_contact_shadow(builder, parts, shape)
    name = builder.body(parts, (x, y, 0), yaw)
    return Car(name, x, y, speed, shape.nose - shape.tail)


def _add_wheels(
    builder: StreetBuilder, rng: np.random.Generator, parts: list[str], shape: CarShape, dark: str
) -> None:
    """Add four wheels with rims."""
    rim = builder.material(color=[rng.uniform(0.25, 0.75)] * 3, shine=0.5)
    half = shape.width / 2
    for axle in (shape.tail * 0.62, shape.nose * 0.62):
        for side in (-1, 1):
            for radius, thick, y, material in (
                (_WHEEL + 0.06, 0.1, half - 0.09, dark),
                (_WHEEL, 0.1, half - 0.08, dark),
                (_WHEEL * 0.62, 0.1, half - 0.07, rim),
            ):
                height = _WHEEL + (radius - _WHEEL if radius > _WHEEL else 0)
                builder.geom('cylinder', CAR, material, body=parts, euler=(90, 0, 0),
                             pos=(axle, side * y, height), size=(radius, thick))  # fmt: skip


def _add_lamps(
    builder: StreetBuilder, rng: np.random.Generator, parts: list[str], shape: CarShape, dark: str
) -> None:
    """Add head and tail lamps, bumpers and license plates."""
    red = builder.material(color=(rng.uniform(0.4, 0.8), 0.04, 0.04), shine=0.5)
    white = builder.material(color=(0.9, 0.9, 0.85), shine=0.8)
    plate = builder.material(color=(0.85, 0.85, 0.75 if rng.random() < 0.7 else 0.2))
    height, width = rng.uniform(0.07, 0.16), rng.uniform(0.1, 0.2)
    side, rear = shape.width / 2 * 0.9 - width, shape.belt - 0.22
    for half in (-1, 1):
        for x, z, material in (
            (shape.tail + 0.02, rear, red),
            (shape.nose - 0.04, rear - 0.1, white),
        ):
            builder.geom('box', CAR, material, body=parts, pos=(x, half * side, z),
                         size=(0.06, width, height))  # fmt: skip
    for x in (shape.tail, shape.nose):
        builder.geom('box', CAR, dark, body=parts, pos=(x, 0, 0.36),
                     size=(0.05, shape.width * 0.43, 0.09))  # fmt: skip
        builder.geom('box', CAR, plate, body=parts, pos=(x * 1.012, 0, 0.56 if x < 0 else 0.4),
                     size=(0.03, 0.26, 0.06))  # fmt: skip


def _add_mirrors(builder: StreetBuilder, parts: list[str], shape: CarShape, paint: str) -> None:
    y = shape.width / 2 + 0.06
    for side in (-1, 1):
        builder.geom('box', CAR, paint, body=parts, size=(0.06, 0.1, 0.07),
                     pos=(shape.nose * 0.38, side * y, shape.belt + 0.06))  # fmt: skip


def _add_contact_shadow(builder: StreetBuilder, parts: list[str], shape: CarShape) -> None:
    """Darken the road under and around the car, where the car blocks the light of the sky."""
    middle, half = (shape.nose + shape.tail) / 2, (shape.nose - shape.tail) / 2
    black = builder.material(color=(0, 0, 0), alpha=0.25)
    for index, spread in enumerate((-0.15, 0.0, 0.09)):
        builder.geom('box', ROAD, black, body=parts, pos=(middle, 0, 0.004 + 0.002 * index),
                     size=(half + spread, shape.width / 2 + spread, 0.0005))  # fmt: skip


def park_cars(
    builder: StreetBuilder, rng: np.random.Generator, *, y: float, start: float, end: float,
    keep_clear: tuple[float, float], density: tuple[float, float],
) -> list[Car]:  # fmt: skip
    """
    Park cars along a curb.

    :param start: x of the first parking space; ``end`` of the last.
    :param keep_clear: x range of a side road, where no car parks.
    :param density: range of the share of parking spaces that are taken.
    """
    cars, share, x = [], rng.uniform(*density), start + rng.uniform(1, 9)
    yaw = 180.0 if y > 0 else 0.0
    while x < end:
        on_side_road = keep_clear[0] - 4 < x < keep_clear[1] + 4
        if rng.random() < share and not on_side_road:
            reverse = 180.0 if rng.random() < 0.1 else 0.0
            cars.append(add_car(builder, rng, x=x, y=y + rng.uniform(-0.12, 0.12),
                                yaw=yaw + reverse + rng.normal(0, 1.2)))  # fmt: skip
        x += rng.uniform(5.4, 9)
    return cars


def add_traffic(builder: StreetBuilder, rng: np.random.Generator, lanes: list[float]) -> list[Car]:
    """
    Add moving cars.

    Cars on the right (y <= 0) drive in +x, the others in -x. All cars in a lane have the same
    speed, so they never collide.

    :param lanes: y of the center of each lane.
    """
    cars = []
    for y in lanes:
        forward = y <= 0
        speed = rng.uniform(6.5, 9) if forward else -rng.uniform(5, 11)
        x = rng.uniform(9, 45)
        for _ in range(int(rng.integers(0, 4))):
            cars.append(add_car(builder, rng, x=x, y=y + rng.uniform(-0.2, 0.2),
                                yaw=0.0 if forward else 180.0, speed=speed))  # fmt: skip
            x += rng.uniform(8, 40)
    return cars
