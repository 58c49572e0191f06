"""
A procedural street: what stands where.

Seen in the camera of KITTI: x along the street, y to the left, z up, the road at z = 0, the camera
1.65 m above it. Traffic keeps to the right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hydranet_scenes import furniture, plants, shapes, textures
from hydranet_scenes.builder import BUILDING, ROAD, SIDEWALK, VEGETATION, SceneBuilder
from hydranet_scenes.cars import MovingCar, add_car, park, traffic
from hydranet_scenes.houses import HouseKit, house

LENGTH = 190.0
BEHIND = 20.0
_PARKING = 2.15
_NOWHERE = (-1e3, -1e3)


@dataclass(frozen=True)
class StreetKind:
    """
    What streets of a kind have in common; ranges in metres, shares 0..1.

    :param marks: share of roads of few lanes with lane marks.
    :param parking: share of kerbs with parked cars, ``density`` how close they stand.
    :param on_sidewalk: share of such kerbs where cars stand partly on the sidewalk, by ``onto``.
    :param verge: share of sidewalks behind grass; ``raised`` of those with a real kerb;
        ``asphalt`` of those of asphalt, half of it as bright as the road's.
    :param urban: 0 a village, 1 a city; the least there is.
    :param plinths: share of houses with stone at their foot.
    """

    lanes: tuple[int, ...] = (1, 2, 2, 2, 2, 4)
    lane_width: tuple[float, float] = (2.8, 3.5)
    marks: float = 0.6
    parking: float = 0.65
    density: tuple[float, float] = (0.15, 0.85)
    on_sidewalk: float = 0.3
    onto: tuple[float, float] = (0.2, 1.0)
    verge: float = 0.25
    sidewalk: tuple[float, float] = (1.2, 4.5)
    raised: float = 0.75
    asphalt: float = 0.0
    urban: float = 0.0
    plinths: float = 0.4


STREET_KINDS = {
    'streets': StreetKind(),
    # Narrow, houses at the sidewalk's edge, sidewalks of asphalt behind parked cars.
    'old_town': StreetKind(
        lanes=(1, 2, 2), lane_width=(2.5, 3.2), marks=0.25, parking=0.95, density=(0.45, 0.95),
        on_sidewalk=0.7, onto=(0.5, 1.6), verge=0.03, sidewalk=(1.2, 3.2), raised=0.5,
        asphalt=0.75, urban=0.55, plinths=0.7,
    ),
}  # fmt: skip


@dataclass
class Street:
    """
    A street and the facts a camera needs of it.

    :param half_road: half the road's width in metres.
    :param lane: y of the middle of the camera's own lane.
    :param side_road: from where to where (x) another road crosses; far away if none does.
    :param parked: cars at the kerbs; ``traffic`` those that drive.
    :param lights: arguments of :meth:`SceneBuilder.xml`.
    :param kind: what it is drawn from.
    """

    builder: SceneBuilder
    half_road: float
    lane: float
    side_road: tuple[float, float]
    parked: list[MovingCar] = field(default_factory=list)
    traffic: list[MovingCar] = field(default_factory=list)
    lights: dict = field(default_factory=dict)
    kind: StreetKind = field(default_factory=StreetKind)

    def is_free(self, x: float, y: float, seconds: float = 0.0) -> bool:
        """Return whether a camera at (x, y) keeps clear of every car."""
        return not any(
            abs(car.x + car.speed * seconds - x) < car.length / 2 + 3.5 and abs(car.y - y) < 2.1
            for car in (*self.parked, *self.traffic)
        )


@dataclass(frozen=True)
class _Road:
    lanes: int
    lane_width: float
    margin: float

    @property
    def half(self) -> float:
        return self.lanes * self.lane_width / 2 + self.margin


def build_street(seed: int, kind: StreetKind = STREET_KINDS['streets']) -> Street:
    """Return the street of a seed and a kind; the same ones give the same street."""
    rng = np.random.default_rng((101, seed))
    builder = SceneBuilder()
    parking = [rng.random() < kind.parking for _ in range(2)]
    road = _Road(
        lanes=int(rng.choice(kind.lanes)),
        lane_width=rng.uniform(*kind.lane_width),
        margin=_PARKING if any(parking) else rng.uniform(0.2, 1.0),
    )
    side_road = _NOWHERE
    if rng.random() < 0.45:
        start = rng.uniform(12, 90)
        side_road = (start, start + rng.uniform(6, 11))
    centres = (np.arange(road.lanes) + 0.5 - road.lanes / 2) * road.lane_width
    lane = float(centres[0] if road.lanes < 4 else centres[int(rng.integers(2))])
    street = Street(builder, road.half, lane, side_road, kind=kind)
    surface = _ground(street, rng, road)
    _sides(street, rng, surface)
    _cars(street, rng, parking, [float(y) for y in centres])
    street.lights = _lights(rng)
    return street


def _cars(street: Street, rng: np.random.Generator, parking: list[bool], lanes: list) -> None:
    kind = street.kind
    for side, wanted in zip((-1, 1), parking):
        if wanted:
            # Where streets are narrow, cars stand half on the sidewalk.
            half_up = rng.random() < kind.on_sidewalk
            onto = rng.uniform(*kind.onto) if half_up else 0.0
            street.parked += park(
                street.builder, rng, y=side * (street.half_road - 1.05 + onto), start=-BEHIND / 2,
                end=LENGTH - 15, keep_clear=street.side_road, density=kind.density,
            )  # fmt: skip
    street.traffic += traffic(street.builder, rng, lanes)
    if street.side_road != _NOWHERE and rng.random() < 0.5:
        x = street.side_road[0] + rng.uniform(1.8, 3.5)
        side = rng.choice([-1, 1])
        y = side * (street.half_road + rng.uniform(3.0, 9.0))
        street.parked.append(add_car(street.builder, rng, x=x, y=float(y), yaw=-90.0 * side))


def _ground(street: Street, rng: np.random.Generator, road: _Road) -> textures.Texture:
    """Build roads and lawn; return the road's surface."""
    builder, half = street.builder, (LENGTH + BEHIND) / 2
    surface = textures.asphalt(
        rng,
        lanes=road.lanes,
        marks=rng.random() < (street.kind.marks if road.lanes < 4 else 0.9),
        kerb=road.margin / (2 * road.half),
    )
    material = builder.material(texture=surface, repeat=(2 * half / 12, 1))
    middle = half - BEHIND
    builder.geom('plane', ROAD, material, pos=(middle, 0, 0), size=(half, road.half, 1))
    lawn = builder.material(texture=textures.grass(rng), repeat=(100, 100))
    builder.geom('plane', VEGETATION, lawn, pos=(middle, 0, -0.03), size=(400, 400, 1))
    if street.side_road == _NOWHERE:
        return surface
    start, end = street.side_road
    plain = builder.material(texture=textures.asphalt(rng, lanes=1, marks=False), repeat=(1, 10))
    for side in (-1, 1):
        builder.geom('plane', ROAD, plain, pos=((start + end) / 2, side * (road.half + 60), 0),
                     size=((end - start) / 2, 60, 1))  # fmt: skip
    if rng.random() < 0.7:
        stripes = builder.material(texture=textures.zebra(rng), repeat=(road.half * 2, 1))
        builder.geom('plane', ROAD, stripes, pos=(start - 2.5, 0, 0.004),
                     size=(road.half - 0.3, 1.5, 1), euler=(0, 0, 90))  # fmt: skip
    if rng.random() < 0.5:
        for side in (-1, 1):
            furniture.traffic_light(builder, rng, start - 0.8, side * (road.half + 0.5))
    return surface


