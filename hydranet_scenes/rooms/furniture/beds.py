"""Beds with pillows and covers."""

from __future__ import annotations

from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture import small_items
from hydranet_scenes.rooms.furniture.parts import add_legs
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece


def bed(kit: MaterialKit, single: bool) -> Piece:
    """Return a single or double bed with its head at y = 0."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.BED
    w = rng.uniform(0.9, 1.1) if single else rng.uniform(1.4, 1.9)
    d, base, mattress = rng.uniform(1.95, 2.15), rng.uniform(0.18, 0.34), rng.uniform(0.17, 0.26)
    frame, head = kit.wood(), rng.uniform(0.75, 1.25)
    top = base + mattress
    if rng.random() < 0.3:
        piece.cushion(N, kit.fabric(), (-w / 2 - 0.04, 0, 0.1), (w / 2 + 0.04, 0.12, head), 0.2)
    else:
        piece.box(N, frame, (-w / 2 - 0.03, 0, 0), (w / 2 + 0.03, 0.06, head))
    piece.box(N, frame, (-w / 2 - 0.02, 0.06, 0.08), (w / 2 + 0.02, d, base))
    add_legs(piece, N, frame, (-w / 2 - 0.02, 0.06, w / 2 + 0.02, d), 0.08, 0.07)
    if rng.random() < 0.4:
        foot = rng.uniform(0.4, 0.75)
        piece.box(N, frame, (-w / 2 - 0.03, d, 0), (w / 2 + 0.03, d + 0.05, foot))
    piece.cushion(N, kit.white, (-w / 2, 0.1, base - 0.02), (w / 2, d - 0.02, top), 0.14)
    cover = kit.fabric()
    start = 0.65 if rng.random() < 0.75 else rng.uniform(0.75, 1.1)
    piece.cushion(N, cover, (-w / 2 - 0.05, start, base - rng.uniform(0.0, 0.12)),
                  (w / 2 + 0.05, d, top + 0.045), 0.16)  # fmt: skip
    if rng.random() < 0.4:
        piece.cushion(N, kit.fabric(), (-w / 2 - 0.06, d - 0.65, base),
                      (w / 2 + 0.06, d - 0.1, top + 0.06), 0.15)  # fmt: skip
    _add_pillows(kit, piece, w, top)
    if rng.random() < 0.3:
        small_items.clothes_heap(kit, piece, rng.uniform(-w / 4, w / 4), d - 0.7, top + 0.05)
    return piece


def _add_pillows(kit: MaterialKit, piece: Piece, w: float, top: float) -> None:
    """Add one or two rows of pillows; ``top`` is the height of the mattress."""
    rng = kit.rng
    count = 1 if w < 1.2 else 2
    materials = [kit.white if rng.random() < 0.4 else kit.fabric() for _ in range(2)]
    for row in range(int(rng.integers(1, 3))):
        for index in range(count):
            x = (index - (count - 1) / 2) * w / 2
            lean = rng.uniform(15, 60) if row == 0 else rng.uniform(10, 45)
            with piece.local_frame(x, 0.2 + 0.22 * row, top + 0.1, pitch=lean):
                half = 0.33 if row == 0 else 0.23
                piece.cushion(
                    Nyud.PILLOW, materials[row], (-half, -0.2, -0.07), (half, 0.2, 0.07), 0.6
                )
