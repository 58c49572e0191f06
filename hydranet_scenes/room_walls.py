"""A room's shell: floor, walls with windows, ceiling, doors; and what hangs on walls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydranet_scenes import room_prints, room_shapes, room_textures
from hydranet_scenes.room_builder import Piece, rotation
from hydranet_scenes.room_classes import Nyud
from hydranet_scenes.room_kit import Kit
from hydranet_scenes.room_storage import glass

THICK = 0.14


@dataclass(frozen=True)
class Opening:
    """A window in a wall: metres along it and above the floor, from its left end."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Wall:
    """
    A wall in the room's frame; its own has x along it, y into the room, z up.

    :param start: where its x is 0; ``yaw`` degrees turn its frame into the room's.
    """

    start: tuple[float, float]
    length: float
    yaw: float

    def at(self, along: float, out: float = 0.0) -> tuple[float, float]:
        """Return the room's (x, y) of a place ``along`` the wall and ``out`` of it."""
        x, y, _ = rotation(z=self.yaw) @ np.array([along, out, 0.0])
        return float(self.start[0] + x), float(self.start[1] + y)


def four_walls(width: float, depth: float) -> tuple[Wall, ...]:
    """Return the walls at y = 0, x = width, y = depth and x = 0."""
    return (Wall((0.0, 0.0), width, 0.0), Wall((width, 0.0), depth, 90.0),
            Wall((width, depth), width, 180.0), Wall((0.0, depth), depth, 270.0))  # fmt: skip


def wall(kit: Kit, length: float, high: float, look: str, openings: Sequence[Opening], *,
         board: str = '', wainscot: tuple[str, float] | None = None) -> Piece:  # fmt: skip
    """
    Return a wall, its inner side at y = 0, from x = 0 to ``length``.

    :param board: look of the skirting board, if there is one.
    :param wainscot: look and height of tiles or panels on its lower part.
    """
    piece = kit.piece()
    holes = [(length - o.right, o.bottom, length - o.left, o.top) for o in openings]
    cuts = (sorted(v for h in holes for v in (h[0], h[2])),
            sorted(v for h in holes for v in (h[1], h[3])))  # fmt: skip
    inner = room_shapes.patch((length, 0, 0), (-length, 0, 0), (0, 0, high), metres=2.0,
                              cuts=cuts, holes=holes)  # fmt: skip
    piece.solid(Nyud.WALL, look, _with_back(inner))
    back = kit.grey
    x = -THICK
    for o in sorted(openings, key=lambda o: o.left):
        piece.box(Nyud.WALL, back, (x, -THICK, -0.1), (o.left, -0.004, high + 0.1))
        for low, top in ((-0.1, o.bottom), (o.top, high + 0.1)):
            piece.box(Nyud.WALL, kit.white, (o.left, -THICK, low), (o.right, -0.004, top))
        x = o.right
    piece.box(Nyud.WALL, back, (x, -THICK, -0.1), (length + THICK, -0.004, high + 0.1))
    if board:
        piece.box(Nyud.WALL, board, (0, 0, 0), (length, 0.012, 0.08))
    if wainscot:
        for start, end in _between(length, openings, wainscot[1]):
            tiled = room_shapes.patch((end, 0.006, 0), (start - end, 0, 0), (0, 0, wainscot[1]),
                                      metres=2.0)  # fmt: skip
            piece.solid(Nyud.WALL, wainscot[0], _with_back(tiled))
    return piece


def _between(length: float, openings: Sequence[Opening], high: float) -> list[tuple[float, float]]:
    """Return the stretches of a wall with no opening below ``high``."""
    edges, x = [], 0.0
    for o in sorted((o for o in openings if o.bottom < high), key=lambda o: o.left):
        edges.append((x, o.left))
        x = o.right
    return [(a, b) for a, b in [*edges, (x, length)] if b - a > 0.02]


def _with_back(solid: room_shapes.Solid) -> room_shapes.Solid:
    """Close a flat patch with a back 3 mm behind it, so that it has an inside."""
    vertices, faces, uv, normals = solid
    behind = (vertices - 0.003 * normals, faces[:, ::-1], uv, -normals)
    return room_shapes.join([solid, behind])


