"""Furniture to keep things in: cabinets, bookshelves, dressers, kitchens, refrigerators."""

from __future__ import annotations

import numpy as np

from hydranet_scenes import room_props as props
from hydranet_scenes.room_builder import Piece
from hydranet_scenes.room_classes import Nyud
from hydranet_scenes.room_furniture import legs, television
from hydranet_scenes.room_kit import Kit


def _fronts(
    kit: Kit, piece: Piece, label: int, look: str, span: tuple[float, float, float, float],
    y: float, grid: tuple[int, int],
) -> None:  # fmt: skip
    """Add doors or drawers with handles to a front: span x0, z0, x1, z1; grid columns, rows."""
    x0, z0, x1, z1 = span
    columns, rows = grid
    w, h = (x1 - x0) / columns, (z1 - z0) / rows
    for column in range(columns):
        for row in range(rows):
            x, z = x0 + column * w, z0 + row * h
            piece.box(label, look, (x + 0.006, y, z + 0.006), (x + w - 0.006, y + 0.018,
                                                               z + h - 0.006))  # fmt: skip
            if h > 1.3 * w:
                side = x + (w - 0.05 if column % 2 == 0 else 0.05)
                middle = z + h * (0.5 if z < 1.0 else 0.2)
                ends = (side, y + 0.035, middle - 0.05), (side, y + 0.035, middle + 0.05)
            else:
                reach = min(0.07, w / 4)
                ends = ((x + w / 2 - reach, y + 0.035, z + h * 0.6),
                        (x + w / 2 + reach, y + 0.035, z + h * 0.6))  # fmt: skip
            piece.rod(label, kit.metal, *ends, 0.008)


def dresser(kit: Kit, mirror: bool) -> Piece:
    """Return a chest of drawers with things on it, maybe a mirror above."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.DRESSER
    w, d, h, look = (
        rng.uniform(0.8, 1.5),
        rng.uniform(0.42, 0.52),
        rng.uniform(0.7, 1.1),
        kit.wood(),
    )
    piece.box(N, look, (-w / 2, 0, 0.08), (w / 2, d, h - 0.03))
    piece.box(N, look, (-w / 2 - 0.02, 0, h - 0.03), (w / 2 + 0.02, d + 0.03, h))
    legs(piece, N, look, (-w / 2, 0.0, w / 2, d), 0.08, 0.06)
    _fronts(kit, piece, N, look, (-w / 2 + 0.02, 0.1, w / 2 - 0.02, h - 0.05), d,
            (1 if w < 1.0 else 2, int(rng.integers(3, 5))))  # fmt: skip
    if mirror:
        wide, high = w * 0.7, rng.uniform(0.6, 0.8)
        piece.box(N, look, (-wide / 2, 0.0, h), (wide / 2, 0.03, h + high))
        glass(kit, piece, (wide - 0.08, high - 0.08), (0, 0.035, h + high / 2))
    props.clutter(kit, piece, (-w / 2, 0.08, w / 2, d), h, props.SHELF_THINGS, 4)
    if rng.random() < 0.3:
        props.table_lamp(kit, piece, -w / 2 + 0.2, d / 2, h)
    return piece


def glass(kit: Kit, piece: Piece, size: tuple[float, float], at: tuple[float, float, float]
          ) -> None:  # fmt: skip
    """Add a mirror that faces +y."""
    look = kit.builder.material(color=(0.1, 0.105, 0.11), reflect=0.85, shine=0.8)
    with piece.moved(*at, pitch=-90):
        half = (size[0] / 2, size[1] / 2)
        piece.box(Nyud.MIRROR, look, (-half[0], -half[1], -0.005), (*half, 0.005))


def night_stand(kit: Kit) -> Piece:
    """Return a night stand with a lamp or books."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.NIGHT_STAND
    w, d, h, look = (
        rng.uniform(0.38, 0.55),
        rng.uniform(0.34, 0.45),
        rng.uniform(0.45, 0.65),
        kit.wood(),
    )
    legs(piece, N, look, (-w / 2, 0, w / 2, d), 0.12, 0.04)
    piece.box(N, look, (-w / 2, 0, 0.12), (w / 2, d, h))
    _fronts(kit, piece, N, look, (-w / 2 + 0.01, 0.13, w / 2 - 0.01, h - 0.02), d,
            (1, int(rng.integers(1, 4))))  # fmt: skip
    if rng.random() < 0.75:
        props.table_lamp(kit, piece, rng.uniform(-0.04, 0.04), d / 2, h)
    else:
        props.lying_books(kit, piece, 0, d / 2, h)
    return piece


