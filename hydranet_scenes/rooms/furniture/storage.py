"""Cabinets, dressers, night stands, wardrobes, bookshelves and shelves."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture import small_items
from hydranet_scenes.rooms.furniture.parts import (
    Area,
    add_fronts,
    add_legs,
    add_mirror_pane,
    add_television,
)
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece


def dresser(kit: MaterialKit, mirror: bool) -> Piece:
    """Return a chest of drawers with small items, with or without a mirror above it."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.DRESSER
    w, d, h = rng.uniform(0.8, 1.5), rng.uniform(0.42, 0.52), rng.uniform(0.7, 1.1)
    material = kit.wood()
    piece.box(N, material, (-w / 2, 0, 0.08), (w / 2, d, h - 0.03))
    piece.box(N, material, (-w / 2 - 0.02, 0, h - 0.03), (w / 2 + 0.02, d + 0.03, h))
    add_legs(piece, N, material, (-w / 2, 0.0, w / 2, d), 0.08, 0.06)
    add_fronts(kit, piece, N, material, (-w / 2 + 0.02, 0.1, w / 2 - 0.02, h - 0.05), d,
            (1 if w < 1.0 else 2, int(rng.integers(3, 5))))  # fmt: skip
    if mirror:
        width, height = w * 0.7, rng.uniform(0.6, 0.8)
        piece.box(N, material, (-width / 2, 0.0, h), (width / 2, 0.03, h + height))
        add_mirror_pane(kit, piece, (width - 0.08, height - 0.08), (0, 0.035, h + height / 2))
    small_items.add_clutter(kit, piece, (-w / 2, 0.08, w / 2, d), h, small_items.SHELF_ITEMS, 4)
    if rng.random() < 0.3:
        small_items.table_lamp(kit, piece, -w / 2 + 0.2, d / 2, h)
    return piece


def night_stand(kit: MaterialKit) -> Piece:
    """Return a night stand with a lamp or books."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.NIGHT_STAND
    w, d, h = rng.uniform(0.38, 0.55), rng.uniform(0.34, 0.45), rng.uniform(0.45, 0.65)
    material = kit.wood()
    add_legs(piece, N, material, (-w / 2, 0, w / 2, d), 0.12, 0.04)
    piece.box(N, material, (-w / 2, 0, 0.12), (w / 2, d, h))
    add_fronts(kit, piece, N, material, (-w / 2 + 0.01, 0.13, w / 2 - 0.01, h - 0.02), d,
            (1, int(rng.integers(1, 4))))  # fmt: skip
    if rng.random() < 0.75:
        small_items.table_lamp(kit, piece, rng.uniform(-0.04, 0.04), d / 2, h)
    else:
        small_items.lying_books(kit, piece, 0, d / 2, h)
    return piece


def wardrobe(kit: MaterialKit) -> Piece:
    """Return a wardrobe with two or three doors."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.CABINET
    columns = int(rng.integers(2, 4))
    w, d, h, material = (
        columns * rng.uniform(0.42, 0.55),
        0.58,
        rng.uniform(1.85, 2.15),
        kit.wood(),
    )
    piece.box(N, material, (-w / 2, 0, 0), (w / 2, d, h))
    add_fronts(
        kit, piece, N, material, (-w / 2 + 0.01, 0.06, w / 2 - 0.01, h - 0.03), d, (columns, 1)
    )
    if rng.random() < 0.3:
        small_items.small_box(kit, piece, 0, d / 2, h)
    return piece


