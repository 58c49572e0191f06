"""Generate a street from a seed: ground, sidewalks, houses, plants, cars and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydranet_scenes.rendering.textures import Texture, to_uint8
from hydranet_scenes.streets import meshes, plants, street_furniture, textures
from hydranet_scenes.streets.builder import StreetBuilder, StreetLighting
from hydranet_scenes.streets.cars import add_car, add_traffic, park_cars
from hydranet_scenes.streets.classes import BUILDING, ROAD, SIDEWALK, VEGETATION
from hydranet_scenes.streets.houses import HouseKit, add_house
from hydranet_scenes.streets.kinds import STREET_KINDS, StreetKind
from hydranet_scenes.streets.street import BEHIND, LENGTH, Street

# Width of a parking lane, in meters.
_PARKING_WIDTH = 2.15
_NO_SIDE_ROAD = (-1e3, -1e3)


@dataclass(frozen=True)
class _Road:
    """
    Cross-section of a road, in meters.

    :param margin: width between the outermost lane and the curb.
    """

    lanes: int
    lane_width: float
    margin: float

    @property
    def half_width(self) -> float:
        return self.lanes * self.lane_width / 2 + self.margin


def build_street(seed: int, kind: StreetKind = STREET_KINDS['streets']) -> Street:
    """Return the street of a seed; the same seed and kind give the same street."""
    rng = np.random.default_rng((101, seed))
    builder = StreetBuilder()
    parking = [rng.random() < kind.parking for _ in range(2)]
    road = _Road(
        lanes=int(rng.choice(kind.lanes)),
        lane_width=rng.uniform(*kind.lane_width),
        margin=_PARKING_WIDTH if any(parking) else rng.uniform(0.2, 1.0),
    )
    side_road = _NO_SIDE_ROAD
    if rng.random() < 0.45:
        start = rng.uniform(12, 90)
        side_road = (start, start + rng.uniform(6, 11))
    lanes = (np.arange(road.lanes) + 0.5 - road.lanes / 2) * road.lane_width
    lane_y = float(lanes[0] if road.lanes < 4 else lanes[int(rng.integers(2))])
    street = Street(builder, road.half_width, lane_y, side_road, kind=kind)
    surface = _add_ground(street, rng, road)
    _add_roadsides(street, rng, surface)
    _add_cars(street, rng, parking, [float(y) for y in lanes])
    street.lighting = _lighting(rng)
    return street


def _add_cars(
    street: Street, rng: np.random.Generator, parking: list[bool], lanes: list[float]
) -> None:
    """
    Add parked cars and traffic.

    :param parking: whether cars park on the right (y < 0) and on the left side.
    :param lanes: y of the center of each lane.
    """
    kind = street.kind
    for side, parked in zip((-1, 1), parking):
        if parked:
            on_sidewalk = rng.random() < kind.sidewalk_parking
            overlap = rng.uniform(*kind.sidewalk_overlap) if on_sidewalk else 0.0
            street.parked += park_cars(
                street.builder, rng, y=side * (street.road_half_width - 1.05 + overlap),
                start=-BEHIND / 2, end=LENGTH - 15, keep_clear=street.side_road,
                density=kind.parking_density,
            )  # fmt: skip
    street.traffic += add_traffic(street.builder, rng, lanes)
    if street.side_road != _NO_SIDE_ROAD and rng.random() < 0.5:
        x = street.side_road[0] + rng.uniform(1.8, 3.5)
        side = rng.choice([-1, 1])
        y = side * (street.road_half_width + rng.uniform(3.0, 9.0))
        street.parked.append(add_car(street.builder, rng, x=x, y=float(y), yaw=-90.0 * side))


def _add_ground(street: Street, rng: np.random.Generator, road: _Road) -> Texture:
    """Add the road, the lawn and the side road, and return the texture of the road."""
    builder, half = street.builder, (LENGTH + BEHIND) / 2
    surface = textures.asphalt(
        rng,
        lanes=road.lanes,
        markings=rng.random() < (street.kind.markings if road.lanes < 4 else 0.9),
        margin=road.margin / (2 * road.half_width),
    )
    material = builder.material(texture=surface, repeat=(2 * half / 12, 1))
    middle = half - BEHIND
    builder.geom('plane', ROAD, material, pos=(middle, 0, 0), size=(half, road.half_width, 1))
    lawn = builder.material(texture=textures.grass(rng), repeat=(100, 100))
    builder.geom('plane', VEGETATION, lawn, pos=(middle, 0, -0.03), size=(400, 400, 1))
    if street.side_road != _NO_SIDE_ROAD:
        _add_side_road(street, rng)
    return surface


def _add_side_road(street: Street, rng: np.random.Generator) -> None:
    """Add a side road, often with a crosswalk and traffic lights."""
    builder, half_width = street.builder, street.road_half_width
    start, end = street.side_road
    asphalt = textures.asphalt(rng, lanes=1, markings=False)
    plain = builder.material(texture=asphalt, repeat=(1, 10))
    for side in (-1, 1):
        builder.geom('plane', ROAD, plain, pos=((start + end) / 2, side * (half_width + 60), 0),
                     size=((end - start) / 2, 60, 1))  # fmt: skip
    if rng.random() < 0.7:
        stripes = builder.material(texture=textures.crosswalk(rng), repeat=(half_width * 2, 1))
        builder.geom('plane', ROAD, stripes, pos=(start - 2.5, 0, 0.004),
                     size=(half_width - 0.3, 1.5, 1), euler=(0, 0, 90))  # fmt: skip
    if rng.random() < 0.5:
        for side in (-1, 1):
            y = side * (half_width + 0.5)
            street_furniture.add_traffic_light(builder, rng, start - 0.8, y)


def _add_roadsides(street: Street, rng: np.random.Generator, road: Texture) -> None:
    """Add sidewalks with street furniture, houses and plants, and the far end of the street."""
    builder, kind = street.builder, street.kind
    plant_kit, house_kit = plants.PlantKit(builder, rng), HouseKit(builder, rng, kind.plinths)
    urban = kind.min_urban + (1 - kind.min_urban) * rng.random() ** 0.6
    for side in (-1, 1):
        edge = _add_sidewalk(street, rng, side, road)
        _add_houses_and_plants(
            street, rng, plant_kit, house_kit, side=side, edge=edge, urban=urban
        )
        street_furniture.furnish_sidewalk(
            builder, rng, side=side, curb=street.road_half_width, edge=edge, end=LENGTH
        )
    _add_horizon(builder, rng, plant_kit, house_kit, urban)


def _between_side_roads(street: Street, start: float, end: float) -> list[tuple[float, float]]:
    """Return the x ranges from ``start`` to ``end`` without the side road."""
    low, high = street.side_road
    if not start < low < high < end:
        return [(start, end)]
    return [(start, low), (high, end)]


def _add_sidewalk(street: Street, rng: np.random.Generator, side: int, road: Texture) -> float:
    """
    Add a curb and a sidewalk, with or without a grass strip between them.

    :param side: -1 (right) or 1 (left).
    :return: the distance of the sidewalk's outer edge from the center line, in meters.
    """
    builder, kind = street.builder, street.kind
    verge = rng.uniform(0.8, 2.5) if rng.random() < kind.verge else 0.0
    width = rng.uniform(*kind.sidewalk_width)
    raised = rng.random() < kind.raised_curb
    height = rng.uniform(0.06, 0.16) if raised else rng.uniform(0.01, 0.04)
    asphalt = kind.asphalt_sidewalk > 0 and rng.random() < kind.asphalt_sidewalk
    texture = builder.texture(_sidewalk_asphalt(rng, road) if asphalt else textures.paving(rng))
    stone = builder.material(color=[rng.uniform(0.35, 0.85)] * 3)
    start = street.road_half_width + verge
    curb_y = side * (street.road_half_width + 0.08)
    for low, high in _between_side_roads(street, -BEHIND, LENGTH):
        middle, half = (low + high) / 2, (high - low) / 2
        repeat = (half / 6, 1.0) if asphalt else (half / 2, max(1.0, width / 4))
        slabs = builder.material(texture=texture, repeat=repeat)
        builder.geom('box', SIDEWALK, slabs, pos=(middle, side * (start + width / 2), 0),
                     size=(half, width / 2, height))  # fmt: skip
        builder.geom('box', SIDEWALK, stone, pos=(middle, curb_y, 0),
                     size=(half, 0.08, height + 0.005))  # fmt: skip
    return start + width


def _sidewalk_asphalt(rng: np.random.Generator, road: Texture) -> Texture:
    """Return 12 m of asphalt that is, in half of the cases, about as bright as the road."""
    asphalt = textures.asphalt(rng, lanes=1, markings=False)
    if rng.random() < 0.5:
        brightness = float(road.mean() / asphalt.mean()) * rng.uniform(0.85, 1.2)
        return to_uint8(asphalt * brightness)
    return asphalt


def _add_houses_and_plants(
    street: Street, rng: np.random.Generator, plant_kit: plants.PlantKit, house_kit: HouseKit,
    *, side: int, edge: float, urban: float,
) -> None:  # fmt: skip
    """Line one side of the street, from ``edge`` outward, with houses, plants and gaps."""
    for low, high in _between_side_roads(street, -BEHIND, LENGTH):
        x = low + (2.0 if low > 0 else 0.0)
        while x < high - 8:
            chance = rng.random()
            length = min(high - x, rng.uniform(8, 30))
            if chance < 0.15 + 0.6 * urban and high - x > 23:
                x += add_house(
                    street.builder, rng, house_kit, plant_kit, x=x, side=side, edge=edge,
                    urban=urban,
                )  # fmt: skip
            elif chance < 0.9:
                row = plants.Row(x, length, side, edge)
                plants.add_grove(street.builder, rng, plant_kit, row)
                x += length
            else:
                x += rng.uniform(3, 10)


def _add_horizon(
    builder: StreetBuilder, rng: np.random.Generator, plant_kit: plants.PlantKit,
    house_kit: HouseKit, urban: float,
) -> None:  # fmt: skip
    """Close the end of the street with trees or houses, or leave it open, and add hills."""
    chance = rng.random()
    if chance < 0.35:
        for y in np.arange(-60, 60, rng.uniform(5, 9)):
            plants.add_tree(builder, rng, plant_kit, LENGTH + rng.uniform(-5, 30), float(y))
    elif chance < 0.65:
        for y in np.arange(-70, 70, 18):
            height = rng.uniform(4, 8 + 14 * urban)
            style = house_kit.styles[int(rng.integers(len(house_kit.styles)))]
            repeats = max(1, round(height / 3)) / 2
            wall = builder.mesh(*meshes.house_walls(17, 10, height, repeats))
            builder.geom('mesh', BUILDING, builder.material(texture=style.upper), mesh=wall,
                         pos=(LENGTH + 15, float(y), 0), euler=(0, 0, 90))  # fmt: skip
    for _ in range(int(rng.integers(0, 7))):
        hill = builder.material(texture=textures.grass(rng), repeat=(9, 9))
        size = (60, rng.uniform(40, 150), rng.uniform(4, 22))
        builder.geom('ellipsoid', VEGETATION, hill, size=size,
                     pos=(LENGTH + 120, rng.uniform(-260, 260), -1))  # fmt: skip


def _lighting(rng: np.random.Generator) -> StreetLighting:
    """Return a sunny or overcast sky."""
    sunny = rng.random() < 0.5
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.6)
    sun = np.array([np.cos(azimuth), np.sin(azimuth), -height])
    brightness = rng.uniform(0.8, 1.0)
    blue = rng.uniform(0, 0.3) * sunny
    return StreetLighting(
        sun_direction=sun / np.linalg.norm(sun),
        sun_strength=rng.uniform(0.5, 0.85) if sunny else rng.uniform(0.0, 0.2),
        sky_strength=rng.uniform(0.05, 0.2) if sunny else rng.uniform(0.2, 0.45),
        ambient_strength=rng.uniform(0.18, 0.4) if sunny else rng.uniform(0.35, 0.6),
        sky_color=(brightness - blue, brightness - blue * 0.4, brightness),
    )
