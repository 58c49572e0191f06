"""
A procedural street: what stands where.

Seen in the camera of KITTI: x along the street, y to the left, z up, the camera 1.65 m above the
road at x = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hydranet_ros.scenes import shapes, textures
from hydranet_ros.scenes.builder import (
    BUILDING,
    CAR,
    OTHER,
    ROAD,
    SIDEWALK,
    VEGETATION,
    SceneBuilder,
)

LENGTH = 190.0
BEHIND = 20.0
_PAINTS = (
    (0.75, 0.75, 0.78), (0.06, 0.06, 0.07), (0.9, 0.9, 0.9), (0.45, 0.05, 0.06),
    (0.1, 0.15, 0.35), (0.3, 0.32, 0.34), (0.1, 0.3, 0.18), (0.6, 0.5, 0.35), (0.15, 0.35, 0.55),
    (0.7, 0.55, 0.1),
)  # fmt: skip


@dataclass
class MovingCar:
    """A car in traffic: its body's name, lane (y) and speed along x in metres a second."""

    body: str
    x: float
    y: float
    speed: float


@dataclass
class Street:
    """
    A street under construction and the facts a camera needs of it.

    :param half_road: half the road's width in metres.
    :param lane: y of the middle of the camera's own lane.
    """

    builder: SceneBuilder
    half_road: float
    lane: float
    traffic: list[MovingCar] = field(default_factory=list)
    lights: dict = field(default_factory=dict)


def build_street(seed: int) -> Street:
    """Return the street of a seed; the same seed gives the same street."""
    rng = np.random.default_rng((101, seed))
    builder = SceneBuilder()
    lanes = int(rng.choice([1, 2, 2, 2, 3, 4]))
    half_road = lanes * rng.uniform(2.7, 3.5) / 2 + rng.uniform(0.3, 2.6)
    lane = -half_road / 2 if lanes > 1 else 0.0
    street = Street(builder, half_road, lane)
    _ground(builder, rng, street, lanes)
    edges = [_sidewalk(builder, rng, street, side) for side in (-1, 1)]
    kit = _Kit(builder, rng)
    urban = rng.random()
    for side, edge in zip((-1, 1), edges):
        _roadside(street, rng, kit, side, edge, urban)
        _furniture(builder, rng, kit, side, half_road)
        _people(builder, rng, side, half_road, edge)
    _horizon(builder, rng, kit, urban)
    _cars(street, rng)
    street.lights = _lights(rng)
    return street


class _Kit:
    """Materials and meshes that a street uses again and again."""

    def __init__(self, builder: SceneBuilder, rng: np.random.Generator) -> None:
        self.leaves = [
            builder.material(texture=textures.leaves(rng), repeat=(1, 1)) for _ in range(3)
        ]
        self.crowns = []
        for _ in range(5):
            radius = rng.uniform(0.8, 3.2)
            height = radius * rng.uniform(1.2, 2.6)
            self.crowns.append((builder.mesh(*shapes.crown(rng, radius, height)), radius, height))
        brown = rng.uniform(0.15, 0.4)
        self.bark = builder.material(color=(brown, brown * 0.8, brown * 0.65))
        self.facades = [builder.material(texture=textures.facade(rng)) for _ in range(4)]
        self.roofs = [builder.material(texture=textures.roof(rng)) for _ in range(2)]
        grey = rng.uniform(0.2, 0.7)
        self.metal = builder.material(color=(grey, grey, grey), shine=0.4)
        self.hedge = builder.material(texture=textures.leaves(rng), repeat=(6, 2))
        wood = rng.uniform(0.2, 0.8)
        self.fence = builder.material(color=(wood, wood * 0.85, wood * 0.7))


def _ground(builder: SceneBuilder, rng, street: Street, lanes: int) -> None:
    road = textures.asphalt(rng, lanes=lanes, marks=rng.random() < 0.8)
    middle, half = (LENGTH - BEHIND) / 2, (LENGTH + BEHIND) / 2
    material = builder.material(texture=road, repeat=(2 * half / 12, 1))
    builder.geom('plane', ROAD, material, pos=(middle, 0, 0), size=(half, street.half_road, 1))
    lawn = builder.material(texture=textures.grass(rng), repeat=(60, 60))
    builder.geom('plane', VEGETATION, lawn, pos=(middle, 0, -0.03), size=(400, 400, 1))
    if rng.random() < 0.35:
        x = rng.uniform(25, 90)
        width = rng.uniform(3, 5)
        plain = builder.material(
            texture=textures.asphalt(rng, lanes=1, marks=False), repeat=(1, 8)
        )
        builder.geom('plane', ROAD, plain, pos=(x, 0, 0.005), size=(width, 60, 1))


