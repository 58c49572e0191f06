"""
Parts that several pieces of furniture share.

Each function adds one part to a piece.
"""

from __future__ import annotations

from hydranet_scenes.rooms import printed_textures
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece

# A horizontal rectangle (x0, y0, x1, y1) in the frame of a piece, in meters.
Area = tuple[float, float, float, float]


def add_legs(
    piece: Piece, label: int, material: str, area: Area, z: float, thickness: float
) -> None:
    """Add four square legs of height ``z`` in the corners of an area."""
    x0, y0, x1, y1 = area
    for x in (x0, x1 - thickness):
        for y in (y0, y1 - thickness):
            piece.box(label, material, (x, y, 0), (x + thickness, y + thickness, z))


def add_fronts(
    kit: MaterialKit, piece: Piece, label: int, material: str,
    span: tuple[float, float, float, float], y: float, grid: tuple[int, int],
) -> None:  # fmt: skip
    """
    Add doors or drawers with handles.

    :param span: (x0, z0, x1, z1) of the front in meters; it is at ``y``.
    :param grid: number of columns and rows.
    """
    x0, z0, x1, z1 = span
    columns, rows = grid
    w, h = (x1 - x0) / columns, (z1 - z0) / rows
    for column in range(columns):
        for row in range(rows):
            x, z = x0 + column * w, z0 + row * h
            piece.box(label, material, (x + 0.006, y, z + 0.006), (x + w - 0.006, y + 0.018,
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


def add_mirror_pane(
    kit: MaterialKit, piece: Piece, size: tuple[float, float], at: tuple[float, float, float]
) -> None:
    """Add a mirror that faces +y; ``size`` is (width, height), ``at`` its center."""
    material = kit.builder.material(color=(0.1, 0.105, 0.11), reflect=0.85, shine=0.8)
    with piece.local_frame(*at, pitch=-90):
        half = (size[0] / 2, size[1] / 2)
        piece.box(Nyud.MIRROR, material, (-half[0], -half[1], -0.005), (*half, 0.005))


def add_basin(piece: Piece, material: str, area: Area, levels: tuple[float, float]) -> None:
    """Add a rectangular sink; ``levels`` are the heights of its bottom and its rim."""
    (x0, y0, x1, y1), (bottom, rim), t = area, levels, 0.025
    piece.box(Nyud.SINK, material, (x0, y0, bottom), (x1, y1, bottom + 0.008))
    for low, high in (
        ((x0, y0), (x0 + t, y1)), ((x1 - t, y0), (x1, y1)),
        ((x0 + t, y0), (x1 - t, y0 + t)), ((x0 + t, y1 - t), (x1 - t, y1)),
    ):  # fmt: skip
        piece.box(Nyud.SINK, material, (*low, bottom + 0.008), (*high, rim))


def add_faucet(kit: MaterialKit, piece: Piece, x: float, y: float, z: float) -> None:
    """Add a faucet whose spout points to +y."""
    N, height = Nyud.SINK, kit.rng.uniform(0.14, 0.3)
    piece.rod(N, kit.metal, (x, y, z), (x, y, z + height), 0.014)
    piece.rod(
        N, kit.metal, (x, y, z + height), (x, y + 0.16, z + height - 0.02), 0.012, kind='capsule'
    )
    piece.rod(N, kit.metal, (x - 0.05, y, z + 0.05), (x + 0.05, y, z + 0.05), 0.009)


def add_lampshade(
    kit: MaterialKit, piece: Piece, at: tuple[float, float, float], r: float, h: float
) -> None:
    """Add a lampshade of radius ``r`` and height ``h``; ``at`` is the center of its lower rim."""
    top = r * kit.rng.uniform(0.45, 0.95)
    profile = [(r, 0.0), (top, h), (top - 0.004, h), (0.0, h - 0.01), (r - 0.006, 0.0), (r, 0.0)]
    piece.lathe(Nyud.LAMP, kit.lampshade, profile, at)
    piece.add_light((at[0], at[1], at[2] + 0.05))


def add_television(kit: MaterialKit, piece: Piece, y: float, z: float, width: float) -> None:
    """Add a screen on a stand, centered at x = 0, that faces +y."""
    material = kit.textured(printed_textures.screen(kit.rng), shine=0.5, glow=0.35)
    piece.box(Nyud.TELEVISION, kit.dark, (-width * 0.2, y - 0.09, z), (width * 0.2, y + 0.09,
                                                                       z + 0.015))  # fmt: skip
    piece.box(Nyud.TELEVISION, kit.dark, (-0.03, y - 0.02, z), (0.03, y, z + 0.12))
    low, top = z + 0.07, z + 0.07 + width * 0.6
    piece.box(Nyud.TELEVISION, kit.dark, (-width / 2, y - 0.02, low), (width / 2, y + 0.02, top))
    piece.box(Nyud.TELEVISION, material, (-width / 2 + 0.015, y + 0.02, low + 0.015),
              (width / 2 - 0.015, y + 0.024, top - 0.015), stretch=True)  # fmt: skip
