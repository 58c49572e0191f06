"""Items on walls: pictures, mirrors, whiteboards, papers, clocks, coats, towels."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms import printed_textures
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture.parts import add_mirror_pane
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece, rotation_matrix


def picture(kit: MaterialKit, width: float = 0.0) -> Piece:
    """Return a framed picture or a poster; ``width`` in meters, 0 for a random one."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.PICTURE
    w = width or rng.uniform(0.28, 0.9)
    h = w * rng.uniform(0.6, 1.4)
    texture = printed_textures.picture(rng, (128, max(48, int(128 * w / h))))
    material = kit.textured(texture, shine=0.1)
    frame = rng.uniform(0.015, 0.05) if rng.random() < 0.8 else 0.0
    if frame:
        wood = kit.wood() if rng.random() < 0.6 else kit.dark
        piece.box(N, wood, (-w / 2 - frame, 0, -frame), (w / 2 + frame, 0.022, h + frame))
    depth = 0.026 if frame else 0.006
    piece.box(N, material, (-w / 2, 0.0, 0), (w / 2, depth, h), stretch=True)
    return piece


def mirror(kit: MaterialKit, w: float, h: float) -> Piece:
    """Return a framed mirror of ``w`` by ``h`` meters."""
    piece = kit.piece()
    frame = kit.rng.uniform(0.005, 0.05)
    material = kit.wood() if kit.rng.random() < 0.5 else kit.metal
    piece.box(Nyud.MIRROR, material, (-w / 2 - frame, 0, -frame), (w / 2 + frame, 0.02, h + frame))
    add_mirror_pane(kit, piece, (w, h), (0, 0.025, h / 2))
    return piece


def whiteboard(kit: MaterialKit, w: float) -> Piece:
    """Return a whiteboard of width ``w`` with its tray and pens."""
    piece, h, N = kit.piece(), kit.rng.uniform(0.85, 1.15), Nyud.WHITEBOARD
    material = kit.textured(printed_textures.whiteboard(kit.rng), shine=0.4)
    piece.box(N, kit.metal, (-w / 2, 0, 0), (w / 2, 0.018, h))
    piece.box(N, material, (-w / 2 + 0.02, 0.01, 0.02), (w / 2 - 0.02, 0.021, h - 0.02),
              stretch=True)  # fmt: skip
    piece.box(N, kit.metal, (-w / 3, 0.018, 0), (w / 3, 0.08, 0.012))
    for x in kit.rng.uniform(-w / 4, w / 4, int(kit.rng.integers(0, 4))):
        piece.rod(Nyud.OTHERPROP, kit.any_color(), (x, 0.05, 0.022), (x + 0.1, 0.05, 0.022), 0.009)
    return piece


def pinned_papers(kit: MaterialKit) -> Piece:
    """Return two to six sheets of paper on a wall."""
    piece, rng = kit.piece(), kit.rng
    for index in range(int(rng.integers(2, 7))):
        x, z = 0.27 * (index % 3) + rng.normal(0, 0.01), 0.36 * (index // 3)
        piece.block(Nyud.PAPER, kit.paper(), (x - 0.27, 0.004, z + 0.15), (0.21, 0.003, 0.297),
                    rotation=rotation_matrix(y=rng.normal(0, 3)), stretch=True)  # fmt: skip
    return piece


def clock(kit: MaterialKit) -> Piece:
    """Return a round wall clock."""
    piece, r = kit.piece(), kit.rng.uniform(0.12, 0.18)
    for material, radius, y in ((kit.dark, r, 0.02), (kit.white, r * 0.9, 0.024)):
        piece.rod(Nyud.OTHERPROP, material, (0, 0.001, r), (0, y, r), radius)
    for angle, length in kit.rng.uniform((0, 0.5), (2 * np.pi, 0.8), (2, 2)):
        tip = (np.sin(angle) * r * length, 0.028, r + np.cos(angle) * r * length)
        piece.rod(Nyud.OTHERPROP, kit.dark, (0, 0.028, r), tip, 0.005)
    return piece


def hanging_clothes(kit: MaterialKit) -> Piece:
    """Return a coat rack with coats; its board is 0.87 m above its origin."""
    piece, count = kit.piece(), int(kit.rng.integers(2, 5))
    piece.box(Nyud.OTHERPROP, kit.wood(), (-0.12 * count, 0, 0.82), (0.12 * count, 0.02, 0.92))
    for index in range(count):
        x = (index - (count - 1) / 2) * 0.22
        h = kit.rng.uniform(0.5, 0.85)
        piece.rod(Nyud.OTHERPROP, kit.metal, (x, 0.02, 0.87), (x, 0.08, 0.87), 0.01)
        low, high = (x - 0.13, 0.02, 0.85 - h), (x + 0.13, 0.17, 0.86)
        piece.cushion(Nyud.CLOTHES, kit.fabric(), low, high, 0.45)
    return piece


def towel_rail(kit: MaterialKit) -> Piece:
    """Return a towel rail with one or two towels, 0.7 m above its origin."""
    piece, count = kit.piece(), int(kit.rng.integers(1, 3))
    half = 0.26 * count
    piece.rod(Nyud.OTHERPROP, kit.metal, (-half, 0.07, 0.7), (half, 0.07, 0.7), 0.009)
    for end in (-half, half):
        piece.rod(Nyud.OTHERPROP, kit.metal, (end, 0.0, 0.7), (end, 0.07, 0.7), 0.009)
    for index in range(count):
        x = (index - (count - 1) / 2) * 0.5
        w, h, material = kit.rng.uniform(0.26, 0.44), kit.rng.uniform(0.35, 0.68), kit.fabric()
        piece.box(Nyud.TOWEL, material, (x - w / 2, 0.081, 0.7 - h), (x + w / 2, 0.1, 0.71))
        piece.box(Nyud.TOWEL, material, (x - w / 2, 0.04, 0.7 - h * 0.8), (x + w / 2, 0.058, 0.71))
        piece.box(Nyud.TOWEL, material, (x - w / 2, 0.04, 0.71), (x + w / 2, 0.1, 0.725))
    return piece
