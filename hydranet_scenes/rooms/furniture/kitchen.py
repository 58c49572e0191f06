"""Kitchen furniture: counters with sink and stove, wall cabinets, refrigerators."""

from __future__ import annotations

from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture import small_items
from hydranet_scenes.rooms.furniture.parts import add_basin, add_faucet, add_fronts
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece


def refrigerator(kit: MaterialKit) -> Piece:
    """Return a refrigerator, with or without papers on its door."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.REFRIDGERATOR
    w, d, h = rng.uniform(0.6, 0.85), rng.uniform(0.6, 0.7), rng.uniform(1.5, 1.85)
    material = (kit.white, kit.metal, kit.dark)[int(rng.choice([0, 0, 1, 2]))]
    split = h * (0.68 if rng.random() < 0.6 else 0.3)
    piece.box(N, kit.dark, (-w / 2 + 0.03, 0.05, 0), (w / 2 - 0.03, d - 0.03, 0.03))
    piece.box(N, material, (-w / 2, 0.02, 0.03), (w / 2, d, h))
    for low, top in ((0.06, split), (split, h)):
        piece.box(N, material, (-w / 2, d, low + 0.006), (w / 2, d + 0.05, top - 0.006))
        middle = min(max((low + top) / 2, split - 0.25), split + 0.25)
        piece.rod(N, kit.metal, (w / 2 - 0.06, d + 0.08, middle - 0.13),
                  (w / 2 - 0.06, d + 0.08, middle + 0.13), 0.012)  # fmt: skip
    for _ in range(int(rng.integers(0, 6))):
        x, z = rng.uniform(-w / 2 + 0.1, w / 2 - 0.2), rng.uniform(0.75, h - 0.2)
        a, b = rng.uniform(0.04, 0.1), rng.uniform(0.05, 0.13)
        piece.box(Nyud.PAPER, kit.paper(), (x - a, d + 0.05, z - b), (x + a, d + 0.053, z + b),
                  stretch=True)  # fmt: skip
    if rng.random() < 0.5:
        small_items.small_box(kit, piece, 0, d / 2, h)
    return piece


def counter(kit: MaterialKit, length: float, *, sink: bool, stove: bool) -> Piece:
    """
    Return a counter on cabinets, with small items.

    :param length: in meters.
    :param sink: whether it has a sink; ``stove`` likewise.
    """
    piece, rng = kit.piece(), kit.rng
    d, h, material = 0.6, rng.uniform(0.86, 0.92), kit.kitchen_front()
    x0, x1 = -length / 2, length / 2
    stove_span = (x1 - 0.85, x1 - 0.25) if stove else (x1, x1)
    sink_x = x0 + min(0.8, length * 0.35)
    for start, end in ((x0, stove_span[0]), (stove_span[1], x1)):
        if end - start < 0.1:
            continue
        piece.box(Nyud.CABINET, kit.dark, (start, 0.02, 0), (end, d - 0.06, 0.1))
        piece.box(Nyud.CABINET, material, (start, 0.0, 0.1), (end, d - 0.02, h - 0.04))
        columns = max(1, round((end - start) / 0.5))
        add_fronts(
            kit, piece, Nyud.CABINET, material, (start, 0.12, end, h - 0.2), d - 0.02, (columns, 1)
        )
        add_fronts(kit, piece, Nyud.CABINET, material, (start, h - 0.2, end, h - 0.05), d - 0.02,
                (columns, 1))  # fmt: skip
        _add_countertop(kit, piece, (start, end), (d, h), sink_x if sink and start == x0 else None)
    if stove:
        _add_stove(kit, piece, stove_span, d, h)
    piece.box(Nyud.COUNTER, kit.stone, (x0, 0, h), (x1, 0.02, h + 0.08))
    start = sink_x + 0.35 if sink else x0
    if stove_span[0] - start > 0.9 and rng.random() < 0.7:
        _add_microwave(kit, piece, start + 0.28, h)
        start += 0.58
    small_items.add_clutter(
        kit, piece, (start, 0.06, stove_span[0], d), h, small_items.KITCHEN_ITEMS, 5
    )
    return piece


def _add_microwave(kit: MaterialKit, piece: Piece, x: float, z: float) -> None:
    """Add a microwave oven."""
    material = kit.dark if kit.rng.random() < 0.5 else kit.white
    piece.box(Nyud.OTHERPROP, material, (x - 0.25, 0.06, z), (x + 0.25, 0.4, z + 0.28))
    piece.box(Nyud.OTHERPROP, kit.dark, (x - 0.23, 0.4, z + 0.03), (x + 0.1, 0.406, z + 0.25))
    for row in range(3):
        button = z + 0.06 + 0.06 * row
        piece.box(Nyud.OTHERPROP, kit.gray, (x + 0.14, 0.4, button), (x + 0.22, 0.405,
                                                                     button + 0.03))  # fmt: skip


def _add_countertop(
    kit: MaterialKit, piece: Piece, span: tuple[float, float], depth_height: tuple[float, float],
    sink_x: float | None,
) -> None:  # fmt: skip
    """Add a countertop; a sink is centered at ``sink_x``, if given."""
    (x0, x1), (d, h) = span, depth_height
    if sink_x is None:
        piece.box(Nyud.COUNTER, kit.stone, (x0, 0, h - 0.04), (x1, d + 0.02, h))
        return
    left, right = sink_x - 0.28, sink_x + 0.28
    for low, high in (
        ((x0, 0), (left, d + 0.02)), ((right, 0), (x1, d + 0.02)),
        ((left, 0), (right, 0.12)), ((left, 0.5), (right, d + 0.02)),
    ):  # fmt: skip
        piece.box(Nyud.COUNTER, kit.stone, (*low, h - 0.04), (*high, h))
    material = kit.metal if kit.rng.random() < 0.7 else kit.ceramic
    add_basin(piece, material, (left, 0.12, right, 0.5), (h - 0.038, h + 0.004))
    add_faucet(kit, piece, sink_x, 0.09, h)


def _add_stove(
    kit: MaterialKit, piece: Piece, span: tuple[float, float], d: float, h: float
) -> None:
    """Add a stove with four burners, sometimes with a pot."""
    (x0, x1), N = span, Nyud.OTHERFURNITURE
    material = (kit.white, kit.metal, kit.dark)[int(kit.rng.integers(3))]
    piece.box(N, material, (x0 + 0.003, 0.02, 0.05), (x1 - 0.003, d, h - 0.01))
    piece.box(N, kit.dark, (x0 + 0.003, 0.02, h - 0.01), (x1 - 0.003, d + 0.01, h + 0.005))
    piece.box(N, kit.dark, (x0 + 0.06, d, 0.3), (x1 - 0.06, d + 0.012, 0.66))
    piece.rod(N, kit.metal, (x0 + 0.06, d + 0.045, 0.7), (x1 - 0.06, d + 0.045, 0.7), 0.011)
    for x in (x0 + 0.17, x1 - 0.17):
        for y in (0.18, 0.44):
            piece.lathe(N, kit.dark, [(0.05, 0), (0.09, 0), (0.09, 0.015), (0.05, 0.015)],
                         (x, y, h + 0.005))  # fmt: skip
        piece.rod(N, kit.metal, (x, d, 0.78), (x, d + 0.03, 0.78), 0.018)
    if kit.rng.random() < 0.6:
        profile = [(0, 0), (0.1, 0), (0.105, 0.13), (0.1, 0.13), (0.095, 0.01), (0, 0.01)]
        piece.lathe(Nyud.OTHERPROP, kit.metal, profile, (x0 + 0.17, 0.18, h + 0.02))


def wall_cabinets(kit: MaterialKit, length: float) -> Piece:
    """Return wall cabinets of ``length`` meters."""
    piece, material = kit.piece(), kit.kitchen_front()
    h, d = kit.rng.uniform(0.55, 0.75), 0.34
    piece.box(Nyud.CABINET, material, (-length / 2, 0, 0), (length / 2, d, h))
    add_fronts(kit, piece, Nyud.CABINET, material, (-length / 2, 0.005, length / 2, h - 0.005), d,
            (max(1, round(length / 0.45)), 1))  # fmt: skip
    return piece
