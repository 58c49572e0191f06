"""Dining tables, coffee tables and desks, with chairs and small items."""

from __future__ import annotations

from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture import small_items
from hydranet_scenes.rooms.furniture.parts import Area, add_legs, add_television
from hydranet_scenes.rooms.furniture.seating import add_chair, add_office_chair
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece, rotation_matrix


def dining_table(kit: MaterialKit) -> Piece:
    """Return a table with chairs."""
    piece, rng = kit.piece(), kit.rng
    material, w, d = kit.wood(), rng.uniform(1.0, 1.8), rng.uniform(0.75, 0.95)
    height, y0 = rng.uniform(0.71, 0.77), 0.42
    _add_table(kit, piece, material, (-w / 2, y0, w / 2, y0 + d), height)
    small_items.add_clutter(
        kit, piece, (-w / 2, y0, w / 2, y0 + d), height, small_items.TABLE_ITEMS, 4
    )
    style, chair_wood = rng.random(), kit.wood()
    pad = kit.fabric() if rng.random() < 0.5 else ''
    per_side = max(1, int(w / 0.62))
    for side, facing in ((y0, 0.0), (y0 + d, 180.0)):
        for index in range(per_side):
            if rng.random() < 0.85:
                x = (index - (per_side - 1) / 2) * w / per_side
                out = rng.uniform(0.0, 0.16) * (-1 if facing == 0 else 1)
                with piece.local_frame(x, side + out, yaw=facing + rng.normal(0, 4)):
                    add_chair(kit, piece, chair_wood, style, pad)
    return piece


def _add_table(kit: MaterialKit, piece: Piece, material: str, area: Area, height: float) -> None:
    """Add a table with four legs, or with a central column."""
    x0, y0, x1, y1 = area
    piece.box(Nyud.TABLE, material, (x0, y0, height - 0.03), (x1, y1, height))
    if kit.rng.random() < 0.25:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        piece.rod(Nyud.TABLE, material, (x, y, 0.03), (x, y, height - 0.03), 0.05)
        piece.lathe(Nyud.TABLE, material, [(0, 0), (0.28, 0), (0.26, 0.03), (0, 0.04)], (x, y, 0))
        return
    inset = 0.03
    corners = (x0 + inset, y0 + inset, x1 - inset, y1 - inset)
    add_legs(piece, Nyud.TABLE, material, corners, height - 0.03, kit.rng.uniform(0.04, 0.08))
    piece.box(Nyud.TABLE, material, (x0 + 0.06, y0 + 0.06, height - 0.11),
              (x1 - 0.06, y1 - 0.06, height - 0.03))  # fmt: skip


def coffee_table(kit: MaterialKit) -> Piece:
    """Return a coffee table with small items."""
    piece, rng = kit.piece(), kit.rng
    w, d, height = rng.uniform(0.7, 1.2), rng.uniform(0.45, 0.7), rng.uniform(0.36, 0.48)
    material = kit.wood()
    if rng.random() < 0.3:
        piece.lathe(Nyud.TABLE, material, [(0, 0), (d / 2, 0), (d / 2, 0.03), (0, 0.031)],
                     (0, d / 2, height - 0.03))  # fmt: skip
        piece.rod(Nyud.TABLE, kit.metal, (0, d / 2, 0.02), (0, d / 2, height - 0.03), 0.04)
        piece.lathe(Nyud.TABLE, kit.metal, [(0, 0), (d / 3, 0), (0, 0.021)], (0, d / 2, 0))
        area = (-d / 3, d / 6, d / 3, 5 * d / 6)
    else:
        area = (-w / 2, 0.0, w / 2, d)
        _add_table(kit, piece, material, area, height)
    small_items.add_clutter(kit, piece, area, height, small_items.TABLE_ITEMS, 4)
    return piece


def desk(kit: MaterialKit, office: bool) -> Piece:
    """
    Return a desk with one or two monitors, small items and a chair.

    :param office: whether the chair is an office chair and wide desks may have two monitors.
    """
    piece, rng, N = kit.piece(), kit.rng, Nyud.DESK
    w, d, height = rng.uniform(1.1, 1.8), rng.uniform(0.6, 0.8), rng.uniform(0.71, 0.76)
    material = kit.wood()
    piece.box(N, material, (-w / 2, 0, height - 0.03), (w / 2, d, height))
    if rng.random() < 0.6:
        for x in (-w / 2 + 0.01, w / 2 - 0.04):
            piece.box(N, material, (x, 0.03, 0), (x + 0.03, d - 0.03, height - 0.03))
        piece.box(N, material, (-w / 2 + 0.04, 0.04, 0.3), (w / 2 - 0.04, 0.06, height - 0.03))
    else:
        add_legs(
            piece,
            N,
            kit.metal,
            (-w / 2 + 0.02, 0.02, w / 2 - 0.02, d - 0.02),
            height - 0.03,
            0.045,
        )
    side = rng.choice([-1, 1])
    if rng.random() < 0.7:
        x = side * (w / 2 - 0.27)
        piece.box(N, material, (x - 0.2, 0.08, 0.03), (x + 0.2, d - 0.04, height - 0.04))
        for z in (0.06, 0.26, 0.46):
            piece.box(N, material, (x - 0.19, d - 0.04, z), (x + 0.19, d - 0.025, z + 0.18))
            piece.rod(N, kit.metal, (x - 0.06, d - 0.01, z + 0.1), (x + 0.06, d - 0.01, z + 0.1),
                      0.007)  # fmt: skip
    monitors = int(rng.integers(1, 3)) if office and w > 1.4 else 1
    middle = -side * 0.12
    for index in range(monitors):
        with piece.local_frame(middle + (index - (monitors - 1) / 2) * 0.56, yaw=rng.normal(0, 4)):
            add_television(kit, piece, 0.22, height, rng.uniform(0.42, 0.54))
    piece.block(Nyud.OTHERPROP, kit.dark, (middle, d - 0.16, height + 0.01), (0.42, 0.14, 0.02),
                rotation=rotation_matrix(z=rng.normal(0, 4)))  # fmt: skip
    piece.ball(Nyud.OTHERPROP, kit.dark, (middle + 0.31, d - 0.16, height + 0.015),
               (0.03, 0.05, 0.018))  # fmt: skip
    for start, end in ((-w / 2, middle - 0.5), (middle + 0.5, w / 2)):
        small_items.add_clutter(
            kit, piece, (start, 0.02, end, d - 0.02), height, small_items.DESK_ITEMS, 3
        )
    if rng.random() < 0.4:
        small_items.table_lamp(kit, piece, side * (w / 2 - 0.2), 0.18, height)
    with piece.local_frame(middle, d + rng.uniform(0.1, 0.4), yaw=180 + rng.normal(0, 20)):
        if office or rng.random() < 0.5:
            add_office_chair(kit, piece)
        else:
            add_chair(kit, piece, kit.wood(), rng.random(), kit.fabric())
    return piece