def wardrobe(kit: Kit) -> Piece:
    """Return a high cabinet with two to four doors."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.CABINET
    columns = int(rng.integers(2, 4))
    w, d, h, look = columns * rng.uniform(0.42, 0.55), 0.58, rng.uniform(1.85, 2.15), kit.wood()
    piece.box(N, look, (-w / 2, 0, 0), (w / 2, d, h))
    _fronts(kit, piece, N, look, (-w / 2 + 0.01, 0.06, w / 2 - 0.01, h - 0.03), d, (columns, 1))
    if rng.random() < 0.3:
        props.small_box(kit, piece, 0, d / 2, h)
    return piece


def cabinet(kit: Kit, tv: bool = False) -> Piece:
    """Return a low cabinet, with a television or other things on it."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.CABINET
    w, d = rng.uniform(1.0, 1.7), rng.uniform(0.38, 0.5)
    h, look = rng.uniform(0.42, 0.62) if tv else rng.uniform(0.75, 1.0), kit.wood()
    piece.box(N, look, (-w / 2, 0, 0.05), (w / 2, d, h))
    piece.box(N, kit.dark, (-w / 2 + 0.03, 0.02, 0), (w / 2 - 0.03, d - 0.03, 0.05))
    _fronts(kit, piece, N, look, (-w / 2 + 0.01, 0.06, w / 2 - 0.01, h - 0.02), d,
            (int(rng.integers(2, 4)), int(rng.integers(1, 3))))  # fmt: skip
    if tv:
        television(kit, piece, d / 2, h, rng.uniform(0.75, min(1.2, w - 0.1)))
    else:
        props.clutter(kit, piece, (-w / 2, 0.04, w / 2, d), h, props.SHELF_THINGS, 4)
    return piece


def filing_cabinet(kit: Kit) -> Piece:
    """Return a metal cabinet of drawers."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.CABINET
    rows = int(rng.integers(2, 5))
    h, look = 0.33 * rows, kit.grey
    piece.box(N, look, (-0.23, 0, 0), (0.23, 0.55, h))
    _fronts(kit, piece, N, look, (-0.22, 0.02, 0.22, h - 0.01), 0.55, (1, rows))
    props.clutter(kit, piece, (-0.23, 0.05, 0.23, 0.5), h, props.DESK_THINGS, 1)
    return piece


def bookshelf(kit: Kit) -> Piece:
    """Return a high bookshelf, mostly full of books."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.BOOKSHELF
    w, d, h, look = (
        rng.uniform(0.7, 1.2),
        rng.uniform(0.26, 0.34),
        rng.uniform(1.5, 2.1),
        kit.wood(),
    )
    for x in (-w / 2, w / 2 - 0.025):
        piece.box(N, look, (x, 0, 0), (x + 0.025, d, h))
    piece.box(N, look, (-w / 2 + 0.025, 0, 0.0), (w / 2 - 0.025, 0.01, h))
    rows = int(round(h / rng.uniform(0.32, 0.4)))
    step = (h - 0.06) / rows
    for row in range(rows + 1):
        z = 0.04 + row * step
        piece.box(N, look, (-w / 2 + 0.025, 0.01, z - 0.02), (w / 2 - 0.025, d, z))
        if row < rows:
            fill_shelf(kit, piece, (-w / 2 + 0.03, 0.02, w / 2 - 0.03, d), z, step - 0.02, 0.8)
    return piece


def fill_shelf(
    kit: Kit, piece: Piece, area: props.Area, z: float, room: float, books: float
) -> None:
    """Fill a board with books (with this probability) or with other things."""
    if kit.rng.random() < books:
        props.standing_books(kit, piece, area, z, room)
        return
    things = tuple(thing for thing in props.SHELF_THINGS if thing is not props.vase or room > 0.33)
    props.clutter(kit, piece, area, z, things, 3)


