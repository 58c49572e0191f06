"""Furniture to sit, lie, eat and work at; each function returns a :class:`Piece`."""

from __future__ import annotations

import numpy as np

from hydranet_scenes import room_prints
from hydranet_scenes import room_props as props
from hydranet_scenes.room_builder import Piece, rotation
from hydranet_scenes.room_classes import Nyud
from hydranet_scenes.room_kit import Kit


def legs(piece: Piece, label: int, look: str, area: props.Area, z: float, thick: float) -> None:
    """Add four legs up to ``z`` in the corners of an area."""
    x0, y0, x1, y1 = area
    for x in (x0, x1 - thick):
        for y in (y0, y1 - thick):
            piece.box(label, look, (x, y, 0), (x + thick, y + thick, z))


def bed(kit: Kit, single: bool) -> Piece:
    """Return a bed, its head at the wall, with pillows and a cover."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.BED
    w = rng.uniform(0.9, 1.1) if single else rng.uniform(1.4, 1.9)
    d, base, thick = rng.uniform(1.95, 2.15), rng.uniform(0.18, 0.34), rng.uniform(0.17, 0.26)
    frame, head = kit.wood(), rng.uniform(0.75, 1.25)
    top = base + thick
    if rng.random() < 0.3:
        piece.cushion(N, kit.cloth(), (-w / 2 - 0.04, 0, 0.1), (w / 2 + 0.04, 0.12, head), 0.2)
    else:
        piece.box(N, frame, (-w / 2 - 0.03, 0, 0), (w / 2 + 0.03, 0.06, head))
    piece.box(N, frame, (-w / 2 - 0.02, 0.06, 0.08), (w / 2 + 0.02, d, base))
    legs(piece, N, frame, (-w / 2 - 0.02, 0.06, w / 2 + 0.02, d), 0.08, 0.07)
    if rng.random() < 0.4:
        foot = rng.uniform(0.4, 0.75)
        piece.box(N, frame, (-w / 2 - 0.03, d, 0), (w / 2 + 0.03, d + 0.05, foot))
    piece.cushion(N, kit.white, (-w / 2, 0.1, base - 0.02), (w / 2, d - 0.02, top), 0.14)
    cover = kit.cloth()
    start = 0.65 if rng.random() < 0.75 else rng.uniform(0.75, 1.1)
    piece.cushion(N, cover, (-w / 2 - 0.05, start, base - rng.uniform(0.0, 0.12)),
                  (w / 2 + 0.05, d, top + 0.045), 0.16)  # fmt: skip
    if rng.random() < 0.4:
        piece.cushion(N, kit.cloth(), (-w / 2 - 0.06, d - 0.65, base),
                      (w / 2 + 0.06, d - 0.1, top + 0.06), 0.15)  # fmt: skip
    _pillows(kit, piece, w, top)
    if rng.random() < 0.3:
        props.heap(kit, piece, rng.uniform(-w / 4, w / 4), d - 0.7, top + 0.05)
    return piece


def _pillows(kit: Kit, piece: Piece, w: float, top: float) -> None:
    rng = kit.rng
    count = 1 if w < 1.2 else 2
    looks = [kit.white if rng.random() < 0.4 else kit.cloth() for _ in range(2)]
    for row in range(int(rng.integers(1, 3))):
        for index in range(count):
            x = (index - (count - 1) / 2) * w / 2
            lean = rng.uniform(15, 60) if row == 0 else rng.uniform(10, 45)
            with piece.moved(x, 0.2 + 0.22 * row, top + 0.1, pitch=lean):
                half = 0.33 if row == 0 else 0.23
                piece.cushion(
                    Nyud.PILLOW, looks[row], (-half, -0.2, -0.07), (half, 0.2, 0.07), 0.6
                )


def sofa(kit: Kit, seats: int) -> Piece:
    """Return a sofa of one to three seats with cushions."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.SOFA
    look = kit.cloth() if rng.random() < 0.6 else kit.any_color()
    arm, seat = rng.uniform(0.12, 0.24), rng.uniform(0.55, 0.72)
    d, high, back = rng.uniform(0.82, 0.98), rng.uniform(0.38, 0.45), rng.uniform(0.75, 0.95)
    half = seats * seat / 2
    rest = high + rng.uniform(0.12, 0.24)
    soft = rng.uniform(0.12, 0.4)
    legs(piece, N, kit.dark, (-half - arm, 0.03, half + arm, d - 0.03), 0.1, 0.06)
    piece.box(N, look, (-half, 0.02, 0.08), (half, d - 0.02, high - 0.12))
    piece.cushion(N, look, (-half - arm, 0, 0.08), (half + arm, 0.26, back - 0.06), soft)
    for side in (-1, 1):
        low, end = sorted((side * half, side * (half + arm)))
        piece.cushion(N, look, (low, 0.02, 0.06), (end, d, rest), soft)
    for index in range(seats):
        x = -half + index * seat
        piece.cushion(N, look, (x, 0.2, high - 0.17), (x + seat, d + 0.02, high), 0.22)
        with piece.moved(x + seat / 2, 0.3, high + 0.2, pitch=-12):
            piece.cushion(N, look, (-seat / 2 + 0.01, -0.1, -0.22), (seat / 2 - 0.01, 0.1, back -
                                                                   high - 0.14), 0.35)  # fmt: skip
    for _ in range(int(rng.integers(0, seats + 2))):
        x = rng.uniform(-half + 0.2, half - 0.2)
        with piece.moved(x, 0.5, high + 0.2, pitch=rng.uniform(50, 75), yaw=rng.normal(0, 12)):
            piece.cushion(
                Nyud.PILLOW, kit.cloth(), (-0.21, -0.21, -0.07), (0.21, 0.21, 0.07), 0.65
            )
    if rng.random() < 0.2:
        props.heap(kit, piece, rng.uniform(-half / 2, half / 2), 0.6, high)
    return piece


