"""Bathroom furniture: toilets, bathtubs with curtains, washstands."""

from __future__ import annotations

from hydranet_scenes.rooms import meshes, textures
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture import small_items
from hydranet_scenes.rooms.furniture.parts import add_basin, add_faucet, add_fronts
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece


def toilet(kit: MaterialKit) -> Piece:
    """Return a toilet with its lid up or down, with or without a roll of paper on the tank."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.TOILET
    material = kit.ceramic
    height, tank = rng.uniform(0.38, 0.43), rng.uniform(0.72, 0.85)
    piece.cushion(N, material, (-0.2, 0.0, height), (0.2, 0.2, tank), 0.15)
    piece.cushion(N, material, (-0.21, 0.0, tank - 0.02), (0.21, 0.21, tank + 0.03), 0.2)
    bowl = [(0, 0), (0.13, 0), (0.11, 0.12), (0.13, 0.22), (0.2, height - 0.03), (0.2, height)]
    bowl += [(0.14, height), (0.1, height - 0.14), (0, height - 0.16)]
    piece.lathe(N, material, bowl, (0, 0.44, 0), scale=(0.95, 1.2))
    piece.box(N, material, (-0.12, 0.06, 0.0), (0.12, 0.36, height - 0.02))
    if rng.random() < 0.5:
        lid = [(0, 0), (0.2, 0), (0.2, 0.025), (0, 0.035)]
        piece.lathe(N, material, lid, (0, 0.44, height), scale=(0.97, 1.22))
    else:
        ring = [(0.13, 0), (0.2, 0), (0.2, 0.02), (0.13, 0.02), (0.13, 0)]
        piece.lathe(N, material, ring, (0, 0.44, height), scale=(0.97, 1.22))
        with piece.local_frame(0, 0.225, height + 0.24, pitch=-82):
            piece.mesh(N, material, meshes.lathe([(0, 0), (0.2, 0), (0.2, 0.02), (0, 0.02)],
                                                    scale=(0.95, 1.15)))  # fmt: skip
    piece.rod(N, kit.metal, (-0.16, 0.2, tank - 0.06), (-0.11, 0.225, tank - 0.06), 0.01)
    if rng.random() < 0.5:
        roll = [(0.018, 0), (0.055, 0), (0.055, 0.1), (0.018, 0.1), (0.018, 0)]
        piece.lathe(Nyud.PAPER, kit.white, roll, (0.08, 0.1, tank + 0.03))
    return piece


def bathtub(kit: MaterialKit, length: float) -> Piece:
    """Return a bathtub of ``length`` meters along a wall, mostly with a shower curtain."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.BATHTUB
    d, h, material, t = rng.uniform(0.7, 0.8), rng.uniform(0.46, 0.58), kit.ceramic, 0.06
    x0, x1 = -length / 2, length / 2
    piece.box(N, material, (x0, 0, 0), (x1, d, 0.14))
    for low, top in (
        ((x0, 0), (x0 + t, d)), ((x1 - t, 0), (x1, d)), ((x0 + t, 0), (x1 - t, t)),
        ((x0 + t, d - t), (x1 - t, d)),
    ):  # fmt: skip
        piece.box(N, material, (*low, 0.14), (*top, h))
    end = x0 if rng.random() < 0.5 else x1
    inward = 1 if end == x0 else -1
    piece.rod(N, kit.metal, (end + inward * 0.02, d / 2, h + 0.12),
              (end + inward * 0.18, d / 2, h + 0.1), 0.018)  # fmt: skip
    piece.rod(Nyud.OTHERPROP, kit.metal, (end + inward * 0.02, d / 2, 1.9),
              (end + inward * 0.22, d / 2, 1.86), 0.012)  # fmt: skip
    piece.rod(Nyud.OTHERPROP, kit.metal, (end + inward * 0.22, d / 2, 1.87),
              (end + inward * 0.24, d / 2, 1.83), 0.05)  # fmt: skip
    if rng.random() < 0.85:
        rail = 1.98
        piece.rod(Nyud.OTHERPROP, kit.metal, (x0, d - 0.02, rail), (x1, d - 0.02, rail), 0.012)
        width = length * rng.uniform(0.25, 0.75)
        side = -inward if rng.random() < 0.6 else inward
        x = (x0 + width / 2 + 0.02) if side < 0 else (x1 - width / 2 - 0.02)
        material = kit.textured(textures.fabric(rng))
        cloth = meshes.drape(rng, width, rail - 0.25, depth=0.09, pitch=0.16)
        piece.mesh(Nyud.SHOWER_CURTAIN, material, cloth, (x, d + 0.055, (rail + 0.25) / 2))
    for x in (x0 + 0.2, x0 + 0.32)[: int(rng.integers(0, 3))]:
        piece.rod(Nyud.OTHERPROP, kit.any_color(), (x, 0.035, h), (x, 0.035, h + 0.2), 0.028)
    return piece


def washstand(kit: MaterialKit) -> Piece:
    """Return a sink on a pedestal, or in a counter on a cabinet."""
    piece, rng = kit.piece(), kit.rng
    if rng.random() < 0.3:
        w, d, h = rng.uniform(0.5, 0.62), rng.uniform(0.42, 0.5), rng.uniform(0.8, 0.87)
        piece.rod(Nyud.SINK, kit.ceramic, (0, 0.2, 0), (0, 0.2, h - 0.12), 0.09)
        piece.cushion(Nyud.SINK, kit.ceramic, (-w / 3, 0.02, h - 0.22),
                      (w / 3, d - 0.06, h - 0.08), 0.5)  # fmt: skip
        add_basin(piece, kit.ceramic, (-w / 2, 0.0, w / 2, d), (h - 0.13, h))
        add_faucet(kit, piece, 0, 0.04, h - 0.01)
        return piece
    w, d, h, material = rng.uniform(0.7, 1.4), 0.52, rng.uniform(0.8, 0.88), kit.wood()
    piece.box(Nyud.CABINET, material, (-w / 2, 0, 0.08), (w / 2, d - 0.02, h - 0.04))
    piece.box(Nyud.CABINET, kit.dark, (-w / 2 + 0.02, 0, 0), (w / 2 - 0.02, d - 0.08, 0.08))
    add_fronts(kit, piece, Nyud.CABINET, material, (-w / 2, 0.1, w / 2, h - 0.06), d - 0.02,
            (max(2, round(w / 0.4)), 1))  # fmt: skip
    x = rng.uniform(-0.1, 0.1) * w
    left, right = x - 0.23, x + 0.23
    for low, top in (((-w / 2, 0), (left, d)), ((right, 0), (w / 2, d)),
                      ((left, 0), (right, 0.13)), ((left, 0.44), (right, d))):  # fmt: skip
        piece.box(Nyud.COUNTER, kit.stone, (*low, h - 0.04), (*top, h))
    add_basin(piece, kit.ceramic, (left, 0.13, right, 0.44), (h - 0.038, h + 0.006))
    add_faucet(kit, piece, x, 0.09, h)
    for start, end in ((-w / 2, left), (right, w / 2)):
        small_items.add_clutter(
            kit, piece, (start, 0.02, end, d), h, (small_items.cup, small_items.vase), 2
        )
    return piece