def shelves(kit: Kit) -> Piece:
    """Return an open rack of boards on posts with boxes, books and other things."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.SHELVES
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.32, 0.42), rng.uniform(1.1, 1.9)
    look, post = (kit.wood(), kit.wood()) if rng.random() < 0.6 else (kit.metal, kit.metal)
    legs(piece, N, post, (-w / 2, 0, w / 2, d), h, 0.03)
    for z in np.linspace(0.12, h - 0.02, int(rng.integers(3, 6))):
        piece.box(N, look, (-w / 2, 0.0, z - 0.02), (w / 2, d, z))
        if z < h - 0.2:
            fill_shelf(kit, piece, (-w / 2 + 0.03, 0.03, w / 2 - 0.03, d - 0.02), z, 0.3, 0.35)
    return piece


def wall_shelf(kit: Kit) -> Piece:
    """Return a board for the wall with things on it."""
    piece, rng = kit.piece(), kit.rng
    w, d, look = rng.uniform(0.6, 1.2), rng.uniform(0.18, 0.26), kit.wood()
    for z in (0.0, 0.36)[: int(rng.integers(1, 3))]:
        piece.box(Nyud.SHELVES, look, (-w / 2, 0, z), (w / 2, d, z + 0.025))
        fill_shelf(kit, piece, (-w / 2, 0.01, w / 2, d), z + 0.025, 0.3, 0.6)
    return piece


def refrigerator(kit: Kit) -> Piece:
    """Return a refrigerator with papers on its door."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.REFRIDGERATOR
    w, d, h = rng.uniform(0.6, 0.85), rng.uniform(0.6, 0.7), rng.uniform(1.5, 1.85)
    look = (kit.white, kit.metal, kit.dark)[int(rng.choice([0, 0, 1, 2]))]
    split = h * (0.68 if rng.random() < 0.6 else 0.3)
    piece.box(N, kit.dark, (-w / 2 + 0.03, 0.05, 0), (w / 2 - 0.03, d - 0.03, 0.03))
    piece.box(N, look, (-w / 2, 0.02, 0.03), (w / 2, d, h))
    for low, high in ((0.06, split), (split, h)):
        piece.box(N, look, (-w / 2, d, low + 0.006), (w / 2, d + 0.05, high - 0.006))
        middle = min(max((low + high) / 2, split - 0.25), split + 0.25)
        piece.rod(N, kit.metal, (w / 2 - 0.06, d + 0.08, middle - 0.13),
                  (w / 2 - 0.06, d + 0.08, middle + 0.13), 0.012)  # fmt: skip
    for _ in range(int(rng.integers(0, 6))):
        x, z = rng.uniform(-w / 2 + 0.1, w / 2 - 0.2), rng.uniform(0.75, h - 0.2)
        a, b = rng.uniform(0.04, 0.1), rng.uniform(0.05, 0.13)
        piece.box(Nyud.PAPER, kit.sheet(), (x - a, d + 0.05, z - b), (x + a, d + 0.053, z + b),
                  whole=True)  # fmt: skip
    if rng.random() < 0.5:
        props.small_box(kit, piece, 0, d / 2, h)
    return piece


def kitchen_run(kit: Kit, length: float, *, sink: bool, stove: bool) -> Piece:
    """Return cabinets under a counter along a wall with sink and stove, and wall cabinets."""
    piece, rng = kit.piece(), kit.rng
    d, h, look = 0.6, rng.uniform(0.86, 0.92), kit.front()
    x0, x1 = -length / 2, length / 2
    hob = (x1 - 0.85, x1 - 0.25) if stove else (x1, x1)
    basin = x0 + min(0.8, length * 0.35)
    for start, end in ((x0, hob[0]), (hob[1], x1)):
        if end - start < 0.1:
            continue
        piece.box(Nyud.CABINET, kit.dark, (start, 0.02, 0), (end, d - 0.06, 0.1))
        piece.box(Nyud.CABINET, look, (start, 0.0, 0.1), (end, d - 0.02, h - 0.04))
        columns = max(1, round((end - start) / 0.5))
        _fronts(
            kit, piece, Nyud.CABINET, look, (start, 0.12, end, h - 0.2), d - 0.02, (columns, 1)
        )
        _fronts(kit, piece, Nyud.CABINET, look, (start, h - 0.2, end, h - 0.05), d - 0.02,
                (columns, 1))  # fmt: skip
        _worktop(kit, piece, (start, end), (d, h), basin if sink and start == x0 else None)
    if stove:
        _stove(kit, piece, hob, d, h)
    piece.box(Nyud.COUNTER, kit.stone, (x0, 0, h), (x1, 0.02, h + 0.08))
    start = basin + 0.35 if sink else x0
    if hob[0] - start > 0.9 and rng.random() < 0.7:
        _microwave(kit, piece, start + 0.28, h)
        start += 0.58
    props.clutter(kit, piece, (start, 0.06, hob[0], d), h, props.KITCHEN_THINGS, 5)
    return piece


def _microwave(kit: Kit, piece: Piece, x: float, z: float) -> None:
    look = kit.dark if kit.rng.random() < 0.5 else kit.white
    piece.box(Nyud.OTHERPROP, look, (x - 0.25, 0.06, z), (x + 0.25, 0.4, z + 0.28))
    piece.box(Nyud.OTHERPROP, kit.dark, (x - 0.23, 0.4, z + 0.03), (x + 0.1, 0.406, z + 0.25))
    for row in range(3):
        button = z + 0.06 + 0.06 * row
        piece.box(Nyud.OTHERPROP, kit.grey, (x + 0.14, 0.4, button), (x + 0.22, 0.405,
                                                                     button + 0.03))  # fmt: skip