def chair(kit: Kit, piece: Piece, look: str, style: float, pad: str = '') -> None:
    """Add a chair that looks along +y, its seat's middle at the origin."""
    N = Nyud.CHAIR
    seat, high, back = 0.45, 0.45, 0.85 + 0.15 * style
    legs(piece, N, look, (-0.21, -0.2, 0.21, 0.2), seat, 0.04)
    piece.box(N, look, (-0.22, -0.21, high - 0.03), (0.22, 0.21, high))
    if pad:
        piece.cushion(N, pad, (-0.2, -0.18, high - 0.01), (0.2, 0.2, high + 0.05), 0.3)
    for x in (-0.21, 0.17):
        piece.box(N, look, (x, -0.21, high), (x + 0.04, -0.17, back))
    if style < 0.35:
        piece.box(N, look, (-0.17, -0.2, high + 0.12), (0.17, -0.18, back - 0.02))
    elif style < 0.7:
        for z in np.arange(high + 0.12, back - 0.03, 0.11):
            piece.box(N, look, (-0.17, -0.2, z), (0.17, -0.18, z + 0.06))
    else:
        piece.box(N, look, (-0.17, -0.2, back - 0.08), (0.17, -0.18, back))
        for x in np.linspace(-0.14, 0.14, 5):
            piece.rod(N, look, (x, -0.19, high), (x, -0.19, back - 0.08), 0.008)


def lone_chair(kit: Kit) -> Piece:
    """Return a chair by itself, sometimes with clothes over it."""
    piece = kit.piece()
    with piece.moved(y=0.3):
        chair(kit, piece, kit.wood(), kit.rng.random(), kit.cloth() if kit.rng.random() < 0.5
              else '')  # fmt: skip
        if kit.rng.random() < 0.4:
            props.heap(kit, piece, 0, 0, 0.46, 0.34)
    return piece


def office_chair(kit: Kit, piece: Piece) -> None:
    """Add a swivel chair that looks along +y, its column at the origin."""
    N, rng = Nyud.CHAIR, kit.rng
    look = kit.dark if rng.random() < 0.6 else kit.cloth()
    for angle in np.arange(5) * 72.0:
        x, y = 0.28 * np.cos(np.radians(angle)), 0.28 * np.sin(np.radians(angle))
        piece.rod(N, kit.dark, (0, 0, 0.1), (x, y, 0.07), 0.022, kind='capsule')
        piece.ball(N, kit.dark, (x, y, 0.035), (0.035, 0.035, 0.035))
    piece.rod(N, kit.metal, (0, 0, 0.1), (0, 0, 0.42), 0.025)
    piece.cushion(N, look, (-0.24, -0.22, 0.42), (0.24, 0.25, 0.52), 0.35)
    piece.rod(N, kit.dark, (0, -0.2, 0.45), (0, -0.26, 0.7), 0.022)
    with piece.moved(0, -0.25, 0.82, pitch=6):
        piece.cushion(N, look, (-0.22, -0.05, -0.25), (0.22, 0.05, 0.28), 0.4)
    if rng.random() < 0.7:
        for x in (-0.27, 0.27):
            piece.rod(N, kit.dark, (x, -0.02, 0.46), (x, -0.02, 0.68), 0.018)
            piece.box(N, kit.dark, (x - 0.03, -0.14, 0.68), (x + 0.03, 0.14, 0.71))


