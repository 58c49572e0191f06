"""Trees, bushes and hedges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hydranet_scenes.streets import meshes, textures
from hydranet_scenes.streets.builder import StreetBuilder
from hydranet_scenes.streets.classes import VEGETATION


class PlantKit:
    """
    The plant materials and meshes that one street shares.

    :ivar crowns: mesh name, radius and height in meters of each crown.
    :ivar winter: whether most trees are bare.
    """

    def __init__(self, builder: StreetBuilder, rng: np.random.Generator) -> None:
        self.leaves = [builder.material(texture=textures.leaves(rng)) for _ in range(4)]
        self.crowns = []
        for _ in range(6):
            radius = rng.uniform(0.8, 3.0)
            height = radius * rng.uniform(1.2, 2.6)
            mesh = builder.mesh(*meshes.crown(rng, radius, height))
            self.crowns.append((mesh, radius, height))
        brown = rng.uniform(0.15, 0.4)
        self.bark = builder.material(color=(brown, brown * 0.8, brown * 0.65))
        self.twigs = builder.mesh(*meshes.bare_crown(rng))
        self.lawn = builder.material(texture=textures.grass(rng), repeat=(8, 2))
        self.tufts = builder.mesh(*meshes.crown(rng, 1.0, 2.0))
        self.winter = rng.random() < 0.15


@dataclass(frozen=True)
class Row:
    """
    A strip along the street, in meters.

    :param x: where it starts; it extends ``length`` along the street.
    :param side: -1 (right) or 1 (left).
    :param edge: distance of its inner edge from the center line.
    """

    x: float
    length: float
    side: int
    edge: float


def add_tree(
    builder: StreetBuilder, rng: np.random.Generator, kit: PlantKit, x: float, y: float
) -> None:
    """Add a tree: a trunk with one to four crowns, or with bare branches."""
    trunk, radius = rng.uniform(1.2, 4.5), rng.uniform(0.08, 0.3)
    builder.geom('cylinder', VEGETATION, kit.bark, pos=(x, y, trunk / 2), size=(radius, trunk / 2),
                 euler=(rng.uniform(-4, 4), rng.uniform(-4, 4), 0))  # fmt: skip
    if kit.winter and rng.random() < 0.7:
        builder.geom('mesh', VEGETATION, kit.bark, mesh=kit.twigs, pos=(x, y, trunk),
                     euler=(0, 0, rng.uniform(0, 360)))  # fmt: skip
        return
    leaves = kit.leaves[int(rng.integers(len(kit.leaves)))]
    for index in range(int(rng.integers(1, 5))):
        crown, width, height = kit.crowns[int(rng.integers(len(kit.crowns)))]
        reach = 0 if index == 0 else width * 0.7
        builder.geom(
            'mesh', VEGETATION, leaves, mesh=crown, euler=(0, 0, rng.uniform(0, 360)),
            pos=(x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach),
                 trunk + height * rng.uniform(0.1, 0.5)),
        )  # fmt: skip


def add_bush(
    builder: StreetBuilder, rng: np.random.Generator, kit: PlantKit, x: float, y: float
) -> None:
    """Add a bush: a crown close to the ground."""
    crown, _, height = kit.crowns[int(rng.integers(len(kit.crowns)))]
    leaves = kit.leaves[int(rng.integers(len(kit.leaves)))]
    builder.geom('mesh', VEGETATION, leaves, mesh=crown, pos=(x, y, height * 0.15),
                 euler=(0, 0, rng.uniform(0, 360)))  # fmt: skip


def add_hedge(
    builder: StreetBuilder, rng: np.random.Generator, kit: PlantKit, row: Row, height: float
) -> None:
    """Add a hedge along a row, ``height`` meters high."""
    leaves = kit.leaves[int(rng.integers(len(kit.leaves)))]
    mesh = builder.mesh(*meshes.hedge(rng, row.length, rng.uniform(0.5, 1.0), height))
    builder.geom('mesh', VEGETATION, leaves, mesh=mesh,
                 pos=(row.x + row.length / 2, row.side * (row.edge + 0.7), 0))  # fmt: skip


def add_grove(builder: StreetBuilder, rng: np.random.Generator, kit: PlantKit, row: Row) -> None:
    """Add trees, bushes and sometimes a hedge along a row."""
    if rng.random() < 0.4:
        add_hedge(builder, rng, kit, row, rng.uniform(0.6, 2.6))
    for _ in range(int(rng.integers(1, 3 + int(row.length / 5)))):
        y = row.side * (row.edge + rng.uniform(0.8, 14))
        add_tree(builder, rng, kit, row.x + rng.uniform(0, row.length), y)
    for _ in range(int(rng.integers(0, 6))):
        y = row.side * (row.edge + rng.uniform(2, 9))
        add_bush(builder, rng, kit, row.x + rng.uniform(0, row.length), y)