def floor_and_ceiling(
    kit: Kit, width: float, depth: float, high: float, looks: tuple[str, str]
) -> Piece:
    """Return floor (at z = 0) and ceiling; looks of each."""
    piece = kit.piece()
    floor = room_shapes.patch((0, 0, 0), (width, 0, 0), (0, depth, 0), metres=2.0)
    piece.solid(Nyud.FLOOR, looks[0], _with_back(floor))
    piece.box(Nyud.FLOOR, kit.grey, (-THICK, -THICK, -0.1), (width + THICK, depth + THICK, -0.004))
    top = room_shapes.patch((0, depth, high), (width, 0, 0), (0, -depth, 0), metres=2.0)
    piece.solid(Nyud.CEILING, looks[1], _with_back(top))
    piece.box(Nyud.CEILING, kit.grey, (-THICK, -THICK, high + 0.004),
              (width + THICK, depth + THICK, high + 0.1))  # fmt: skip
    return piece


def window(kit: Kit, o: Opening, bright: float) -> Piece:
    """Return the frame, bars and pane of a window in a wall's frame, and its sill."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.WINDOW
    look = kit.white if rng.random() < 0.7 else kit.wood()
    t = 0.05
    for low, high in (
        ((o.left, o.bottom), (o.left + t, o.top)), ((o.right - t, o.bottom), (o.right, o.top)),
        ((o.left, o.bottom), (o.right, o.bottom + t)), ((o.left, o.top - t), (o.right, o.top)),
    ):  # fmt: skip
        piece.box(N, look, (low[0], -0.1, low[1]), (high[0], -0.04, high[1]))
    columns = max(1, round((o.right - o.left) / rng.uniform(0.5, 0.9)))
    for x in np.linspace(o.left, o.right, columns + 1)[1:-1]:
        piece.box(N, look, (x - 0.025, -0.1, o.bottom), (x + 0.025, -0.04, o.top))
    if rng.random() < 0.4:
        z = o.bottom + (o.top - o.bottom) * rng.uniform(0.4, 0.7)
        piece.box(N, look, (o.left, -0.09, z - 0.02), (o.right, -0.05, z + 0.02))
    texture = room_prints.view(rng, bright)
    pane = kit.builder.material(texture=texture, alpha=0.99, glow=0.95)
    piece.box(N, pane, (o.left, -0.08, o.bottom), (o.right, -0.07, o.top), whole=True)
    piece.box(N, look, (o.left - 0.04, -0.04, o.bottom - 0.03), (o.right + 0.04, 0.03, o.bottom))
    return piece


def curtains(kit: Kit, o: Opening, high: float) -> Piece:
    """Return two curtains on a rail over a window, in the wall's frame."""
    piece, rng = kit.piece(), kit.rng
    rail = min(high - 0.05, o.top + rng.uniform(0.08, 0.25))
    bottom = 0.03 if rng.random() < 0.7 else o.bottom - 0.12
    wide, y = o.right - o.left, 0.1
    look = kit.drawn(room_textures.fabric(rng))
    reach = rng.uniform(0.18, 0.32) * wide + 0.12
    piece.rod(Nyud.CURTAIN, kit.metal, (o.left - 0.25, y, rail), (o.right + 0.25, y, rail), 0.013)
    for x in (o.left - 0.2 + reach / 2, o.right + 0.2 - reach / 2):
        cloth = room_shapes.drape(rng, reach, rail - bottom, depth=0.09)
        piece.solid(Nyud.CURTAIN, look, cloth, (x, y, (rail + bottom) / 2))
    return piece


def blinds(kit: Kit, o: Opening) -> Piece:
    """Return a blind of slats over a window, in the wall's frame."""
    piece, rng = kit.piece(), kit.rng
    look = kit.white if rng.random() < 0.6 else kit.any_color()
    bottom = o.bottom + (o.top - o.bottom) * float(rng.choice([0.02, rng.uniform(0.1, 0.6)]))
    left, right, tilt = o.left - 0.03, o.right + 0.03, rng.uniform(15, 75)
    middle, pitch = (left + right) / 2, 0.045
    piece.box(Nyud.BLINDS, look, (left, 0.035, o.top), (right, 0.085, o.top + 0.05))
    for z in np.arange(o.top - 0.03, bottom, -pitch):
        piece.block(Nyud.BLINDS, look, (middle, 0.06, z), (right - left, 0.048, 0.003),
                    turn=rotation(x=tilt))  # fmt: skip
    return piece


