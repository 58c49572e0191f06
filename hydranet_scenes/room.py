"""
A procedural room: shell, furniture and light of a living room, bedroom, kitchen, office, bathroom.

The room's frame: x and y along two walls from a corner of the floor, z up, the floor at z = 0,
metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import SceneError
from hydranet_scenes import room_textures, room_walls
from hydranet_scenes.room_builder import Bounds, Lamp, Piece, RoomBuilder, rotation
from hydranet_scenes.room_kit import Kit
from hydranet_scenes.room_walls import Opening, Wall

CLEARANCE = 0.25
_LOW = 0.05


@dataclass
class Room:
    """
    A room and the facts a camera needs of it.

    :param kind: one of :data:`KINDS`.
    :param size: width, depth and height in metres.
    :param pieces: what each piece of furniture takes up, lamps and hung things too.
    :param lights: arguments of :meth:`RoomBuilder.xml`.
    :param night: whether it is dark outside.
    """

    kind: str
    size: tuple[float, float, float]
    builder: RoomBuilder
    pieces: list[Bounds] = field(default_factory=list)
    lights: dict = field(default_factory=dict)
    night: bool = False

    def is_free(self, x: float, y: float, z: float, clearance: float = CLEARANCE) -> bool:
        """Return whether a camera at (x, y, z) is in the room and not in or over furniture."""
        return bool(self.free(np.array([[x, y]]), z, clearance)[0])

    def free(self, points: NDArray, z: float, clearance: float = CLEARANCE) -> NDArray[np.bool_]:
        """Return which of the (N, 2) places a camera may be at, carried ``z`` metres high."""
        edge = clearance + 0.1
        inside = (points > edge) & (points < np.array(self.size[:2]) - edge)
        good = inside.all(1)
        for piece in self.pieces:
            if piece.high[2] < _LOW or piece.low[2] > z + clearance:
                continue
            low, high = np.array(piece.low[:2]) - clearance, np.array(piece.high[:2]) + clearance
            good &= ~((points > low) & (points < high)).all(1)
        return np.asarray(good)

    def clearance(self) -> float:
        """
        Return how far cameras keep from furniture: 25 cm, less in a room that is nearly full.

        :raises SceneError: if there is no room for a camera.
        """
        grid = np.stack(np.meshgrid(*(np.arange(0.05, side, 0.1) for side in self.size[:2])), -1)
        for clearance in (CLEARANCE, 0.16, 0.1):
            if self.free(grid.reshape(-1, 2), 1.6, clearance).mean() > 0.04:
                return clearance
        raise SceneError(f'This {self.kind} has no free place for a camera. Choose another seed.')

    def clear_distance(self, start: NDArray, ahead: NDArray) -> NDArray[np.float64]:
        """
        Return how far rays go until a piece's box or a wall, metres.

        :param start: (3,); ``ahead``: (N, 3) unit vectors.
        """
        far = np.full(len(ahead), np.inf)
        safe = np.where(np.abs(ahead) < 1e-9, 1e-9, ahead)
        walls = np.where(safe > 0, np.array(self.size), 0.0)
        far = ((walls - start) / safe).min(1)
        for piece in self.pieces:
            a, b = (np.array(piece.low) - start) / safe, (np.array(piece.high) - start) / safe
            near, end = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
            hit = (near < end) & (near > 0)
            far = np.where(hit, np.minimum(far, near), far)
        return np.asarray(far)


class Layout:
    """
    Places pieces so that none meets another.

    :param size: width, depth and height of the room.
    """

    def __init__(self, room: Room, kit: Kit) -> None:
        self.room, self.kit, self.rng = room, kit, kit.rng
        self.walls: Sequence[Wall] = room_walls.four_walls(*room.size[:2])
        self.door = 0
        self.openings: dict[int, list[Opening]] = {index: [] for index in range(4)}
        self.glows: list[NDArray] = []
        self.lamps: list[NDArray] = []
        self._kept: list[Bounds] = []

    def fits(self, bounds: Bounds) -> bool:
        """Return whether there is room for a box."""
        inside = all(bounds.low[axis] > -0.001 and bounds.high[axis] < self.room.size[axis] + 0.001
                     for axis in range(3))  # fmt: skip
        return inside and not any(bounds.meets(other) for other in
                                  (*self.room.pieces, *self._kept))  # fmt: skip

    def keep_clear(self, bounds: Bounds) -> None:
        """Keep a box free of furniture, as before a door."""
        self._kept.append(bounds)

    def release(self) -> None:
        """Forget what was to be kept clear."""
        self._kept.clear()

    def put(self, piece: Piece, x: float, y: float, yaw: float, z: float = 0.0) -> Bounds | None:
        """Place a piece if there is room, and return what it takes up."""
        if not self.fits(piece.bounds(x, y, yaw, z)):
            return None
        bounds = piece.place(x, y, yaw, z)
        self.room.pieces.append(bounds)
        turn = rotation(z=yaw)
        self.glows += [turn @ at + (x, y, z) for at in piece.glows]
        return bounds

    def against(
        self, piece: Piece, *, walls: Sequence[int] = (0, 1, 2, 3), z: float = 0.0,
        along: float | None = None, gap: float = 0.015, tries: int = 24,
    ) -> tuple[int, float, Bounds] | None:  # fmt: skip
        """
        Put a piece's back to a wall and return wall, place along it and bounds.

        :param along: metres along the wall; somewhere, often in a corner, by default.
        """
        for _ in range(1 if along is not None and len(walls) == 1 else tries):
            index = int(walls[int(self.rng.integers(len(walls)))])
            wall = self.walls[index]
            first, last = 0.02 - piece.low[0], wall.length - 0.02 - piece.high[0]
            if last < first:
                continue
            chance = self.rng.random()
            place = along if along is not None else float(
                first if chance < 0.2 else last if chance < 0.4 else self.rng.uniform(first, last)
            )  # fmt: skip
            x, y = wall.at(place, gap - min(0.0, float(piece.low[1])))
            bounds = self.put(piece, x, y, wall.yaw, z)
            if bounds is not None:
                return index, place, bounds
        return None

    def somewhere(self, piece: Piece, *, tries: int = 24, square: bool = False) -> Bounds | None:
        """Stand a piece anywhere in the room, turned anyhow (``square``: as the walls)."""
        for _ in range(tries):
            x, y = self.rng.uniform((0, 0), self.room.size[:2])
            yaw = 90.0 * int(self.rng.integers(4)) if square else float(self.rng.uniform(0, 360))
            bounds = self.put(piece, float(x), float(y), yaw)
            if bounds is not None:
                return bounds
        return None

    def window(self, index: int, opening: Opening, bright: float, cover: str) -> None:
        """Make a window; ``cover``: ``curtains``, ``blinds`` or nothing."""
        self.openings[index].append(opening)
        wall = self.walls[index]
        pieces = [room_walls.window(self.kit, opening, bright)]
        if cover == 'curtains':
            pieces.append(room_walls.curtains(self.kit, opening, self.room.size[2]))
        elif cover == 'blinds':
            pieces.append(room_walls.blinds(self.kit, opening))
        for piece in pieces:
            self.room.pieces.append(piece.place(*wall.at(0.0), wall.yaw))

    def shell(self, *, floor: str, ceiling: str, paint: Sequence[str], board: str = '',
              wainscot: tuple[str, float] | None = None) -> None:  # fmt: skip
        """Build floor, walls with the windows made so far, and ceiling."""
        width, depth, high = self.room.size
        room_walls.floor_and_ceiling(self.kit, width, depth, high, (floor, ceiling)).place(0, 0, 0)
        for index, wall in enumerate(self.walls):
            made = room_walls.wall(
                self.kit, wall.length, high, paint[index % len(paint)], self.openings[index],
                board=board, wainscot=wainscot,
            )  # fmt: skip
            made.place(*wall.at(0.0), wall.yaw)


def paint(kit: Kit) -> list[str]:
    """Return the looks of the four walls: all alike, or one in another colour."""
    color = room_textures.paint_color(kit.rng)
    look = kit.drawn(room_textures.wallpaper(kit.rng, color))
    if kit.rng.random() < 0.75:
        return [look]
    other = kit.drawn(room_textures.wallpaper(kit.rng, room_textures.paint_color(kit.rng)))
    return [look, look, other, look]


def three(values: Sequence[float] | NDArray) -> tuple[float, float, float]:
    """Return three numbers as a tuple."""
    x, y, z = (float(value) for value in values)
    return x, y, z


def lamps(layout: Layout) -> list[Lamp]:
    """Return the light of a room: lamps at the ceiling, on tables, windows, the sun, bounces."""
    rng, room = layout.rng, layout.room
    warm = np.array([1.0, rng.uniform(0.84, 0.97), rng.uniform(0.62, 0.92)])
    day = not room.night
    on = room.night or rng.random() < 0.65
    found: list[Lamp] = []

    def lamp(
        at: NDArray, toward: Sequence[float] | NDArray, color: NDArray, *, spread: float = 90.0,
        shadow: bool = False,
    ) -> None:  # fmt: skip
        found.append(Lamp(three(at), three(toward), three(np.clip(color, 0, 1)), spread, shadow))

    share = 1.0 / max(1, len(layout.lamps)) ** 0.6
    for at in layout.lamps[:2] if on else []:
        lamp(at, (0, 0, -1), warm * rng.uniform(0.55, 0.8) * share, shadow=True)
    for index in layout.openings if day else ():
        for o in layout.openings[index][:1]:
            x, y = layout.walls[index].at((o.left + o.right) / 2, 0.05)
            inwards = rotation(z=layout.walls[index].yaw) @ np.array([0, 1.0, -0.35])
            cool = np.array([0.85, 0.93, 1.0]) * rng.uniform(0.3, 0.55)
            lamp(np.array([x, y, (o.bottom + o.top) / 2 + 0.2]), inwards, cool, shadow=not on)
    if day and rng.random() < 0.6 and any(layout.openings.values()):
        index = next(key for key, value in layout.openings.items() if value)
        turn = rotation(z=layout.walls[index].yaw)
        down = turn @ np.array([rng.normal(0, 0.5), 1.0, -rng.uniform(0.45, 1.2)])
        o = layout.openings[index][0]
        x, y = layout.walls[index].at((o.left + o.right) / 2)
        at = np.array([x, y, (o.bottom + o.top) / 2]) - 3.0 * down
        lamp(at, down, np.array([0.75, 0.68, 0.55]), spread=0.0, shadow=True)
    for at in (layout.glows if on else [])[: max(0, 5 - len(found))]:
        lamp(at, (0, 0, -1), warm * rng.uniform(0.3, 0.5), spread=75.0)
    up = np.array([0.95, 0.92, 0.88]) * rng.uniform(0.12, 0.24)
    lamp(np.array([room.size[0] / 2, room.size[1] / 2, 0.05]), (0.1, 0.07, 1.0), up, spread=0.0)
    side = np.array([0.9, 0.95, 1.0]) * rng.uniform(0.08, 0.16)
    angle = rng.uniform(0, 2 * np.pi)
    lamp(np.array([1.0, 1.0, 1.0]), (np.cos(angle), np.sin(angle), -0.2), side, spread=0.0)
    return found[:7]
