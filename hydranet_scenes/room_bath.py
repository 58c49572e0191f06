"""Furniture of bathrooms: toilet, bathtub with its curtain, wash stand, towels, mats."""

from __future__ import annotations

from hydranet_scenes import room_props as props
from hydranet_scenes import room_shapes, room_textures
from hydranet_scenes.room_builder import Piece
from hydranet_scenes.room_classes import Nyud
from hydranet_scenes.room_kit import Kit
from hydranet_scenes.room_storage import _fronts, tap, tub


def toilet(kit: Kit) -> Piece:
    """Return a toilet with its tank, lid down or up, and maybe a roll of paper on the tank."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.TOILET
    look = kit.ceramic
    high, tank = rng.uniform(0.38, 0.43), rng.uniform(0.72, 0.85)
    piece.cushion(N, look, (-0.2, 0.0, high), (0.2, 0.2, tank), 0.15)
    piece.cushion(N, look, (-0.21, 0.0, tank - 0.02), (0.21, 0.21, tank + 0.03), 0.2)
    bowl = [(0, 0), (0.13, 0), (0.11, 0.12), (0.13, 0.22), (0.2, high - 0.03), (0.2, high)]
    bowl += [(0.14, high), (0.1, high - 0.14), (0, high - 0.16)]
    piece.turned(N, look, bowl, (0, 0.44, 0), scale=(0.95, 1.2))
    piece.box(N, look, (-0.12, 0.06, 0.0), (0.12, 0.36, high - 0.02))
    if rng.random() < 0.5:
        lid = [(0, 0), (0.2, 0), (0.2, 0.025), (0, 0.035)]
        piece.turned(N, look, lid, (0, 0.44, high), scale=(0.97, 1.22))
    else:
        ring = [(0.13, 0), (0.2, 0), (0.2, 0.02), (0.13, 0.02), (0.13, 0)]
        piece.turned(N, look, ring, (0, 0.44, high), scale=(0.97, 1.22))
        with piece.moved(0, 0.225, high + 0.24, pitch=-82):
            piece.solid(N, look, room_shapes.turned([(0, 0), (0.2, 0), (0.2, 0.02), (0, 0.02)],
                                                    scale=(0.95, 1.15)))  # fmt: skip
    piece.rod(N, kit.metal, (-0.16, 0.2, tank - 0.06), (-0.11, 0.225, tank - 0.06), 0.01)
    if rng.random() < 0.5:
        roll = [(0.018, 0), (0.055, 0), (0.055, 0.1), (0.018, 0.1), (0.018, 0)]
        piece.turned(Nyud.PAPER, kit.white, roll, (0.08, 0.1, tank + 0.03))
    return piece


def bathtub(kit: Kit, length: float) -> Piece:
    """Return a tub along the wall with a curtain on its rail, drawn aside or not."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.BATHTUB
    d, h, look, t = rng.uniform(0.7, 0.8), rng.uniform(0.46, 0.58), kit.ceramic, 0.06
    x0, x1 = -length / 2, length / 2
    piece.box(N, look, (x0, 0, 0), (x1, d, 0.14))
    for low, high in (
        ((x0, 0), (x0 + t, d)), ((x1 - t, 0), (x1, d)), ((x0 + t, 0), (x1 - t, t)),
        ((x0 + t, d - t), (x1 - t, d)),
    ):  # fmt: skip
        piece.box(N, look, (*low, 0.14), (*high, h))
    end = x0 if rng.random() < 0.5 else x1
    inwards = 1 if end == x0 else -1
    piece.rod(N, kit.metal, (end + inwards * 0.02, d / 2, h + 0.12),
              (end + inwards * 0.18, d / 2, h + 0.1), 0.018)  # fmt: skip
    piece.rod(Nyud.OTHERPROP, kit.metal, (end + inwards * 0.02, d / 2, 1.9),
              (end + inwards * 0.22, d / 2, 1.86), 0.012)  # fmt: skip
    piece.rod(Nyud.OTHERPROP, kit.metal, (end + inwards * 0.22, d / 2, 1.87),
              (end + inwards * 0.24, d / 2, 1.83), 0.05)  # fmt: skip
    if rng.random() < 0.85:
        rail = 1.98
        piece.rod(Nyud.OTHERPROP, kit.metal, (x0, d - 0.02, rail), (x1, d - 0.02, rail), 0.012)
        wide = length * rng.uniform(0.25, 0.75)
        side = -inwards if rng.random() < 0.6 else inwards
        x = (x0 + wide / 2 + 0.02) if side < 0 else (x1 - wide / 2 - 0.02)
        look = kit.drawn(room_textures.fabric(rng))
        cloth = room_shapes.drape(rng, wide, rail - 0.25, depth=0.09, pitch=0.16)
        piece.solid(Nyud.SHOWER_CURTAIN, look, cloth, (x, d + 0.055, (rail + 0.25) / 2))
    for x in (x0 + 0.2, x0 + 0.32)[: int(rng.integers(0, 3))]:
        piece.rod(Nyud.OTHERPROP, kit.any_color(), (x, 0.035, h), (x, 0.035, h + 0.2), 0.028)
    return piece