def cabinet(kit: MaterialKit, tv: bool = False) -> Piece:
    """Return a low cabinet with a television (``tv``) or small items."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.CABINET
    w, d = rng.uniform(1.0, 1.7), rng.uniform(0.38, 0.5)
    h, material = rng.uniform(0.42, 0.62) if tv else rng.uniform(0.75, 1.0), kit.wood()
    piece.box(N, material, (-w / 2, 0, 0.05), (w / 2, d, h))
    piece.box(N, kit.dark, (-w / 2 + 0.03, 0.02, 0), (w / 2 - 0.03, d - 0.03, 0.05))
    add_fronts(kit, piece, N, material, (-w / 2 + 0.01, 0.06, w / 2 - 0.01, h - 0.02), d,
            (int(rng.integers(2, 4)), int(rng.integers(1, 3))))  # fmt: skip
    if tv:
        add_television(kit, piece, d / 2, h, rng.uniform(0.75, min(1.2, w - 0.1)))
    else:
        small_items.add_clutter(
            kit, piece, (-w / 2, 0.04, w / 2, d), h, small_items.SHELF_ITEMS, 4
        )
    return piece


def filing_cabinet(kit: MaterialKit) -> Piece:
    """Return a metal filing cabinet."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.CABINET
    rows = int(rng.integers(2, 5))
    h, material = 0.33 * rows, kit.gray
    piece.box(N, material, (-0.23, 0, 0), (0.23, 0.55, h))
    add_fronts(kit, piece, N, material, (-0.22, 0.02, 0.22, h - 0.01), 0.55, (1, rows))
    small_items.add_clutter(kit, piece, (-0.23, 0.05, 0.23, 0.5), h, small_items.DESK_ITEMS, 1)
    return piece


def bookshelf(kit: MaterialKit) -> Piece:
    """Return a bookshelf, mostly filled with books."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.BOOKSHELF
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.26, 0.34), rng.uniform(1.5, 2.1)
    material = kit.wood()
    for x in (-w / 2, w / 2 - 0.025):
        piece.box(N, material, (x, 0, 0), (x + 0.025, d, h))
    piece.box(N, material, (-w / 2 + 0.025, 0, 0.0), (w / 2 - 0.025, 0.01, h))
    rows = int(round(h / rng.uniform(0.32, 0.4)))
    step = (h - 0.06) / rows
    for row in range(rows + 1):
        z = 0.04 + row * step
        piece.box(N, material, (-w / 2 + 0.025, 0.01, z - 0.02), (w / 2 - 0.025, d, z))
        if row < rows:
            _fill_board(kit, piece, (-w / 2 + 0.03, 0.02, w / 2 - 0.03, d), z, step - 0.02, 0.8)
    return piece


def _fill_board(
    kit: MaterialKit, piece: Piece, area: Area, z: float, space: float, books: float
) -> None:
    """
    Add books or small items to a board.

    :param space: free height above the board in meters.
    :param books: probability of books.
    """
    if kit.rng.random() < books:
        small_items.standing_books(kit, piece, area, z, space)
        return
    items = tuple(item for item in small_items.SHELF_ITEMS
                  if item is not small_items.vase or space > 0.33)  # fmt: skip
    small_items.add_clutter(kit, piece, area, z, items, 3)


def shelves(kit: MaterialKit) -> Piece:
    """Return open shelves on four posts, with books and small items."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.SHELVES
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.32, 0.42), rng.uniform(1.1, 1.9)
    material, post = (kit.wood(), kit.wood()) if rng.random() < 0.6 else (kit.metal, kit.metal)
    add_legs(piece, N, post, (-w / 2, 0, w / 2, d), h, 0.03)
    for z in np.linspace(0.12, h - 0.02, int(rng.integers(3, 6))):
        piece.box(N, material, (-w / 2, 0.0, z - 0.02), (w / 2, d, z))
        if z < h - 0.2:
            _fill_board(kit, piece, (-w / 2 + 0.03, 0.03, w / 2 - 0.03, d - 0.02), z, 0.3, 0.35)
    return piece


def wall_shelf(kit: MaterialKit) -> Piece:
    """Return one or two wall shelves with books or small items."""
    piece, rng = kit.piece(), kit.rng
    w, d, material = rng.uniform(0.6, 1.2), rng.uniform(0.18, 0.26), kit.wood()
    for z in (0.0, 0.36)[: int(rng.integers(1, 3))]:
        piece.box(Nyud.SHELVES, material, (-w / 2, 0, z), (w / 2, d, z + 0.025))
        _fill_board(kit, piece, (-w / 2, 0.01, w / 2, d), z + 0.025, 0.3, 0.6)
    return piece
