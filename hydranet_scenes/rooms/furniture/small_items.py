"""
Small items on desks, tables and shelves: books, papers, cups, boxes, lamps, clothes.

Each function adds one item to a piece. Items stand on a surface at height ``z``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture.parts import Area, add_lampshade
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece, rotation_matrix


def standing_books(kit: MaterialKit, piece: Piece, area: Area, z: float, space: float) -> None:
    """Add a row of books with gaps; ``space`` is the free height above the board in meters."""
    rng, (x, y0, end, y1) = kit.rng, area
    x += rng.uniform(0, 0.05)
    size = rng.uniform(0.6, 0.95)
    while x < end - 0.05:
        if rng.random() < 0.04:
            x += rng.uniform(0.04, 0.2)
            continue
        thickness = rng.uniform(0.015, 0.055)
        height = min(space - 0.02, rng.uniform(0.6, 1.0) * size * 0.34)
        depth = min(y1 - y0 - 0.01, rng.uniform(0.13, 0.24))
        if x + thickness > end:
            break
        front = y1 - 0.015
        piece.box(Nyud.BOOKS, kit.book_spine(), (x, front - depth, z),
                  (x + thickness, front, z + height), stretch=True)  # fmt: skip
        x += thickness + 0.001


def lying_books(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a stack of one to six books."""
    for _ in range(int(kit.rng.integers(1, 7))):
        w, d = kit.rng.uniform(0.15, 0.22), kit.rng.uniform(0.2, 0.29)
        h = kit.rng.uniform(0.012, 0.045)
        rotation = rotation_matrix(z=kit.rng.normal(0, 12))
        piece.block(Nyud.BOOKS, kit.any_color(), (x, y, z + h / 2), (w, d, h), rotation=rotation)
        z += h


def papers(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add one to four sheets of paper."""
    for index in range(int(kit.rng.integers(1, 5))):
        dx, dy = kit.rng.normal(0, 0.03, 2)
        rotation = rotation_matrix(z=kit.rng.normal(0, 25))
        piece.block(Nyud.PAPER, kit.paper(), (x + dx, y + dy, z + 0.002 + 0.003 * index),
                    (0.21, 0.297, 0.003), rotation=rotation, stretch=True)  # fmt: skip


def cup(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a cup or a glass."""
    r, h = kit.rng.uniform(0.03, 0.045), kit.rng.uniform(0.07, 0.13)
    profile = [(0.0, 0), (r * 0.8, 0), (r, h), (r - 0.005, h), (r * 0.75, 0.01), (0, 0.01)]
    piece.lathe(Nyud.OTHERPROP, kit.any_color(shine=0.5), profile, (x, y, z))


def vase(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a vase, a bottle or a bowl."""
    rng = kit.rng
    h, r = rng.uniform(0.1, 0.32), rng.uniform(0.03, 0.09)
    heights = np.linspace(0, h, 7)
    radii = r * np.clip(1 + rng.normal(0, 0.3, 7), 0.4, 1.5)
    profile = [(0.0, 0.0), *zip(radii, heights), (max(0.002, radii[-1] - 0.006), h), (0.0, 0.02)]
    piece.lathe(Nyud.OTHERPROP, kit.any_color(shine=0.6), profile, (x, y, z))


def laptop(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add an open laptop that faces +y."""
    with piece.local_frame(x, y, z, yaw=kit.rng.normal(0, 12)):
        piece.box(Nyud.OTHERPROP, kit.gray, (-0.17, -0.11, 0), (0.17, 0.12, 0.018))
        piece.block(Nyud.OTHERPROP, kit.dark, (0, -0.15, 0.12), (0.34, 0.012, 0.22),
                    rotation=rotation_matrix(x=18))  # fmt: skip


def table_clock(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a clock or a small radio."""
    w, h = kit.rng.uniform(0.1, 0.26), kit.rng.uniform(0.07, 0.16)
    piece.box(Nyud.OTHERPROP, kit.any_color(), (x - w / 2, y - 0.05, z), (x + w / 2, y + 0.05,
                                                                          z + h))  # fmt: skip


def small_box(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a box of at most 20 cm."""
    w, d, h = kit.rng.uniform(0.06, 0.2, 3)
    piece.block(Nyud.BOX, kit.cardboard(), (x, y, z + h / 2), (w, d, h), stretch=True,
                rotation=rotation_matrix(z=kit.rng.normal(0, 20)))  # fmt: skip


def table_lamp(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a lit table lamp."""
    rng = kit.rng
    h, r = rng.uniform(0.22, 0.36), rng.uniform(0.1, 0.17)
    foot = [(0.0, 0), (0.07, 0), (0.06, 0.02), (rng.uniform(0.012, 0.06), h * 0.5), (0.012, h)]
    piece.lathe(Nyud.LAMP, kit.any_color(shine=0.4), foot, (x, y, z))
    add_lampshade(kit, piece, (x, y, z + h), r, rng.uniform(0.14, 0.22))


def clothes_heap(
    kit: MaterialKit, piece: Piece, x: float, y: float, z: float, size: float = 0.4
) -> None:
    """Add a heap of clothes of about ``size`` meters."""
    for _ in range(int(kit.rng.integers(2, 5))):
        w, d = kit.rng.uniform(0.5, 1.0, 2) * size
        dx, dy = kit.rng.normal(0, 0.1 * size, 2)
        h = kit.rng.uniform(0.04, 0.12)
        piece.cushion(Nyud.CLOTHES, kit.fabric(), (x + dx - w / 2, y + dy - d / 2, z),
                      (x + dx + w / 2, y + dy + d / 2, z + h), 0.7,
                      rotation=rotation_matrix(z=kit.rng.uniform(0, 180)))  # fmt: skip


_Item = Callable[[MaterialKit, Piece, float, float, float], None]
# An item that is listed twice is twice as likely.
DESK_ITEMS: tuple[_Item, ...] = (
    papers, papers, lying_books, lying_books, cup, laptop, small_box,
)  # fmt: skip
TABLE_ITEMS: tuple[_Item, ...] = (papers, lying_books, cup, cup, vase, vase)
SHELF_ITEMS: tuple[_Item, ...] = (vase, table_clock, small_box, lying_books, cup)
KITCHEN_ITEMS: tuple[_Item, ...] = (cup, cup, vase, vase, table_clock, small_box)


def add_clutter(
    kit: MaterialKit, piece: Piece, area: Area, z: float, items: tuple[_Item, ...], most: int
) -> None:
    """Add up to ``most`` items to a surface, at some distance from each other."""
    rng, (x0, y0, x1, y1) = kit.rng, area
    spots: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(0, most + 1))):
        if x1 - x0 < 0.3 or y1 - y0 < 0.1:
            return
        reach = min(0.14, (y1 - y0) / 2 - 0.01)
        x, y = rng.uniform(x0 + 0.14, x1 - 0.14), rng.uniform(y0 + reach, y1 - reach)
        if all(np.hypot(x - a, y - b) > 0.32 for a, b in spots):
            spots.append((x, y))
            items[int(rng.integers(len(items)))](kit, piece, x, y, z)