def wash_stand(kit: Kit) -> Piece:
    """Return a wash basin in a counter over a cabinet, or a basin on a foot."""
    piece, rng = kit.piece(), kit.rng
    if rng.random() < 0.3:
        w, d, h = rng.uniform(0.5, 0.62), rng.uniform(0.42, 0.5), rng.uniform(0.8, 0.87)
        piece.rod(Nyud.SINK, kit.ceramic, (0, 0.2, 0), (0, 0.2, h - 0.12), 0.09)
        piece.cushion(Nyud.SINK, kit.ceramic, (-w / 3, 0.02, h - 0.22),
                      (w / 3, d - 0.06, h - 0.08), 0.5)  # fmt: skip
        tub(piece, kit.ceramic, (-w / 2, 0.0, w / 2, d), (h - 0.13, h))
        tap(kit, piece, 0, 0.04, h - 0.01)
        return piece
    w, d, h, look = rng.uniform(0.7, 1.4), 0.52, rng.uniform(0.8, 0.88), kit.wood()
    piece.box(Nyud.CABINET, look, (-w / 2, 0, 0.08), (w / 2, d - 0.02, h - 0.04))
    piece.box(Nyud.CABINET, kit.dark, (-w / 2 + 0.02, 0, 0), (w / 2 - 0.02, d - 0.08, 0.08))
    _fronts(kit, piece, Nyud.CABINET, look, (-w / 2, 0.1, w / 2, h - 0.06), d - 0.02,
            (max(2, round(w / 0.4)), 1))  # fmt: skip
    x = rng.uniform(-0.1, 0.1) * w
    left, right = x - 0.23, x + 0.23
    for low, high in (((-w / 2, 0), (left, d)), ((right, 0), (w / 2, d)),
                      ((left, 0), (right, 0.13)), ((left, 0.44), (right, d))):  # fmt: skip
        piece.box(Nyud.COUNTER, kit.stone, (*low, h - 0.04), (*high, h))
    tub(piece, kit.ceramic, (left, 0.13, right, 0.44), (h - 0.038, h + 0.006))
    tap(kit, piece, x, 0.09, h)
    for start, end in ((-w / 2, left), (right, w / 2)):
        props.clutter(kit, piece, (start, 0.02, end, d), h, (props.cup, props.vase), 2)
    return piece


def mat(kit: Kit, w: float, d: float) -> Piece:
    """Return a mat or a rug on the floor, its middle at the origin."""
    piece = kit.piece()
    look = kit.drawn(room_textures.rug(kit.rng))
    piece.box(Nyud.FLOOR_MAT, look, (-w / 2, -d / 2, 0.0), (w / 2, d / 2, 0.012), whole=True)
    return piece
