"""Houses: walls with a ground floor, roofs, chimneys, balconies, front gardens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydranet_scenes.streets import meshes, plants, textures
from hydranet_scenes.streets.builder import StreetBuilder
from hydranet_scenes.streets.classes import BUILDING, OTHER, VEGETATION
from hydranet_scenes.streets.facades import STORY_HEIGHT, facade


@dataclass(frozen=True)
class _HouseStyle:
    """
    Walls of one style of house.

    :param upper: texture name of the upper stories; ``ground`` of the ground floor.
    :param color: color of the bare wall, RGB 0..1.
    """

    upper: str
    ground: str
    color: tuple[float, float, float]


class HouseKit:
    """
    The textures and materials that the houses of one street share.

    :param plinth_share: share of houses whose base is faced with stone.
    """

    def __init__(
        self, builder: StreetBuilder, rng: np.random.Generator, plinth_share: float
    ) -> None:
        self.plinth_share = plinth_share
        self.styles = []
        for _ in range(5):
            walls = facade(rng)
            upper, ground = builder.texture(walls.upper), builder.texture(walls.ground)
            self.styles.append(_HouseStyle(upper, ground, walls.color))
        self.roofs = [builder.material(texture=textures.roof(rng)) for _ in range(3)]
        wood = rng.uniform(0.2, 0.8)
        self.fence = builder.material(color=(wood, wood * 0.85, wood * 0.7))
        stone = textures.paving(rng)
        self.stone = builder.material(texture=stone, repeat=(4, 1))
        self.plinths = [builder.texture(textures.paving(rng)) for _ in range(2)]
        self.trim = builder.material(color=[rng.uniform(0.3, 0.95)] * 3)


@dataclass(frozen=True)
class Plot:
    """
    The box that a house fills, in meters.

    :param x: start along the street.
    :param side: -1 (right) or 1 (left).
    :param front: distance of the facade from the center line.
    """

    x: float
    side: int
    front: float
    width: float
    depth: float
    height: float


def add_house(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plant_kit: plants.PlantKit,
    *, x: float, side: int, edge: float, urban: float,
) -> float:  # fmt: skip
    """
    Add a house with its front garden.

    :param edge: distance of the sidewalk's outer edge from the center line, in meters.
    :param urban: 0 (village) to 1 (city); city houses are higher and stand closer together.
    :return: the length along the street that the house takes, in meters.
    """
    stories = int(rng.integers(1, 3 + int(5 * urban)))
    setback = max(0.0, rng.uniform(-1.0, 1.0)) if urban > 0.5 else rng.uniform(1, 9)
    plot = Plot(
        x, side, edge + setback, rng.uniform(7, 22), rng.uniform(8, 13),
        stories * STORY_HEIGHT * rng.uniform(0.95, 1.2),
    )  # fmt: skip
    style = kit.styles[int(rng.integers(len(kit.styles)))]
    _add_walls(builder, rng, kit, plot, style)
    if rng.random() < 0.65:
        _add_gable_roof(builder, rng, kit, plot, style)
    else:
        _add_flat_roof(builder, rng, kit, plot)
    if setback > 2.5:
        _add_front_garden(builder, rng, kit, plant_kit, plot, edge)
    return plot.width + (rng.uniform(0, 1) if urban > 0.6 else rng.uniform(0, 8))


def _center(plot: Plot) -> tuple[float, float]:
    """Return the (x, y) center of a plot."""
    return plot.x + plot.width / 2, plot.side * (plot.front + plot.depth / 2)


def _add_walls(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot, style: _HouseStyle
) -> None:
    """Add the walls of the ground floor and of the upper stories."""
    tint = rng.uniform(0.75, 1.0) * np.clip(rng.normal(1, 0.05, 3), 0.8, 1.1)
    x, y = _center(plot)
    ground = min(STORY_HEIGHT, plot.height)
    bands = [(style.ground, 0.0, ground, 1.0)]
    if plot.height > ground + 0.5:
        stories = max(1, round((plot.height - ground) / STORY_HEIGHT))
        bands.append((style.upper, ground, plot.height, stories / 2))
    shift = rng.uniform(0, 1)
    for texture, low, high, repeats in bands:
        mesh = meshes.house_walls(plot.width, plot.depth, high - low, repeats, shift)
        material = builder.material(texture=texture, color=tint)
        builder.geom('mesh', BUILDING, material, mesh=builder.mesh(*mesh), pos=(x, y, low))
    if rng.random() < kit.plinth_share:
        _add_plinth(builder, rng, kit, plot)


def _add_plinth(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot
) -> None:
    """Face the base of a house with stone; its texture resembles that of sidewalks."""
    x, y = _center(plot)
    height = rng.uniform(0.3, 1.5)
    mesh = meshes.house_walls(plot.width + 0.1, plot.depth + 0.1, height, height / 1.3)
    warm = rng.uniform(0.7, 1.0)
    tint = rng.uniform(0.55, 1.0) * np.array([1.0, (1 + warm) / 2, warm])
    stone = builder.material(texture=kit.plinths[int(rng.integers(2))], color=tint)
    builder.geom('mesh', BUILDING, stone, mesh=builder.mesh(*mesh), pos=(x, y, 0))


def _add_gable_roof(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot, style: _HouseStyle
) -> None:
    """Add a gable roof, with its ridge along or across the street, and chimneys."""
    x, y = _center(plot)
    along = rng.random() < 0.6
    size = (plot.width, plot.depth) if along else (plot.depth, plot.width)
    rise = rng.uniform(0.25, 0.6) * size[1]
    rise = min(rise, 5.0)
    turn = (0, 0, 0 if along else 90)
    cover = kit.roofs[int(rng.integers(len(kit.roofs)))]
    roof = builder.mesh(*meshes.gable_roof(*size, rise))
    builder.geom('mesh', BUILDING, cover, mesh=roof, pos=(x, y, plot.height), euler=turn)
    plain = builder.material(color=np.array(style.color) * rng.uniform(0.8, 1.0))
    gable = builder.mesh(*meshes.gable_walls(*size, rise))
    builder.geom('mesh', BUILDING, plain, mesh=gable, pos=(x, y, plot.height), euler=turn)
    for _ in range(int(rng.integers(0, 3))):
        reach = plot.width * 0.35
        builder.geom('box', BUILDING, plain, size=(0.35, 0.3, rise * 0.5 + 0.5),
                     pos=(x + rng.uniform(-reach, reach), y, plot.height + rise * 0.7),
                     )  # fmt: skip


def _add_flat_roof(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot
) -> None:
    x, y = _center(plot)
    over = rng.uniform(0.0, 0.5)
    builder.geom('box', BUILDING, kit.trim, pos=(x, y, plot.height), size=(
        plot.width / 2 + over, plot.depth / 2 + over, rng.uniform(0.15, 0.5)))  # fmt: skip
    if rng.random() < 0.4:
        builder.geom('box', BUILDING, kit.trim, pos=(x, y, plot.height + 1), size=(2, 2, 1.2))
    if plot.height > 7 and rng.random() < 0.4:
        _add_balconies(builder, rng, kit, plot)


def _add_balconies(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot
) -> None:
    for z in np.arange(STORY_HEIGHT + 0.1, plot.height - 2, STORY_HEIGHT):
        for x in np.arange(plot.x + 2, plot.x + plot.width - 1.5, 6.0):
            y = plot.side * (plot.front - 0.4)
            builder.geom('box', BUILDING, kit.trim, pos=(x, y, z + 0.45), size=(1.3, 0.4, 0.5))


def _add_front_garden(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plant_kit: plants.PlantKit,
    plot: Plot, edge: float,
) -> None:  # fmt: skip
    """Add a lawn behind a hedge, a fence or a wall, and sometimes a tree."""
    middle = plot.x + plot.width / 2
    height = rng.uniform(0.5, 1.8)
    chance = rng.random()
    if chance < 0.5:
        row = plants.Row(plot.x, plot.width, plot.side, edge)
        plants.add_hedge(builder, rng, plant_kit, row, height)
    elif chance < 0.75:
        _add_fence(builder, rng, kit, plot, edge)
    else:
        builder.geom('box', OTHER, kit.stone, size=(plot.width / 2, 0.15, height / 2),
                     pos=(middle, plot.side * (edge + 0.2), height / 2))  # fmt: skip
    if rng.random() < 0.5:
        x = plot.x + rng.uniform(0, plot.width)
        plants.add_tree(builder, rng, plant_kit, x, plot.side * (edge + 1.8))
    builder.geom('box', VEGETATION, plant_kit.lawn, pos=(middle, plot.side * (edge + 0.6), 0.02),
                 size=(plot.width / 2, 0.6, 0.03))  # fmt: skip


def _add_fence(
    builder: StreetBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot, edge: float
) -> None:
    height, gap, y = rng.uniform(0.8, 1.3), rng.uniform(0.35, 0.8), plot.side * (edge + 0.1)
    for x in np.arange(plot.x, plot.x + plot.width, gap):
        builder.geom('box', OTHER, kit.fence, pos=(x, y, height / 2),
                     size=(0.05, 0.03, height / 2))  # fmt: skip
    for z in (height * 0.3, height * 0.85):
        builder.geom('box', OTHER, kit.fence, size=(plot.width / 2, 0.02, 0.05),
                     pos=(plot.x + plot.width / 2, y, z))  # fmt: skip