def _sidewalk(builder: SceneBuilder, rng, street: Street, side: int) -> float:
    """Build a sidewalk, maybe behind a strip of grass; return where it ends."""
    verge = rng.uniform(0.8, 2.5) if rng.random() < 0.25 else 0.0
    width = rng.uniform(1.2, 4.5)
    start = street.half_road + verge
    height = rng.uniform(0.04, 0.16)
    material = builder.material(texture=textures.paving(rng), repeat=(50, max(1.0, width / 4)))
    middle, half = (LENGTH - BEHIND) / 2, (LENGTH + BEHIND) / 2
    builder.geom(
        'box', SIDEWALK, material,
        pos=(middle, side * (start + width / 2), 0), size=(half, width / 2, height),
    )  # fmt: skip
    return start + width


def _roadside(street: Street, rng, kit: _Kit, side: int, edge: float, urban: float) -> None:
    x = -BEHIND
    while x < LENGTH - 10:
        kind = rng.random()
        if kind < 0.15 + 0.6 * urban:
            x += _house(street.builder, rng, kit, x, side, edge, urban)
        elif kind < 0.9:
            x += _green(street.builder, rng, kit, x, side, edge)
        else:
            x += rng.uniform(3, 10)


def _house(builder, rng, kit, x: float, side: int, edge: float, urban: float) -> float:
    width = rng.uniform(7, 24)
    depth = rng.uniform(8, 14)
    storeys = int(rng.integers(1, 3 + int(5 * urban)))
    setback = rng.uniform(0, 1.0) if urban > 0.5 else rng.uniform(1, 9)
    height = storeys * shapes.STOREY * rng.uniform(0.95, 1.2)
    wall = kit.facades[int(rng.integers(len(kit.facades)))]
    position = (x + width / 2, side * (edge + setback + depth / 2), 0)
    builder.geom('mesh', BUILDING, wall, mesh=builder.mesh(*shapes.house_walls(width, depth, height)), pos=position)  # noqa: E501
    cover = kit.roofs[int(rng.integers(2))]
    if rng.random() < 0.6:
        roof = builder.mesh(*shapes.gable_roof(width, depth, rng.uniform(1.5, 4)))
        builder.geom('mesh', BUILDING, cover, mesh=roof, pos=(*position[:2], height))
    else:
        builder.geom('box', BUILDING, cover, size=(width / 2 + 0.2, depth / 2 + 0.2, 0.3),
                     pos=(*position[:2], height))  # fmt: skip
    if setback > 2.5:
        _front_garden(builder, rng, kit, x, width, side, edge)
    return width + (rng.uniform(0, 1) if urban > 0.6 else rng.uniform(0, 8))


def _front_garden(builder, rng, kit, x, width, side, edge) -> None:
    high = rng.uniform(0.5, 1.8) / 2
    material, label = (kit.hedge, VEGETATION) if rng.random() < 0.65 else (kit.fence, OTHER)
    thick = 0.5 if label == VEGETATION else 0.05
    builder.geom('box', label, material, size=(width / 2, thick, high),
                 pos=(x + width / 2, side * (edge + thick), high))  # fmt: skip
    if rng.random() < 0.5:
        tree(builder, rng, kit, x + rng.uniform(0, width), side * (edge + 1.8))


def _green(builder, rng, kit, x: float, side: int, edge: float) -> float:
    length = rng.uniform(8, 30)
    if rng.random() < 0.4:
        high = rng.uniform(0.6, 2.6) / 2
        builder.geom('box', VEGETATION, kit.hedge, size=(length / 2, 0.6, high),
                     pos=(x + length / 2, side * (edge + 0.8), high))  # fmt: skip
    for _ in range(int(rng.integers(2, 9))):
        tree(builder, rng, kit, x + rng.uniform(0, length), side * (edge + rng.uniform(0.8, 14)))
    for _ in range(int(rng.integers(0, 6))):
        crown, _, height = kit.crowns[int(rng.integers(len(kit.crowns)))]
        builder.geom('mesh', VEGETATION, kit.leaves[int(rng.integers(3))], mesh=crown,
                     pos=(x + rng.uniform(0, length), side * (edge + rng.uniform(2, 9)),
                          height * 0.15), euler=(0, 0, rng.uniform(0, 360)))  # fmt: skip
    return length