def door(kit: Kit) -> Piece:
    """Return a closed door with its frame on the wall, its middle at x = 0."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.DOOR
    w, h = rng.uniform(0.75, 0.95), rng.uniform(1.98, 2.1)
    leaf, frame = kit.wood(), kit.white if rng.random() < 0.6 else kit.wood()
    piece.box(N, leaf, (-w / 2, 0, 0.01), (w / 2, 0.02, h))
    for x in (-w / 2 - 0.08, w / 2):
        piece.box(N, frame, (x, 0, 0), (x + 0.08, 0.04, h + 0.08))
    piece.box(N, frame, (-w / 2, 0, h), (w / 2, 0.04, h + 0.08))
    style = rng.random()
    if style < 0.6:
        rows = ((0.15, 0.85), (1.05, h - 0.15)) if style < 0.35 else (
            (0.12, 0.6), (0.72, 1.3), (1.42, h - 0.12))  # fmt: skip
        for low, high in rows:
            for x in (-w / 4 - 0.02, w / 4 + 0.02):
                half = w / 4 - 0.1
                piece.box(N, leaf, (x - half, 0.02, low), (x + half, 0.03, high))
    side = w / 2 - 0.07
    piece.rod(N, kit.metal, (side, 0.02, 1.02), (side, 0.07, 1.02), 0.012)
    piece.rod(N, kit.metal, (side, 0.07, 1.02), (side - 0.12, 0.07, 1.02), 0.01, kind='capsule')
    return piece


def picture(kit: Kit, wide: float = 0.0) -> Piece:
    """Return a framed picture, or a poster without a frame."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.PICTURE
    w = wide or rng.uniform(0.28, 0.9)
    h = w * rng.uniform(0.6, 1.4)
    look = kit.drawn(room_prints.picture(rng, (128, max(48, int(128 * w / h)))), shine=0.1)
    frame = rng.uniform(0.015, 0.05) if rng.random() < 0.8 else 0.0
    if frame:
        piece.box(N, kit.wood() if rng.random() < 0.6 else kit.dark, (-w / 2 - frame, 0, -frame),
                  (w / 2 + frame, 0.022, h + frame))  # fmt: skip
    depth = 0.026 if frame else 0.006
    piece.box(N, look, (-w / 2, 0.0, 0), (w / 2, depth, h), whole=True)
    return piece


def mirror(kit: Kit, w: float, h: float) -> Piece:
    """Return a mirror, with a frame or without."""
    piece = kit.piece()
    frame = kit.rng.uniform(0.005, 0.05)
    look = kit.wood() if kit.rng.random() < 0.5 else kit.metal
    piece.box(Nyud.MIRROR, look, (-w / 2 - frame, 0, -frame), (w / 2 + frame, 0.02, h + frame))
    glass(kit, piece, (w, h), (0, 0.025, h / 2))
    return piece


def whiteboard(kit: Kit, w: float) -> Piece:
    """Return a whiteboard with its tray."""
    piece, h, N = kit.piece(), kit.rng.uniform(0.85, 1.15), Nyud.WHITEBOARD
    look = kit.drawn(room_prints.whiteboard(kit.rng), shine=0.4)
    piece.box(N, kit.metal, (-w / 2, 0, 0), (w / 2, 0.018, h))
    piece.box(N, look, (-w / 2 + 0.02, 0.01, 0.02), (w / 2 - 0.02, 0.021, h - 0.02), whole=True)
    piece.box(N, kit.metal, (-w / 3, 0.018, 0), (w / 3, 0.08, 0.012))
    for x in kit.rng.uniform(-w / 4, w / 4, int(kit.rng.integers(0, 4))):
        piece.rod(Nyud.OTHERPROP, kit.any_color(), (x, 0.05, 0.022), (x + 0.1, 0.05, 0.022), 0.009)
    return piece


