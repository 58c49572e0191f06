"""Small things of rooms: books, papers, cups, boxes, bags, lamps, plants, clothes, people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hydranet_scenes.room_builder import Piece, rotation
from hydranet_scenes.room_classes import Nyud
from hydranet_scenes.room_kit import Kit
from hydranet_scenes.room_textures import hue

# x0, y0, x1, y1 in metres of the piece's frame.
Area = tuple[float, float, float, float]


def standing_books(kit: Kit, piece: Piece, area: Area, z: float, room: float) -> None:
    """Fill a board with books, their backs to the front, with gaps; ``room`` metres above it."""
    rng, (x, y0, end, y1) = kit.rng, area
    x += rng.uniform(0, 0.05)
    style = rng.uniform(0.6, 0.95)
    while x < end - 0.05:
        if rng.random() < 0.04:
            x += rng.uniform(0.04, 0.2)
            continue
        thick = rng.uniform(0.015, 0.055)
        high = min(room - 0.02, rng.uniform(0.6, 1.0) * style * 0.34)
        deep = min(y1 - y0 - 0.01, rng.uniform(0.13, 0.24))
        if x + thick > end:
            break
        front = y1 - 0.015
        piece.box(Nyud.BOOKS, kit.spine(), (x, front - deep, z), (x + thick, front, z + high),
                  whole=True)  # fmt: skip
        x += thick + 0.001


def lying_books(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Stack one to six books."""
    for _ in range(int(kit.rng.integers(1, 7))):
        w, d = kit.rng.uniform(0.15, 0.22), kit.rng.uniform(0.2, 0.29)
        h = kit.rng.uniform(0.012, 0.045)
        turn = rotation(z=kit.rng.normal(0, 12))
        piece.block(Nyud.BOOKS, kit.any_color(), (x, y, z + h / 2), (w, d, h), turn=turn)
        z += h