def _worktop(
    kit: Kit, piece: Piece, span: tuple[float, float], depth_height: tuple[float, float],
    basin: float | None,
) -> None:  # fmt: skip
    (x0, x1), (d, h) = span, depth_height
    if basin is None:
        piece.box(Nyud.COUNTER, kit.stone, (x0, 0, h - 0.04), (x1, d + 0.02, h))
        return
    left, right = basin - 0.28, basin + 0.28
    for low, high in (
        ((x0, 0), (left, d + 0.02)), ((right, 0), (x1, d + 0.02)),
        ((left, 0), (right, 0.12)), ((left, 0.5), (right, d + 0.02)),
    ):  # fmt: skip
        piece.box(Nyud.COUNTER, kit.stone, (*low, h - 0.04), (*high, h))
    look = kit.metal if kit.rng.random() < 0.7 else kit.ceramic
    tub(piece, look, (left, 0.12, right, 0.5), (h - 0.038, h + 0.004))
    tap(kit, piece, basin, 0.09, h)


def tub(piece: Piece, look: str, area: props.Area, levels: tuple[float, float]) -> None:
    """Add a sink of four rims and a bottom; levels: bottom and rim."""
    (x0, y0, x1, y1), (bottom, rim), t = area, levels, 0.025
    piece.box(Nyud.SINK, look, (x0, y0, bottom), (x1, y1, bottom + 0.008))
    for low, high in (
        ((x0, y0), (x0 + t, y1)), ((x1 - t, y0), (x1, y1)),
        ((x0 + t, y0), (x1 - t, y0 + t)), ((x0 + t, y1 - t), (x1 - t, y1)),
    ):  # fmt: skip
        piece.box(Nyud.SINK, look, (*low, bottom + 0.008), (*high, rim))


def tap(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a tap whose spout reaches to +y."""
    N, high = Nyud.SINK, kit.rng.uniform(0.14, 0.3)
    piece.rod(N, kit.metal, (x, y, z), (x, y, z + high), 0.014)
    piece.rod(
        N, kit.metal, (x, y, z + high), (x, y + 0.16, z + high - 0.02), 0.012, kind='capsule'
    )
    piece.rod(N, kit.metal, (x - 0.05, y, z + 0.05), (x + 0.05, y, z + 0.05), 0.009)


def _stove(kit: Kit, piece: Piece, span: tuple[float, float], d: float, h: float) -> None:
    (x0, x1), N = span, Nyud.OTHERFURNITURE
    look = (kit.white, kit.metal, kit.dark)[int(kit.rng.integers(3))]
    piece.box(N, look, (x0 + 0.003, 0.02, 0.05), (x1 - 0.003, d, h - 0.01))
    piece.box(N, kit.dark, (x0 + 0.003, 0.02, h - 0.01), (x1 - 0.003, d + 0.01, h + 0.005))
    piece.box(N, kit.dark, (x0 + 0.06, d, 0.3), (x1 - 0.06, d + 0.012, 0.66))
    piece.rod(N, kit.metal, (x0 + 0.06, d + 0.045, 0.7), (x1 - 0.06, d + 0.045, 0.7), 0.011)
    for x in (x0 + 0.17, x1 - 0.17):
        for y in (0.18, 0.44):
            piece.turned(N, kit.dark, [(0.05, 0), (0.09, 0), (0.09, 0.015), (0.05, 0.015)],
                         (x, y, h + 0.005))  # fmt: skip
        piece.rod(N, kit.metal, (x, d, 0.78), (x, d + 0.03, 0.78), 0.018)
    if kit.rng.random() < 0.6:
        profile = [(0, 0), (0.1, 0), (0.105, 0.13), (0.1, 0.13), (0.095, 0.01), (0, 0.01)]
        piece.turned(Nyud.OTHERPROP, kit.metal, profile, (x0 + 0.17, 0.18, h + 0.02))


def wall_cabinets(kit: Kit, length: float) -> Piece:
    """Return the cabinets that hang over a counter."""
    piece, look = kit.piece(), kit.front()
    h, d = kit.rng.uniform(0.55, 0.75), 0.34
    piece.box(Nyud.CABINET, look, (-length / 2, 0, 0), (length / 2, d, h))
    _fronts(kit, piece, Nyud.CABINET, look, (-length / 2, 0.005, length / 2, h - 0.005), d,
            (max(1, round(length / 0.45)), 1))  # fmt: skip
    return piece
