"""Sofas, chairs, office chairs and ottomans."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture import small_items
from hydranet_scenes.rooms.furniture.parts import add_legs
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece


def sofa(kit: MaterialKit, seats: int) -> Piece:
    """Return a sofa or an armchair with loose cushions."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.SOFA
    material = kit.fabric() if rng.random() < 0.6 else kit.any_color()
    arm, seat_width = rng.uniform(0.12, 0.24), rng.uniform(0.55, 0.72)
    d, seat_height, back = (
        rng.uniform(0.82, 0.98),
        rng.uniform(0.38, 0.45),
        rng.uniform(0.75, 0.95),
    )
    half = seats * seat_width / 2
    armrest = seat_height + rng.uniform(0.12, 0.24)
    roundness = rng.uniform(0.12, 0.4)
    add_legs(piece, N, kit.dark, (-half - arm, 0.03, half + arm, d - 0.03), 0.1, 0.06)
    piece.box(N, material, (-half, 0.02, 0.08), (half, d - 0.02, seat_height - 0.12))
    piece.cushion(N, material, (-half - arm, 0, 0.08), (half + arm, 0.26, back - 0.06), roundness)
    for side in (-1, 1):
        low, end = sorted((side * half, side * (half + arm)))
        piece.cushion(N, material, (low, 0.02, 0.06), (end, d, armrest), roundness)
    for index in range(seats):
        x = -half + index * seat_width
        piece.cushion(N, material, (x, 0.2, seat_height - 0.17),
                      (x + seat_width, d + 0.02, seat_height), 0.22)  # fmt: skip
        with piece.local_frame(x + seat_width / 2, 0.3, seat_height + 0.2, pitch=-12):
            corner = (seat_width / 2 - 0.01, 0.1, back - seat_height - 0.14)
            piece.cushion(N, material, (-seat_width / 2 + 0.01, -0.1, -0.22), corner, 0.35)
    for _ in range(int(rng.integers(0, seats + 2))):
        x = rng.uniform(-half + 0.2, half - 0.2)
        pitch, yaw = rng.uniform(50, 75), rng.normal(0, 12)
        with piece.local_frame(x, 0.5, seat_height + 0.2, pitch=pitch, yaw=yaw):
            piece.cushion(
                Nyud.PILLOW, kit.fabric(), (-0.21, -0.21, -0.07), (0.21, 0.21, 0.07), 0.65
            )
    if rng.random() < 0.2:
        small_items.clothes_heap(kit, piece, rng.uniform(-half / 2, half / 2), 0.6, seat_height)
    return piece


def add_chair(kit: MaterialKit, piece: Piece, material: str, style: float, pad: str = '') -> None:
    """
    Add a chair that faces +y, with the center of its seat at the origin.

    :param style: 0..1; selects a solid back, slats or rods.
    :param pad: material of a seat pad, empty for none.
    """
    N = Nyud.CHAIR
    seat, back = 0.45, 0.85 + 0.15 * style
    add_legs(piece, N, material, (-0.21, -0.2, 0.21, 0.2), seat, 0.04)
    piece.box(N, material, (-0.22, -0.21, seat - 0.03), (0.22, 0.21, seat))
    if pad:
        piece.cushion(N, pad, (-0.2, -0.18, seat - 0.01), (0.2, 0.2, seat + 0.05), 0.3)
    for x in (-0.21, 0.17):
        piece.box(N, material, (x, -0.21, seat), (x + 0.04, -0.17, back))
    if style < 0.35:
        piece.box(N, material, (-0.17, -0.2, seat + 0.12), (0.17, -0.18, back - 0.02))
    elif style < 0.7:
        for z in np.arange(seat + 0.12, back - 0.03, 0.11):
            piece.box(N, material, (-0.17, -0.2, z), (0.17, -0.18, z + 0.06))
    else:
        piece.box(N, material, (-0.17, -0.2, back - 0.08), (0.17, -0.18, back))
        for x in np.linspace(-0.14, 0.14, 5):
            piece.rod(N, material, (x, -0.19, seat), (x, -0.19, back - 0.08), 0.008)


def single_chair(kit: MaterialKit) -> Piece:
    """Return a chair, sometimes with clothes on it."""
    piece = kit.piece()
    with piece.local_frame(y=0.3):
        wood, style = kit.wood(), kit.rng.random()
        pad = kit.fabric() if kit.rng.random() < 0.5 else ''
        add_chair(kit, piece, wood, style, pad)
        if kit.rng.random() < 0.4:
            small_items.clothes_heap(kit, piece, 0, 0, 0.46, 0.34)
    return piece


def add_office_chair(kit: MaterialKit, piece: Piece) -> None:
    """Add a swivel chair that faces +y, with its column at the origin."""
    N, rng = Nyud.CHAIR, kit.rng
    material = kit.dark if rng.random() < 0.6 else kit.fabric()
    for angle in np.arange(5) * 72.0:
        x, y = 0.28 * np.cos(np.radians(angle)), 0.28 * np.sin(np.radians(angle))
        piece.rod(N, kit.dark, (0, 0, 0.1), (x, y, 0.07), 0.022, kind='capsule')
        piece.ball(N, kit.dark, (x, y, 0.035), (0.035, 0.035, 0.035))
    piece.rod(N, kit.metal, (0, 0, 0.1), (0, 0, 0.42), 0.025)
    piece.cushion(N, material, (-0.24, -0.22, 0.42), (0.24, 0.25, 0.52), 0.35)
    piece.rod(N, kit.dark, (0, -0.2, 0.45), (0, -0.26, 0.7), 0.022)
    with piece.local_frame(0, -0.25, 0.82, pitch=6):
        piece.cushion(N, material, (-0.22, -0.05, -0.25), (0.22, 0.05, 0.28), 0.4)
    if rng.random() < 0.7:
        for x in (-0.27, 0.27):
            piece.rod(N, kit.dark, (x, -0.02, 0.46), (x, -0.02, 0.68), 0.018)
            piece.box(N, kit.dark, (x - 0.03, -0.14, 0.68), (x + 0.03, 0.14, 0.71))


def ottoman(kit: MaterialKit) -> Piece:
    """Return an ottoman or a stool."""
    piece, rng = kit.piece(), kit.rng
    w, height = rng.uniform(0.4, 0.6), rng.uniform(0.35, 0.5)
    area = (-w / 2 + 0.03, 0.03, w / 2 - 0.03, w - 0.03)
    add_legs(piece, Nyud.OTHERFURNITURE, kit.dark, area, 0.12, 0.05)
    piece.cushion(Nyud.OTHERFURNITURE, kit.fabric(), (-w / 2, 0, 0.1), (w / 2, w, height), 0.25)
    return piece