def _sides(street: Street, rng: np.random.Generator, surface: textures.Texture) -> None:
    builder, kind = street.builder, street.kind
    greens, houses = plants.PlantKit(builder, rng), HouseKit(builder, rng, kind.plinths)
    urban = kind.urban + (1 - kind.urban) * rng.random() ** 0.6
    for side in (-1, 1):
        edge = _sidewalk(street, rng, side, surface)
        _roadside(street, rng, (greens, houses), side=side, edge=edge, urban=urban)
        furniture.furnish(builder, rng, side=side, kerb=street.half_road, edge=edge, end=LENGTH)
    _horizon(builder, rng, greens, houses, urban)


def _stretches(street: Street, start: float, end: float) -> list[tuple[float, float]]:
    """Return from where to where (x) there is no side road."""
    low, high = street.side_road
    if not start < low < high < end:
        return [(start, end)]
    return [(start, low), (high, end)]


def _sidewalk(
    street: Street, rng: np.random.Generator, side: int, road: textures.Texture
) -> float:
    """Build kerb and sidewalk, maybe behind a strip of grass; return where it ends (y)."""
    builder, kind = street.builder, street.kind
    verge = rng.uniform(0.8, 2.5) if rng.random() < kind.verge else 0.0
    width = rng.uniform(*kind.sidewalk)
    height = rng.uniform(0.06, 0.16) if rng.random() < kind.raised else rng.uniform(0.01, 0.04)
    plain = kind.asphalt > 0 and rng.random() < kind.asphalt
    texture = builder.texture(_walked_asphalt(rng, road) if plain else textures.paving(rng))
    stone = builder.material(color=[rng.uniform(0.35, 0.85)] * 3)
    start = street.half_road + verge
    for low, high in _stretches(street, -BEHIND, LENGTH):
        middle, half = (low + high) / 2, (high - low) / 2
        repeat = (half / 6, 1.0) if plain else (half / 2, max(1.0, width / 4))
        slabs = builder.material(texture=texture, repeat=repeat)
        builder.geom('box', SIDEWALK, slabs, pos=(middle, side * (start + width / 2), 0),
                     size=(half, width / 2, height))  # fmt: skip
        builder.geom('box', SIDEWALK, stone, pos=(middle, side * (street.half_road + 0.08), 0),
                     size=(half, 0.08, height + 0.005))  # fmt: skip
    return start + width