def tree(builder: SceneBuilder, rng, kit: _Kit, x: float, y: float) -> None:
    """Plant a tree: a trunk and one to six crowns."""
    trunk = rng.uniform(1.2, 4.5)
    radius = rng.uniform(0.08, 0.3)
    builder.geom('cylinder', VEGETATION, kit.bark, pos=(x, y, trunk / 2), size=(radius, trunk / 2),
                 euler=(rng.uniform(-4, 4), rng.uniform(-4, 4), 0))  # fmt: skip
    leaves = kit.leaves[int(rng.integers(3))]
    for index in range(int(rng.integers(1, 6))):
        crown, width, height = kit.crowns[int(rng.integers(len(kit.crowns)))]
        reach = 0 if index == 0 else width * 0.6
        builder.geom(
            'mesh', VEGETATION, leaves, mesh=crown, euler=(0, 0, rng.uniform(0, 360)),
            pos=(x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach),
                 trunk + height * rng.uniform(0.1, 0.5)),
        )  # fmt: skip


def _furniture(builder, rng, kit, side: int, half_road: float) -> None:
    if rng.random() < 0.75:
        y = side * (half_road + rng.uniform(0.3, 0.8))
        high = rng.uniform(4, 8)
        spacing = rng.uniform(14, 35)
        for x in np.arange(rng.uniform(4, spacing), LENGTH, spacing):
            builder.geom('cylinder', OTHER, kit.metal, pos=(x, y, high / 2), size=(0.07, high / 2))
            builder.geom('box', OTHER, kit.metal, pos=(x, y - side * 0.8, high), size=(0.12, 0.9, 0.06))
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(8, 100), side * (half_road + rng.uniform(0.3, 1.0))
        builder.geom('cylinder', OTHER, kit.metal, pos=(x, y, 1.1), size=(0.035, 1.1))
        plate = builder.material(color=rng.uniform(0, 1, 3))
        kind, size = (('cylinder', (0.35, 0.02)), ('box', (0.4, 0.25, 0.02)))[int(rng.integers(2))]
        builder.geom(kind, OTHER, plate, pos=(x, y, 2.3), size=size, euler=(0, 90, 0))


def _people(builder, rng, side: int, half_road: float, edge: float) -> None:
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(6, 70), side * rng.uniform(half_road + 0.4, edge)
        high = rng.uniform(1.5, 1.9)
        top, legs = (builder.material(color=rng.uniform(0, 0.8, 3)) for _ in range(2))
        skin = builder.material(color=np.array([0.85, 0.65, 0.5]) * rng.uniform(0.4, 1.1))
        for offset in (-0.1, 0.1):
            builder.geom('capsule', OTHER, legs, pos=(x + offset, y, high * 0.25),
                         size=(0.08, high * 0.2), euler=(0, offset * 120, 0))  # fmt: skip
        builder.geom('capsule', OTHER, top, pos=(x, y, high * 0.65), size=(0.19, high * 0.14))
        builder.geom('sphere', OTHER, skin, pos=(x, y, high * 0.93), size=(0.11,))


def _horizon(builder, rng, kit, urban: float) -> None:
    """Close the end of the street, or leave it open, with hills or houses far away."""
    end = rng.random()
    if end < 0.35:
        for y in np.arange(-60, 60, rng.uniform(5, 9)):
            tree(builder, rng, kit, LENGTH + rng.uniform(-5, 30), y)
    elif end < 0.6:
        for y in np.arange(-70, 70, 18):
            wall = builder.mesh(*shapes.house_walls(17, 10, rng.uniform(4, 8 + 14 * urban)))
            builder.geom('mesh', BUILDING, kit.facades[int(rng.integers(4))], mesh=wall,
                         pos=(LENGTH + 15, y, 0), euler=(0, 0, 90))  # fmt: skip
    for _ in range(int(rng.integers(0, 7))):
        hill = builder.material(texture=textures.grass(rng), repeat=(9, 9))
        builder.geom('ellipsoid', VEGETATION, hill, size=(60, rng.uniform(40, 150), rng.uniform(4, 22)),
                     pos=(LENGTH + 120, rng.uniform(-260, 260), -1))  # fmt: skip


