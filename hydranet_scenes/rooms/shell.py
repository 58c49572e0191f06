"""The shell of a room: floor, ceiling, walls with openings, windows and doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hydranet_scenes.rooms import meshes, printed_textures, textures
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece, rotation_matrix

# Thickness of the walls, in meters.
WALL_THICKNESS = 0.14


@dataclass(frozen=True)
class Opening:
    """The opening of a window: meters along the wall and above the floor."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Wall:
    """
    A wall. In its own frame x runs along the wall, y into the room and z up.

    :param start: (x, y) of its origin in the room frame.
    :param length: in meters.
    :param yaw: rotation of its frame in the room frame, in degrees.
    """

    start: tuple[float, float]
    length: float
    yaw: float

    def at(self, along: float, distance: float = 0.0) -> tuple[float, float]:
        """Return (x, y) in the room frame of a point along the wall, at a distance from it."""
        x, y, _ = rotation_matrix(z=self.yaw) @ np.array([along, distance, 0.0])
        return float(self.start[0] + x), float(self.start[1] + y)


def four_walls(width: float, depth: float) -> tuple[Wall, ...]:
    """Return the walls at y = 0, x = width, y = depth and x = 0."""
    return (Wall((0.0, 0.0), width, 0.0), Wall((width, 0.0), depth, 90.0),
            Wall((width, depth), width, 180.0), Wall((0.0, depth), depth, 270.0))  # fmt: skip


def wall(
    kit: MaterialKit, length: float, height: float, material: str, openings: Sequence[Opening], *,
    baseboard: str = '', wainscot: tuple[str, float] | None = None,
) -> Piece:  # fmt: skip
    """
    Return a wall from x = 0 to ``length`` with its inner side at y = 0.

    :param baseboard: material of the baseboard, empty for none.
    :param wainscot: material and height in meters of tiles on the lower part.
    """
    piece = kit.piece()
    holes = [(length - o.right, o.bottom, length - o.left, o.top) for o in openings]
    cuts = (sorted(v for h in holes for v in (h[0], h[2])),
            sorted(v for h in holes for v in (h[1], h[3])))  # fmt: skip
    inner = meshes.rectangle((length, 0, 0), (-length, 0, 0), (0, 0, height), texture_size=2.0,
                              cuts=cuts, holes=holes)  # fmt: skip
    piece.mesh(Nyud.WALL, material, _with_back(inner))
    back = kit.gray
    x = -WALL_THICKNESS
    for o in sorted(openings, key=lambda o: o.left):
        piece.box(Nyud.WALL, back, (x, -WALL_THICKNESS, -0.1), (o.left, -0.004, height + 0.1))
        for low, top in ((-0.1, o.bottom), (o.top, height + 0.1)):
            piece.box(Nyud.WALL, kit.white, (o.left, -WALL_THICKNESS, low), (o.right, -0.004, top))
        x = o.right
    piece.box(
        Nyud.WALL,
        back,
        (x, -WALL_THICKNESS, -0.1),
        (length + WALL_THICKNESS, -0.004, height + 0.1),
    )
    if baseboard:
        piece.box(Nyud.WALL, baseboard, (0, 0, 0), (length, 0.012, 0.08))
    if wainscot:
        for start, end in _between_openings(length, openings, wainscot[1]):
            tiled = meshes.rectangle((end, 0.006, 0), (start - end, 0, 0), (0, 0, wainscot[1]),
                                      texture_size=2.0)  # fmt: skip
            piece.mesh(Nyud.WALL, wainscot[0], _with_back(tiled))
    return piece


def _between_openings(
    length: float, openings: Sequence[Opening], height: float
) -> list[tuple[float, float]]:
    """Return the parts of a wall without an opening below ``height``, as (start, end)."""
    edges, x = [], 0.0
    for o in sorted((o for o in openings if o.bottom < height), key=lambda o: o.left):
        edges.append((x, o.left))
        x = o.right
    return [(a, b) for a, b in [*edges, (x, length)] if b - a > 0.02]


def _with_back(mesh: meshes.Mesh) -> meshes.Mesh:
    """Close a flat mesh with a back side, 3 mm behind it."""
    vertices, faces, uv, normals = mesh
    behind = (vertices - 0.003 * normals, faces[:, ::-1], uv, -normals)
    return meshes.join([mesh, behind])