def dining_table(kit: Kit) -> Piece:
    """Return a table with chairs at it."""
    piece, rng = kit.piece(), kit.rng
    look, w, d = kit.wood(), rng.uniform(1.0, 1.8), rng.uniform(0.75, 0.95)
    high, y0 = rng.uniform(0.71, 0.77), 0.42
    _table(kit, piece, look, (-w / 2, y0, w / 2, y0 + d), high)
    props.clutter(kit, piece, (-w / 2, y0, w / 2, y0 + d), high, props.TABLE_THINGS, 4)
    style, chairs = rng.random(), kit.wood()
    pad = kit.cloth() if rng.random() < 0.5 else ''
    per_side = max(1, int(w / 0.62))
    for side, facing in ((y0, 0.0), (y0 + d, 180.0)):
        for index in range(per_side):
            if rng.random() < 0.85:
                x = (index - (per_side - 1) / 2) * w / per_side
                out = rng.uniform(0.0, 0.16) * (-1 if facing == 0 else 1)
                with piece.moved(x, side + out, yaw=facing + rng.normal(0, 4)):
                    chair(kit, piece, chairs, style, pad)
    return piece


def _table(kit: Kit, piece: Piece, look: str, area: props.Area, high: float) -> None:
    x0, y0, x1, y1 = area
    piece.box(Nyud.TABLE, look, (x0, y0, high - 0.03), (x1, y1, high))
    if kit.rng.random() < 0.25:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        piece.rod(Nyud.TABLE, look, (x, y, 0.03), (x, y, high - 0.03), 0.05)
        piece.turned(Nyud.TABLE, look, [(0, 0), (0.28, 0), (0.26, 0.03), (0, 0.04)], (x, y, 0))
        return
    inset = 0.03
    legs(piece, Nyud.TABLE, look, (x0 + inset, y0 + inset, x1 - inset, y1 - inset), high - 0.03,
         kit.rng.uniform(0.04, 0.08))  # fmt: skip
    piece.box(Nyud.TABLE, look, (x0 + 0.06, y0 + 0.06, high - 0.11), (x1 - 0.06, y1 - 0.06,
                                                                     high - 0.03))  # fmt: skip


def coffee_table(kit: Kit) -> Piece:
    """Return a low table with things on it."""
    piece, rng = kit.piece(), kit.rng
    w, d, high = rng.uniform(0.7, 1.2), rng.uniform(0.45, 0.7), rng.uniform(0.36, 0.48)
    look = kit.wood()
    if rng.random() < 0.3:
        piece.turned(Nyud.TABLE, look, [(0, 0), (d / 2, 0), (d / 2, 0.03), (0, 0.031)],
                     (0, d / 2, high - 0.03))  # fmt: skip
        piece.rod(Nyud.TABLE, kit.metal, (0, d / 2, 0.02), (0, d / 2, high - 0.03), 0.04)
        piece.turned(Nyud.TABLE, kit.metal, [(0, 0), (d / 3, 0), (0, 0.021)], (0, d / 2, 0))
        area = (-d / 3, d / 6, d / 3, 5 * d / 6)
    else:
        area = (-w / 2, 0.0, w / 2, d)
        _table(kit, piece, look, area, high)
    props.clutter(kit, piece, area, high, props.TABLE_THINGS, 4)
    return piece


def ottoman(kit: Kit) -> Piece:
    """Return an ottoman or a stool."""
    piece, rng = kit.piece(), kit.rng
    w, high = rng.uniform(0.4, 0.6), rng.uniform(0.35, 0.5)
    legs(piece, Nyud.OTHERFURNITURE, kit.dark, (-w / 2 + 0.03, 0.03, w / 2 - 0.03, w - 0.03), 0.12,
         0.05)  # fmt: skip
    piece.cushion(Nyud.OTHERFURNITURE, kit.cloth(), (-w / 2, 0, 0.1), (w / 2, w, high), 0.25)
    return piece