def _walked_asphalt(rng: np.random.Generator, road: textures.Texture) -> textures.Texture:
    """Return 12 m of asphalt, every other one as bright as the road's."""
    found = textures.asphalt(rng, lanes=1, marks=False)
    if rng.random() < 0.5:
        brightness = float(road.mean() / found.mean()) * rng.uniform(0.85, 1.2)
        return textures.finished(found * brightness)
    return found


def _roadside(
    street: Street, rng: np.random.Generator, kits: tuple[plants.PlantKit, HouseKit],
    *, side: int, edge: float, urban: float,
) -> None:  # fmt: skip
    greens, houses = kits
    for low, high in _stretches(street, -BEHIND, LENGTH):
        x = low + (2.0 if low > 0 else 0.0)
        while x < high - 8:
            kind = rng.random()
            room = min(high - x, rng.uniform(8, 30))
            if kind < 0.15 + 0.6 * urban and high - x > 23:
                x += house(
                    street.builder, rng, houses, greens, x=x, side=side, edge=edge, urban=urban
                )
            elif kind < 0.9:
                plants.grove(street.builder, rng, greens, plants.Row(x, room, side, edge))
                x += room
            else:
                x += rng.uniform(3, 10)


def _horizon(
    builder: SceneBuilder, rng: np.random.Generator, greens: plants.PlantKit, houses: HouseKit,
    urban: float,
) -> None:  # fmt: skip
    """Close the end of the street, or leave it open, with hills or houses far away."""
    end = rng.random()
    if end < 0.35:
        for y in np.arange(-60, 60, rng.uniform(5, 9)):
            plants.tree(builder, rng, greens, LENGTH + rng.uniform(-5, 30), float(y))
    elif end < 0.65:
        for y in np.arange(-70, 70, 18):
            high = rng.uniform(4, 8 + 14 * urban)
            look = houses.looks[int(rng.integers(len(houses.looks)))]
            wall = builder.mesh(*shapes.house_walls(17, 10, high, max(1, round(high / 3)) / 2))
            builder.geom('mesh', BUILDING, builder.material(texture=look.upper), mesh=wall,
                         pos=(LENGTH + 15, float(y), 0), euler=(0, 0, 90))  # fmt: skip
    for _ in range(int(rng.integers(0, 7))):
        hill = builder.material(texture=textures.grass(rng), repeat=(9, 9))
        size = (60, rng.uniform(40, 150), rng.uniform(4, 22))
        builder.geom('ellipsoid', VEGETATION, hill, size=size,
                     pos=(LENGTH + 120, rng.uniform(-260, 260), -1))  # fmt: skip


def _lights(rng: np.random.Generator) -> dict:
    """Sunny or overcast; and the colour of the sky at the horizon."""
    sunny = rng.random() < 0.5
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.6)
    sun = np.array([np.cos(azimuth), np.sin(azimuth), -height])
    bright = rng.uniform(0.8, 1.0)
    blue = rng.uniform(0, 0.3) * sunny
    return {
        'sun': sun / np.linalg.norm(sun),
        'light': rng.uniform(0.5, 0.85) if sunny else rng.uniform(0.0, 0.2),
        'overhead': rng.uniform(0.05, 0.2) if sunny else rng.uniform(0.2, 0.45),
        'ambient': rng.uniform(0.18, 0.4) if sunny else rng.uniform(0.35, 0.6),
        'sky': (bright - blue, bright - blue * 0.4, bright),
    }