def notes(kit: Kit) -> Piece:
    """Return sheets of paper pinned to the wall."""
    piece, rng = kit.piece(), kit.rng
    for index in range(int(rng.integers(2, 7))):
        x, z = 0.27 * (index % 3) + rng.normal(0, 0.01), 0.36 * (index // 3)
        piece.block(Nyud.PAPER, kit.sheet(), (x - 0.27, 0.004, z + 0.15), (0.21, 0.003, 0.297),
                    turn=rotation(y=rng.normal(0, 3)), whole=True)  # fmt: skip
    return piece


def clock(kit: Kit) -> Piece:
    """Return a round clock for the wall."""
    piece, r = kit.piece(), kit.rng.uniform(0.12, 0.18)
    for look, radius, y in ((kit.dark, r, 0.02), (kit.white, r * 0.9, 0.024)):
        piece.rod(Nyud.OTHERPROP, look, (0, 0.001, r), (0, y, r), radius)
    for angle, length in kit.rng.uniform((0, 0.5), (2 * np.pi, 0.8), (2, 2)):
        tip = (np.sin(angle) * r * length, 0.028, r + np.cos(angle) * r * length)
        piece.rod(Nyud.OTHERPROP, kit.dark, (0, 0.028, r), tip, 0.005)
    return piece


def radiator(kit: Kit, w: float) -> Piece:
    """Return a radiator of ribs."""
    piece, look, N = kit.piece(), kit.white, Nyud.OTHERSTRUCTURE
    piece.box(N, look, (-w / 2, 0.06, 0.16), (w / 2, 0.08, 0.58))
    for x in np.arange(-w / 2 + 0.02, w / 2, 0.055):
        piece.box(N, look, (x, 0.03, 0.12), (x + 0.03, 0.12, 0.62))
    for x in (-w / 2 + 0.05, w / 2 - 0.05):
        piece.rod(N, look, (x, 0.07, 0), (x, 0.07, 0.2), 0.012)
    return piece


def fireplace(kit: Kit, high: float) -> Piece:
    """Return a chimney breast with its hearth."""
    piece, N = kit.piece(), Nyud.OTHERSTRUCTURE
    color = room_textures.pick(kit.rng, ((150, 80, 60), (190, 185, 175)))
    look = kit.drawn(room_textures.tiles(kit.rng, color))
    for x in (-0.7, 0.4):
        piece.box(N, look, (x, 0, 0), (x + 0.3, 0.35, 0.75))
    piece.box(N, look, (-0.7, 0, 0.75), (0.7, 0.35, 1.1))
    piece.box(N, kit.dark, (-0.4, 0, 0), (0.4, 0.06, 0.75))
    piece.box(N, kit.wood(), (-0.8, 0, 1.1), (0.8, 0.42, 1.16))
    piece.box(N, look, (-0.55, 0, 1.16), (0.55, 0.25, high))
    return piece


def pillar(kit: Kit, high: float, look: str) -> Piece:
    """Return a pillar or a shaft in front of the wall."""
    piece, w, d = kit.piece(), kit.rng.uniform(0.25, 0.6), kit.rng.uniform(0.2, 0.45)
    piece.box(Nyud.OTHERSTRUCTURE, look, (-w / 2, 0, 0), (w / 2, d, high))
    return piece


def ceiling_lamp(kit: Kit, kind: str, drop: float) -> Piece:
    """Return a ``panel``, a ``dome`` or a ``pendant`` whose top is at z = 0."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.LAMP
    if kind == 'panel':
        piece.box(N, kit.grey, (-0.62, -0.17, -0.06), (0.62, 0.17, 0.0))
        piece.box(N, kit.shade, (-0.6, -0.15, -0.065), (0.6, 0.15, -0.06))
        piece.glow((0, 0, -0.08))
    elif kind == 'dome':
        r = rng.uniform(0.14, 0.22)
        arc = np.linspace(0.02, np.pi / 2, 8)
        profile = np.stack([r * np.sin(arc), -0.1 * np.cos(arc) - 0.005], 1)
        piece.turned(N, kit.shade, [*profile, (0, 0.0)])
        piece.glow((0, 0, -0.13))
    else:
        from hydranet_scenes.room_props import shade

        piece.rod(N, kit.dark, (0, 0, -drop), (0, 0, 0), 0.006)
        shade(kit, piece, (0, 0, -drop - 0.2), rng.uniform(0.16, 0.26), 0.22)
        piece.glows[:] = [np.array([0, 0, -drop - 0.23])]
    return piece