def television(kit: Kit, piece: Piece, y: float, z: float, width: float) -> None:
    """Add a flat screen on its foot, facing +y, its middle at x = 0."""
    high = width * 0.6
    look = kit.drawn(room_prints.screen(kit.rng), shine=0.5, glow=0.35)
    piece.box(Nyud.TELEVISION, kit.dark, (-width * 0.2, y - 0.09, z), (width * 0.2, y + 0.09,
                                                                       z + 0.015))  # fmt: skip
    piece.box(Nyud.TELEVISION, kit.dark, (-0.03, y - 0.02, z), (0.03, y, z + 0.12))
    low, top = z + 0.07, z + 0.07 + high
    piece.box(Nyud.TELEVISION, kit.dark, (-width / 2, y - 0.02, low), (width / 2, y + 0.02, top))
    piece.box(Nyud.TELEVISION, look, (-width / 2 + 0.015, y + 0.02, low + 0.015),
              (width / 2 - 0.015, y + 0.024, top - 0.015), whole=True)  # fmt: skip


def desk(kit: Kit, office: bool) -> Piece:
    """Return a desk at the wall with a monitor, papers and a chair before it."""
    piece, rng, N = kit.piece(), kit.rng, Nyud.DESK
    w, d, high = rng.uniform(1.1, 1.8), rng.uniform(0.6, 0.8), rng.uniform(0.71, 0.76)
    look = kit.wood()
    piece.box(N, look, (-w / 2, 0, high - 0.03), (w / 2, d, high))
    if rng.random() < 0.6:
        for x in (-w / 2 + 0.01, w / 2 - 0.04):
            piece.box(N, look, (x, 0.03, 0), (x + 0.03, d - 0.03, high - 0.03))
        piece.box(N, look, (-w / 2 + 0.04, 0.04, 0.3), (w / 2 - 0.04, 0.06, high - 0.03))
    else:
        legs(
            piece, N, kit.metal, (-w / 2 + 0.02, 0.02, w / 2 - 0.02, d - 0.02), high - 0.03, 0.045
        )
    side = rng.choice([-1, 1])
    if rng.random() < 0.7:
        x = side * (w / 2 - 0.27)
        piece.box(N, look, (x - 0.2, 0.08, 0.03), (x + 0.2, d - 0.04, high - 0.04))
        for z in (0.06, 0.26, 0.46):
            piece.box(N, look, (x - 0.19, d - 0.04, z), (x + 0.19, d - 0.025, z + 0.18))
            piece.rod(N, kit.metal, (x - 0.06, d - 0.01, z + 0.1), (x + 0.06, d - 0.01, z + 0.1),
                      0.007)  # fmt: skip
    screens = int(rng.integers(1, 3)) if office and w > 1.4 else 1
    middle = -side * 0.12
    for index in range(screens):
        with piece.moved(middle + (index - (screens - 1) / 2) * 0.56, yaw=rng.normal(0, 4)):
            television(kit, piece, 0.22, high, rng.uniform(0.42, 0.54))
    piece.block(Nyud.OTHERPROP, kit.dark, (middle, d - 0.16, high + 0.01), (0.42, 0.14, 0.02),
                turn=rotation(z=rng.normal(0, 4)))  # fmt: skip
    piece.ball(Nyud.OTHERPROP, kit.dark, (middle + 0.31, d - 0.16, high + 0.015),
               (0.03, 0.05, 0.018))  # fmt: skip
    for start, end in ((-w / 2, middle - 0.5), (middle + 0.5, w / 2)):
        props.clutter(kit, piece, (start, 0.02, end, d - 0.02), high, props.DESK_THINGS, 3)
    if rng.random() < 0.4:
        props.table_lamp(kit, piece, side * (w / 2 - 0.2), 0.18, high)
    with piece.moved(middle, d + rng.uniform(0.1, 0.4), yaw=180 + rng.normal(0, 20)):
        if office or rng.random() < 0.5:
            office_chair(kit, piece)
        else:
            chair(kit, piece, kit.wood(), rng.random(), kit.cloth())
    return piece
