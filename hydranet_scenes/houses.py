"""Houses: walls with a ground floor, roofs, chimneys, cornices, front gardens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydranet_scenes import plants, shapes, textures
from hydranet_scenes.builder import BUILDING, OTHER, VEGETATION, SceneBuilder
from hydranet_scenes.facades import STOREY, facade


@dataclass(frozen=True)
class _Look:
    upper: str
    ground: str
    color: tuple[float, float, float]


class HouseKit:
    """
    The textures and materials of the houses of one street.

    :param plinth_share: share of houses with stone at their foot.
    """

    def __init__(
        self, builder: SceneBuilder, rng: np.random.Generator, plinth_share: float
    ) -> None:
        self.plinth_share = plinth_share
        self.looks = []
        for _ in range(5):
            style = facade(rng)
            upper, ground = builder.texture(style.upper), builder.texture(style.ground)
            self.looks.append(_Look(upper, ground, style.color))
        self.roofs = [builder.material(texture=textures.roof(rng)) for _ in range(3)]
        wood = rng.uniform(0.2, 0.8)
        self.fence = builder.material(color=(wood, wood * 0.85, wood * 0.7))
        stone = textures.paving(rng)
        self.stone = builder.material(texture=stone, repeat=(4, 1))
        self.plinths = [builder.texture(textures.paving(rng)) for _ in range(2)]
        self.trim = builder.material(color=[rng.uniform(0.3, 0.95)] * 3)


@dataclass(frozen=True)
class Plot:
    """Where a house stands: from ``x`` on, ``side`` -1 (right) or 1, its front at ``front``."""

    x: float
    side: int
    front: float
    width: float
    depth: float
    height: float


def house(
    builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, greens: plants.PlantKit,
    *, x: float, side: int, edge: float, urban: float,
) -> float:  # fmt: skip
    """Build a house behind ``edge`` (metres from the road's middle); return its length."""
    storeys = int(rng.integers(1, 3 + int(5 * urban)))
    setback = max(0.0, rng.uniform(-1.0, 1.0)) if urban > 0.5 else rng.uniform(1, 9)
    plot = Plot(
        x, side, edge + setback, rng.uniform(7, 22), rng.uniform(8, 13),
        storeys * STOREY * rng.uniform(0.95, 1.2),
    )  # fmt: skip
    look = kit.looks[int(rng.integers(len(kit.looks)))]
    _walls(builder, rng, kit, plot, look)
    if rng.random() < 0.65:
        _ridge_roof(builder, rng, kit, plot, look)
    else:
        _flat_roof(builder, rng, kit, plot)
    if setback > 2.5:
        _front_garden(builder, rng, kit, greens, plot, edge)
    return plot.width + (rng.uniform(0, 1) if urban > 0.6 else rng.uniform(0, 8))


def _middle(plot: Plot) -> tuple[float, float]:
    return plot.x + plot.width / 2, plot.side * (plot.front + plot.depth / 2)


def _walls(
    builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot, look: _Look
) -> None:
    tint = rng.uniform(0.75, 1.0) * np.clip(rng.normal(1, 0.05, 3), 0.8, 1.1)
    x, y = _middle(plot)
    ground = min(STOREY, plot.height)
    bands = [(look.ground, 0.0, ground, 1.0)]
    if plot.height > ground + 0.5:
        storeys = max(1, round((plot.height - ground) / STOREY))
        bands.append((look.upper, ground, plot.height, storeys / 2))
    shift = rng.uniform(0, 1)
    for texture, low, high, repeats in bands:
        mesh = shapes.house_walls(plot.width, plot.depth, high - low, repeats, shift)
        material = builder.material(texture=texture, color=tint)
        builder.geom('mesh', BUILDING, material, mesh=builder.mesh(*mesh), pos=(x, y, low))
    if rng.random() < kit.plinth_share:
        _plinth(builder, rng, kit, plot)


def _plinth(builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot) -> None:
    """Face the foot of a house with stone, of the kind that sidewalks are made of too."""
    x, y = _middle(plot)
    high = rng.uniform(0.3, 1.5)
    mesh = shapes.house_walls(plot.width + 0.1, plot.depth + 0.1, high, high / 1.3)
    warm = rng.uniform(0.7, 1.0)
    tint = rng.uniform(0.55, 1.0) * np.array([1.0, (1 + warm) / 2, warm])
    stone = builder.material(texture=kit.plinths[int(rng.integers(2))], color=tint)
    builder.geom('mesh', BUILDING, stone, mesh=builder.mesh(*mesh), pos=(x, y, 0))


def _ridge_roof(
    builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot, look: _Look
) -> None:
    x, y = _middle(plot)
    along = rng.random() < 0.6
    size = (plot.width, plot.depth) if along else (plot.depth, plot.width)
    rise = rng.uniform(0.25, 0.6) * size[1]
    rise = min(rise, 5.0)
    turn = (0, 0, 0 if along else 90)
    cover = kit.roofs[int(rng.integers(len(kit.roofs)))]
    roof = builder.mesh(*shapes.gable_roof(*size, rise))
    builder.geom('mesh', BUILDING, cover, mesh=roof, pos=(x, y, plot.height), euler=turn)
    plain = builder.material(color=np.array(look.color) * rng.uniform(0.8, 1.0))
    gable = builder.mesh(*shapes.gable_walls(*size, rise))
    builder.geom('mesh', BUILDING, plain, mesh=gable, pos=(x, y, plot.height), euler=turn)
    for _ in range(int(rng.integers(0, 3))):
        reach = plot.width * 0.35
        builder.geom('box', BUILDING, plain, size=(0.35, 0.3, rise * 0.5 + 0.5),
                     pos=(x + rng.uniform(-reach, reach), y, plot.height + rise * 0.7),
                     )  # fmt: skip


def _flat_roof(builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot) -> None:
    x, y = _middle(plot)
    over = rng.uniform(0.0, 0.5)
    builder.geom('box', BUILDING, kit.trim, pos=(x, y, plot.height), size=(
        plot.width / 2 + over, plot.depth / 2 + over, rng.uniform(0.15, 0.5)))  # fmt: skip
    if rng.random() < 0.4:
        builder.geom('box', BUILDING, kit.trim, pos=(x, y, plot.height + 1), size=(2, 2, 1.2))
    if plot.height > 7 and rng.random() < 0.4:
        _balconies(builder, rng, kit, plot)


def _balconies(builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot) -> None:
    for z in np.arange(STOREY + 0.1, plot.height - 2, STOREY):
        for x in np.arange(plot.x + 2, plot.x + plot.width - 1.5, 6.0):
            y = plot.side * (plot.front - 0.4)
            builder.geom('box', BUILDING, kit.trim, pos=(x, y, z + 0.45), size=(1.3, 0.4, 0.5))


def _front_garden(
    builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, greens: plants.PlantKit,
    plot: Plot, edge: float,
) -> None:  # fmt: skip
    middle = plot.x + plot.width / 2
    high = rng.uniform(0.5, 1.8)
    kind = rng.random()
    if kind < 0.5:
        plants.hedge(builder, rng, greens, plants.Row(plot.x, plot.width, plot.side, edge), high)
    elif kind < 0.75:
        _pickets(builder, rng, kit, plot, edge)
    else:
        builder.geom('box', OTHER, kit.stone, size=(plot.width / 2, 0.15, high / 2),
                     pos=(middle, plot.side * (edge + 0.2), high / 2))  # fmt: skip
    if rng.random() < 0.5:
        x = plot.x + rng.uniform(0, plot.width)
        plants.tree(builder, rng, greens, x, plot.side * (edge + 1.8))
    builder.geom('box', VEGETATION, greens.lawn, pos=(middle, plot.side * (edge + 0.6), 0.02),
                 size=(plot.width / 2, 0.6, 0.03))  # fmt: skip


def _pickets(
    builder: SceneBuilder, rng: np.random.Generator, kit: HouseKit, plot: Plot, edge: float
) -> None:
    high, gap, y = rng.uniform(0.8, 1.3), rng.uniform(0.35, 0.8), plot.side * (edge + 0.1)
    for x in np.arange(plot.x, plot.x + plot.width, gap):
        builder.geom('box', OTHER, kit.fence, pos=(x, y, high / 2), size=(0.05, 0.03, high / 2))
    for z in (high * 0.3, high * 0.85):
        builder.geom('box', OTHER, kit.fence, size=(plot.width / 2, 0.02, 0.05),
                     pos=(plot.x + plot.width / 2, y, z))  # fmt: skip