def _cars(street: Street, rng) -> None:
    for side in (-1, 1):
        if rng.random() < 0.65:
            y = side * (street.half_road - 1.0)
            density = rng.uniform(0.15, 0.85)
            x = rng.uniform(1, 9)
            while x < LENGTH - 15:
                if rng.random() < density:
                    add_car(street, rng, x, y + rng.uniform(-0.15, 0.15), 180.0 * (side > 0))
                x += rng.uniform(5.6, 9)
    for _ in range(int(rng.integers(0, 6))):
        onward = rng.random() < 0.5
        y = street.lane if onward else -street.lane + rng.uniform(-0.2, 0.2)
        x = rng.uniform(9, 110)
        speed = rng.uniform(3, 12) * (1 if onward else -1)
        street.traffic.append(add_car(street, rng, x, y, 0.0 if onward else 180.0, speed))
    if rng.random() < 0.3:
        add_car(street, rng, rng.uniform(15, 60), rng.uniform(-1, 1) * street.half_road, 90.0)


def add_car(street: Street, rng, x: float, y: float, yaw: float, speed: float = 0.0) -> MovingCar:
    """Add a car from body, cabin, wheels, lights and plate; return where it is."""
    builder, parts = street.builder, []
    body, cabin = shapes.car_profile(shapes.CAR_KINDS[int(rng.integers(4))])
    width, stretch = rng.uniform(1.65, 1.9), rng.uniform(0.9, 1.08)
    body, cabin = body * (stretch, 1), cabin * (stretch, 1)
    color = np.array(_PAINTS[int(rng.integers(len(_PAINTS)))]) * rng.uniform(0.7, 1.15)
    paint = builder.material(color=np.clip(color, 0, 1), shine=0.7)
    glass = builder.material(color=np.array([0.1, 0.12, 0.14]) * rng.uniform(0.5, 2.5), shine=0.9)
    dark = builder.material(color=(0.05, 0.05, 0.05))
    builder.geom('mesh', CAR, paint, mesh=builder.mesh(*extruded(body, width, 0.97)), body=parts)
    builder.geom('mesh', CAR, glass, mesh=builder.mesh(*extruded(cabin, width, 0.78)), body=parts)
    roof = cabin[:, 1].max()
    inner = cabin[cabin[:, 1] > roof - 0.15]
    builder.geom('box', CAR, paint, body=parts, size=(np.ptp(inner[:, 0]) / 2 + 0.05, width * 0.39, 0.03),
                 pos=(inner[:, 0].mean(), 0, roof))  # fmt: skip
    low, high = body[:, 0].min(), body[:, 0].max()
    for axle in (low * 0.62, high * 0.62):
        for half in (-1, 1):
            builder.geom('cylinder', CAR, dark, body=parts, size=(0.32, 0.1), euler=(90, 0, 0),
                         pos=(axle, half * (width / 2 - 0.08), 0.32))  # fmt: skip
    _lamps(builder, parts, width, low, high, dark)
    name = builder.body(parts, (x, y, 0), yaw)
    return MovingCar(name, x, y, speed)


def _lamps(builder, parts, width, low, high, dark) -> None:
    red = builder.material(color=(0.6, 0.04, 0.04), shine=0.5)
    white = builder.material(color=(0.9, 0.9, 0.85), shine=0.8)
    for half in (-1, 1):
        side = half * (width / 2 - 0.22)
        builder.geom('box', CAR, red, body=parts, pos=(low, side, 0.8), size=(0.04, 0.17, 0.09))
        builder.geom('box', CAR, white, body=parts, pos=(high, side, 0.7), size=(0.05, 0.18, 0.08))
    builder.geom('box', CAR, dark, body=parts, pos=(low, 0, 0.42), size=(0.04, width * 0.42, 0.08))


def extruded(outline, width: float, top: float):
    """Return the vertices and faces of :func:`shapes.extrude`."""
    return shapes.extrude(outline, width, top=top)


def _lights(rng) -> dict:
    """Sunny, cloudy or dull; and the colour of the sky at the horizon."""
    cloudy = rng.random()
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.5)
    sun = np.array([np.cos(azimuth), np.sin(azimuth), -height])
    bright = rng.uniform(0.75, 1.0)
    blue = rng.uniform(0, 0.35) * (cloudy < 0.5)
    return {
        'sun': sun / np.linalg.norm(sun),
        'light': rng.uniform(0.5, 0.9) if cloudy < 0.55 else rng.uniform(0.0, 0.35),
        'ambient': rng.uniform(0.25, 0.5) if cloudy < 0.55 else rng.uniform(0.45, 0.8),
        'sky': (bright - blue, bright - blue * 0.4, bright),
    }