def papers(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Strew one to four sheets."""
    for index in range(int(kit.rng.integers(1, 5))):
        dx, dy = kit.rng.normal(0, 0.03, 2)
        turn = rotation(z=kit.rng.normal(0, 25))
        piece.block(Nyud.PAPER, kit.sheet(), (x + dx, y + dy, z + 0.002 + 0.003 * index),
                    (0.21, 0.297, 0.003), turn=turn, whole=True)  # fmt: skip


def cup(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Put down a cup or a glass."""
    r, h = kit.rng.uniform(0.03, 0.045), kit.rng.uniform(0.07, 0.13)
    profile = [(0.0, 0), (r * 0.8, 0), (r, h), (r - 0.005, h), (r * 0.75, 0.01), (0, 0.01)]
    piece.turned(Nyud.OTHERPROP, kit.any_color(shine=0.5), profile, (x, y, z))


def vase(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Put down a vase, a bottle or a bowl."""
    rng = kit.rng
    h, r = rng.uniform(0.1, 0.32), rng.uniform(0.03, 0.09)
    heights = np.linspace(0, h, 7)
    radii = r * np.clip(1 + rng.normal(0, 0.3, 7), 0.4, 1.5)
    profile = [(0.0, 0.0), *zip(radii, heights), (max(0.002, radii[-1] - 0.006), h), (0.0, 0.02)]
    piece.turned(Nyud.OTHERPROP, kit.any_color(shine=0.6), profile, (x, y, z))


def laptop(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Put down an open laptop that faces +y."""
    with piece.moved(x, y, z, yaw=kit.rng.normal(0, 12)):
        piece.box(Nyud.OTHERPROP, kit.grey, (-0.17, -0.11, 0), (0.17, 0.12, 0.018))
        piece.block(Nyud.OTHERPROP, kit.dark, (0, -0.15, 0.12), (0.34, 0.012, 0.22),
                    turn=rotation(x=18))  # fmt: skip


def clock(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Put down a small radio or clock."""
    w, h = kit.rng.uniform(0.1, 0.26), kit.rng.uniform(0.07, 0.16)
    piece.box(Nyud.OTHERPROP, kit.any_color(), (x - w / 2, y - 0.05, z), (x + w / 2, y + 0.05,
                                                                          z + h))  # fmt: skip


def small_box(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Put down a box of at most 20 cm."""
    w, d, h = kit.rng.uniform(0.06, 0.2, 3)
    piece.block(Nyud.BOX, kit.carton(), (x, y, z + h / 2), (w, d, h), whole=True,
                turn=rotation(z=kit.rng.normal(0, 20)))  # fmt: skip


def table_lamp(kit: Kit, piece: Piece, x: float, y: float, z: float) -> None:
    """Put down a lamp with a glowing shade."""
    rng = kit.rng
    h, r = rng.uniform(0.22, 0.36), rng.uniform(0.1, 0.17)
    foot = [(0.0, 0), (0.07, 0), (0.06, 0.02), (rng.uniform(0.012, 0.06), h * 0.5), (0.012, h)]
    piece.turned(Nyud.LAMP, kit.any_color(shine=0.4), foot, (x, y, z))
    shade(kit, piece, (x, y, z + h), r, rng.uniform(0.14, 0.22))


def shade(kit: Kit, piece: Piece, at: tuple[float, float, float], r: float, h: float) -> None:
    """Add a lampshade with its lower rim at ``at``."""
    top = r * kit.rng.uniform(0.45, 0.95)
    profile = [(r, 0.0), (top, h), (top - 0.004, h), (0.0, h - 0.01), (r - 0.006, 0.0), (r, 0.0)]
    piece.turned(Nyud.LAMP, kit.shade, profile, at)
    piece.glow((at[0], at[1], at[2] + 0.05))


_Small = Callable[[Kit, Piece, float, float, float], None]
DESK_THINGS: tuple[_Small, ...] = (
    papers,
    papers,
    lying_books,
    lying_books,
    cup,
    laptop,
    small_box,
)
TABLE_THINGS: tuple[_Small, ...] = (papers, lying_books, cup, cup, vase, vase)
SHELF_THINGS: tuple[_Small, ...] = (vase, clock, small_box, lying_books, cup)
KITCHEN_THINGS: tuple[_Small, ...] = (cup, cup, vase, vase, clock, small_box)


def clutter(
    kit: Kit, piece: Piece, area: Area, z: float, things: tuple[_Small, ...], most: int
) -> None:
    """Put up to ``most`` small things on a surface, clear of each other."""
    rng, (x0, y0, x1, y1) = kit.rng, area
    spots: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(0, most + 1))):
        if x1 - x0 < 0.3 or y1 - y0 < 0.1:
            return
        reach = min(0.14, (y1 - y0) / 2 - 0.01)
        x, y = rng.uniform(x0 + 0.14, x1 - 0.14), rng.uniform(y0 + reach, y1 - reach)
        if all(np.hypot(x - a, y - b) > 0.32 for a, b in spots):
            spots.append((x, y))
            things[int(rng.integers(len(things)))](kit, piece, x, y, z)


def floor_lamp(kit: Kit) -> Piece:
    """Return a standing lamp."""
    piece, h = kit.piece(), kit.rng.uniform(1.3, 1.65)
    piece.turned(Nyud.LAMP, kit.metal, [(0, 0), (0.14, 0), (0.13, 0.03), (0, 0.035)], (0, 0.22, 0))
    piece.rod(Nyud.LAMP, kit.metal, (0, 0.22, 0.02), (0, 0.22, h), 0.012)
    shade(kit, piece, (0, 0.22, h - 0.02), kit.rng.uniform(0.15, 0.21), kit.rng.uniform(0.2, 0.3))
    return piece


def plant(kit: Kit) -> Piece:
    """Return a potted plant: a pot and leaves in all directions."""
    piece, rng = kit.piece(), kit.rng
    r, h = rng.uniform(0.11, 0.18), rng.uniform(0.2, 0.35)
    piece.turned(Nyud.OTHERPROP, kit.any_color(), [(0, 0), (r * 0.7, 0), (r, h), (r * 0.9, h),
                                                   (0, h - 0.02)], (0, 0.3, 0))  # fmt: skip
    tall = rng.uniform(0.25, 0.8)
    for _ in range(int(rng.integers(14, 30))):
        angle, lean = rng.uniform(0, 360), rng.uniform(5, 55)
        length = rng.uniform(0.5, 1.0) * tall
        turn = rotation(y=lean, z=angle)
        tip = turn @ np.array([0, 0, length])
        reach = max(abs(tip[0]), abs(tip[1]))
        tip[:2] *= min(1.0, 0.24 / max(reach, 1e-6))
        piece.rod(Nyud.OTHERPROP, kit.leaf, (0, 0.3, h - 0.02), (tip[0], 0.3 + tip[1], h + tip[2]),
                  0.006)  # fmt: skip
        piece.ball(Nyud.OTHERPROP, kit.leaf, (tip[0], 0.3 + tip[1], h + tip[2]),
                   (0.05, 0.05, rng.uniform(0.05, 0.1)))  # fmt: skip
    return piece


def boxes(kit: Kit) -> Piece:
    """Return one to three cartons, one on the other."""
    piece, z = kit.piece(), 0.0
    w, d = kit.rng.uniform(0.3, 0.55), kit.rng.uniform(0.25, 0.4)
    for _ in range(int(kit.rng.integers(1, 4))):
        h = kit.rng.uniform(0.15, 0.38)
        piece.block(Nyud.BOX, kit.carton(), (0, 0.3, z + h / 2), (w, d, h), whole=True,
                    turn=rotation(z=kit.rng.normal(0, 5)))  # fmt: skip
        z += h
        w, d = w * 0.92, d * 0.92
    return piece


def bag(kit: Kit) -> Piece:
    """Return a backpack or a handbag on the floor."""
    piece, rng = kit.piece(), kit.rng
    w, d, h = rng.uniform(0.26, 0.4), rng.uniform(0.14, 0.24), rng.uniform(0.28, 0.46)
    look = kit.plain(hue(rng) * 0.6) if rng.random() < 0.5 else kit.cloth()
    piece.cushion(Nyud.BAG, look, (-w / 2, 0.05, 0), (w / 2, 0.05 + d, h), 0.5)
    piece.cushion(Nyud.BAG, look, (-w * 0.35, 0.02 + d, 0.03), (w * 0.35, 0.11 + d, h * 0.55), 0.5)
    points = [(w * 0.2 * np.cos(a), 0.05 + d / 2, h * 0.94 + 0.12 * np.sin(a))
              for a in np.linspace(0, np.pi, 7)]  # fmt: skip
    for start, end in zip(points, points[1:]):
        piece.rod(Nyud.BAG, kit.dark, start, end, 0.012, kind='capsule')
    return piece


def heap(kit: Kit, piece: Piece, x: float, y: float, z: float, size: float = 0.4) -> None:
    """Drop some clothes."""
    for _ in range(int(kit.rng.integers(2, 5))):
        w, d = kit.rng.uniform(0.5, 1.0, 2) * size
        dx, dy = kit.rng.normal(0, 0.1 * size, 2)
        h = kit.rng.uniform(0.04, 0.12)
        piece.cushion(Nyud.CLOTHES, kit.cloth(), (x + dx - w / 2, y + dy - d / 2, z),
                      (x + dx + w / 2, y + dy + d / 2, z + h), 0.7,
                      turn=rotation(z=kit.rng.uniform(0, 180)))  # fmt: skip


def clothes_on_floor(kit: Kit) -> Piece:
    """Return a heap of clothes."""
    piece = kit.piece()
    heap(kit, piece, 0, 0.4, 0.0, 0.5)
    return piece


def hanging_clothes(kit: Kit) -> Piece:
    """Return a board with hooks and coats, to be hung 1.2 m or higher."""
    piece, count = kit.piece(), int(kit.rng.integers(2, 5))
    piece.box(Nyud.OTHERPROP, kit.wood(), (-0.12 * count, 0, 0.82), (0.12 * count, 0.02, 0.92))
    for index in range(count):
        x = (index - (count - 1) / 2) * 0.22
        h = kit.rng.uniform(0.5, 0.85)
        piece.rod(Nyud.OTHERPROP, kit.metal, (x, 0.02, 0.87), (x, 0.08, 0.87), 0.01)
        low, high = (x - 0.13, 0.02, 0.85 - h), (x + 0.13, 0.17, 0.86)
        piece.cushion(Nyud.CLOTHES, kit.cloth(), low, high, 0.45)
    return piece


def towel_rail(kit: Kit) -> Piece:
    """Return a rail with a towel or two."""
    piece, count = kit.piece(), int(kit.rng.integers(1, 3))
    half = 0.26 * count
    piece.rod(Nyud.OTHERPROP, kit.metal, (-half, 0.07, 0.7), (half, 0.07, 0.7), 0.009)
    for end in (-half, half):
        piece.rod(Nyud.OTHERPROP, kit.metal, (end, 0.0, 0.7), (end, 0.07, 0.7), 0.009)
    for index in range(count):
        x = (index - (count - 1) / 2) * 0.5
        w, h, look = kit.rng.uniform(0.26, 0.44), kit.rng.uniform(0.35, 0.68), kit.cloth()
        piece.box(Nyud.TOWEL, look, (x - w / 2, 0.081, 0.7 - h), (x + w / 2, 0.1, 0.71))
        piece.box(Nyud.TOWEL, look, (x - w / 2, 0.04, 0.7 - h * 0.8), (x + w / 2, 0.058, 0.71))
        piece.box(Nyud.TOWEL, look, (x - w / 2, 0.04, 0.71), (x + w / 2, 0.1, 0.725))
    return piece


def bin_(kit: Kit) -> Piece:
    """Return a waste bin or a laundry basket."""
    piece, rng = kit.piece(), kit.rng
    r, h = rng.uniform(0.12, 0.22), rng.uniform(0.28, 0.6)
    profile = [(0, 0), (r * 0.8, 0), (r, h), (r - 0.01, h), (r * 0.78, 0.02), (0, 0.02)]
    piece.turned(Nyud.OTHERPROP, kit.any_color(), profile, (0, r + 0.02, 0))
    if rng.random() < 0.4:
        heap(kit, piece, 0, r + 0.02, h * 0.8, r * 1.1)
    return piece


def person(kit: Kit) -> Piece:
    """Return a standing person who looks along +y."""
    piece, rng = kit.piece(), kit.rng
    high = rng.uniform(1.55, 1.88)
    skin = kit.plain(np.array([220, 170, 140]) * rng.uniform(0.45, 1.1))
    hair = kit.plain(np.array([90, 65, 45]) * rng.uniform(0.2, 1.8))
    shirt, legs, shoes = kit.cloth(), kit.plain(hue(rng, 0.1, 0.5) * 0.5), kit.dark
    y, N = 0.3, Nyud.PERSON
    for side in (-1, 1):
        hip, foot = (
            (side * 0.09, y, 0.5 * high),
            (side * 0.11, y + rng.uniform(-0.08, 0.08), 0.085),
        )
        piece.rod(N, legs, hip, foot, 0.075, kind='capsule')
        piece.ball(N, shoes, (foot[0], foot[1] + 0.05, 0.045), (0.05, 0.13, 0.045))
        shoulder = (side * 0.2, y, 0.8 * high)
        elbow = (side * rng.uniform(0.24, 0.3), y + rng.uniform(-0.04, 0.1), 0.62 * high)
        hand = (side * rng.uniform(0.12, 0.3), y + rng.uniform(0.0, 0.28), rng.uniform(0.5, 0.65)
                * high)  # fmt: skip
        piece.rod(N, shirt, shoulder, elbow, 0.05, kind='capsule')
        piece.rod(N, skin, elbow, hand, 0.04, kind='capsule')
        piece.ball(N, skin, hand, (0.05, 0.05, 0.06))
    piece.cushion(N, shirt, (-0.22, y - 0.12, 0.46 * high), (0.22, y + 0.12, 0.84 * high), 0.6)
    piece.rod(N, skin, (0, y, 0.82 * high), (0, y, 0.88 * high), 0.055)
    piece.ball(N, skin, (0, y + 0.01, 0.925 * high), (0.085, 0.1, 0.12))
    piece.ball(N, hair, (0, y - 0.015, 0.945 * high), (0.092, 0.1, 0.115))
    return piece