def floor_and_ceiling(
    kit: MaterialKit, width: float, depth: float, height: float, materials: tuple[str, str]
) -> Piece:
    """Return the floor at z = 0 and the ceiling; ``materials`` are those of both."""
    piece = kit.piece()
    floor = meshes.rectangle((0, 0, 0), (width, 0, 0), (0, depth, 0), texture_size=2.0)
    piece.mesh(Nyud.FLOOR, materials[0], _with_back(floor))
    piece.box(
        Nyud.FLOOR,
        kit.gray,
        (-WALL_THICKNESS, -WALL_THICKNESS, -0.1),
        (width + WALL_THICKNESS, depth + WALL_THICKNESS, -0.004),
    )
    top = meshes.rectangle((0, depth, height), (width, 0, 0), (0, -depth, 0), texture_size=2.0)
    piece.mesh(Nyud.CEILING, materials[1], _with_back(top))
    piece.box(Nyud.CEILING, kit.gray, (-WALL_THICKNESS, -WALL_THICKNESS, height + 0.004),
              (width + WALL_THICKNESS, depth + WALL_THICKNESS, height + 0.1))  # fmt: skip
    return piece


def window(kit: MaterialKit, o: Opening, brightness: float) -> Piece:
    """
    Return a window with its frame, bars, pane and sill, in the frame of its wall.

    The pane shows a view of the outside; ``brightness`` is about 0.05 (night) to 1.4.
    """
    piece, rng, N = kit.piece(), kit.rng, Nyud.WINDOW
    material = kit.white if rng.random() < 0.7 else kit.wood()
    t = 0.05
    for low, high in (
        ((o.left, o.bottom), (o.left + t, o.top)), ((o.right - t, o.bottom), (o.right, o.top)),
        ((o.left, o.bottom), (o.right, o.bottom + t)), ((o.left, o.top - t), (o.right, o.top)),
    ):  # fmt: skip
        piece.box(N, material, (low[0], -0.1, low[1]), (high[0], -0.04, high[1]))
    columns = max(1, round((o.right - o.left) / rng.uniform(0.5, 0.9)))
    for x in np.linspace(o.left, o.right, columns + 1)[1:-1]:
        piece.box(N, material, (x - 0.025, -0.1, o.bottom), (x + 0.025, -0.04, o.top))
    if rng.random() < 0.4:
        z = o.bottom + (o.top - o.bottom) * rng.uniform(0.4, 0.7)
        piece.box(N, material, (o.left, -0.09, z - 0.02), (o.right, -0.05, z + 0.02))
    texture = printed_textures.window_view(rng, brightness)
    pane = kit.builder.material(texture=texture, alpha=0.99, glow=0.95)
    piece.box(N, pane, (o.left, -0.08, o.bottom), (o.right, -0.07, o.top), stretch=True)
    piece.box(
        N, material, (o.left - 0.04, -0.04, o.bottom - 0.03), (o.right + 0.04, 0.03, o.bottom)
    )
    return piece


def curtains(kit: MaterialKit, o: Opening, height: float) -> Piece:
    """Return two curtains on a rail, in the frame of the wall; ``height`` is the room's."""
    piece, rng = kit.piece(), kit.rng
    rail = min(height - 0.05, o.top + rng.uniform(0.08, 0.25))
    bottom = 0.03 if rng.random() < 0.7 else o.bottom - 0.12
    width, y = o.right - o.left, 0.1
    material = kit.textured(textures.fabric(rng))
    reach = rng.uniform(0.18, 0.32) * width + 0.12
    piece.rod(Nyud.CURTAIN, kit.metal, (o.left - 0.25, y, rail), (o.right + 0.25, y, rail), 0.013)
    for x in (o.left - 0.2 + reach / 2, o.right + 0.2 - reach / 2):
        cloth = meshes.drape(rng, reach, rail - bottom, depth=0.09)
        piece.mesh(Nyud.CURTAIN, material, cloth, (x, y, (rail + bottom) / 2))
    return piece


def blinds(kit: MaterialKit, o: Opening) -> Piece:
    """Return a slatted blind in front of a window, in the frame of the wall."""
    piece, rng = kit.piece(), kit.rng
    material = kit.white if rng.random() < 0.6 else kit.any_color()
    bottom = o.bottom + (o.top - o.bottom) * float(rng.choice([0.02, rng.uniform(0.1, 0.6)]))
    left, right, tilt = o.left - 0.03, o.right + 0.03, rng.uniform(15, 75)
    middle, pitch = (left + right) / 2, 0.045
    piece.box(Nyud.BLINDS, material, (left, 0.035, o.top), (right, 0.085, o.top + 0.05))
    for z in np.arange(o.top - 0.03, bottom, -pitch):
        piece.block(Nyud.BLINDS, material, (middle, 0.06, z), (right - left, 0.048, 0.003),
                    rotation=rotation_matrix(x=tilt))  # fmt: skip
    return piece


def door(kit: MaterialKit) -> Piece:
    """Return a closed door with its frame, centered at x = 0."""
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
