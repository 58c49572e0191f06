"""Place furniture in a room without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from numpy.typing import NDArray

from hydranet_scenes.rooms import shell
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Bounds, Piece, rotation_matrix
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.shell import Opening, Wall


class WallPlace(NamedTuple):
    """
    The place of a piece at a wall.

    :param wall: index of the wall.
    :param along: position along the wall in meters.
    """

    wall: int
    along: float
    bounds: Bounds


class Layout:
    """
    The arrangement of a room while it is furnished.

    :ivar walls: the four walls; their indices are those of ``openings`` and ``door``.
    :ivar door: index of the wall with the door.
    :ivar openings: windows of each wall.
    :ivar light_positions: positions of the lamps of all placed pieces, in the room frame;
        ``ceiling_light_positions`` those at the ceiling.
    """

    def __init__(self, room: Room, kit: MaterialKit) -> None:
        self.room, self.kit, self.rng = room, kit, kit.rng
        self.walls: Sequence[Wall] = shell.four_walls(*room.size[:2])
        self.door = 0
        self.openings: dict[int, list[Opening]] = {index: [] for index in range(4)}
        self.light_positions: list[NDArray] = []
        self.ceiling_light_positions: list[NDArray] = []
        self._reserved: list[Bounds] = []

    def fits(self, bounds: Bounds) -> bool:
        """Return whether a box is inside the room and overlaps neither piece nor reservation."""
        inside = all(bounds.low[axis] > -0.001 and bounds.high[axis] < self.room.size[axis] + 0.001
                     for axis in range(3))  # fmt: skip
        return inside and not any(bounds.overlaps(other) for other in
                                  (*self.room.pieces, *self._reserved))  # fmt: skip

    def reserve(self, bounds: Bounds) -> None:
        """Keep a box free of furniture, such as the space in front of a door."""
        self._reserved.append(bounds)

    def clear_reservations(self) -> None:
        """Allow furniture in all reserved boxes."""
        self._reserved.clear()

    def place(self, piece: Piece, x: float, y: float, yaw: float, z: float = 0.0) -> Bounds | None:
        """Place a piece and return its bounding box, or return None if it does not fit."""
        if not self.fits(piece.bounds(x, y, yaw, z)):
            return None
        bounds = piece.place(x, y, yaw, z)
        self.room.pieces.append(bounds)
        rotation = rotation_matrix(z=yaw)
        self.light_positions += [rotation @ at + (x, y, z) for at in piece.light_positions]
        return bounds

    def place_at_wall(
        self, piece: Piece, *, walls: Sequence[int] = (0, 1, 2, 3), z: float = 0.0,
        along: float | None = None, gap: float = 0.015, tries: int = 24,
    ) -> WallPlace | None:  # fmt: skip
        """
        Place a piece with its back to a wall, or return None if no try fits.

        :param walls: indices of the walls to choose from.
        :param along: position along the wall in meters. The default is random, often a corner.
        :param gap: distance to the wall in meters.
        """
        for _ in range(1 if along is not None and len(walls) == 1 else tries):
            index = int(walls[int(self.rng.integers(len(walls)))])
            wall = self.walls[index]
            first, last = 0.02 - piece.low[0], wall.length - 0.02 - piece.high[0]
            if last < first:
                continue
            chance = self.rng.random()
            position = along if along is not None else float(
                first if chance < 0.2 else last if chance < 0.4 else self.rng.uniform(first, last)
            )  # fmt: skip
            x, y = wall.at(position, gap - min(0.0, float(piece.low[1])))
            bounds = self.place(piece, x, y, wall.yaw, z)
            if bounds is not None:
                return WallPlace(index, position, bounds)
        return None

    def place_anywhere(
        self, piece: Piece, *, tries: int = 24, aligned: bool = False
    ) -> Bounds | None:
        """
        Place a piece at a random position, or return None if no try fits.

        :param aligned: whether the piece is parallel to the walls; otherwise its yaw is random.
        """
        for _ in range(tries):
            x, y = self.rng.uniform((0, 0), self.room.size[:2])
            yaw = 90.0 * int(self.rng.integers(4)) if aligned else float(self.rng.uniform(0, 360))
            bounds = self.place(piece, float(x), float(y), yaw)
            if bounds is not None:
                return bounds
        return None

    def add_window(self, index: int, opening: Opening, brightness: float, cover: str) -> None:
        """
        Add a window to a wall.

        :param brightness: of the view outside, about 0.05 (night) to 1.4.
        :param cover: ``curtains``, ``blinds`` or empty.
        """
        self.openings[index].append(opening)
        wall = self.walls[index]
        pieces = [shell.window(self.kit, opening, brightness)]
        if cover == 'curtains':
            pieces.append(shell.curtains(self.kit, opening, self.room.size[2]))
        elif cover == 'blinds':
            pieces.append(shell.blinds(self.kit, opening))
        for piece in pieces:
            self.room.pieces.append(piece.place(*wall.at(0.0), wall.yaw))

    def build_shell(
        self, *, floor: str, ceiling: str, paint: Sequence[str], baseboard: str = '',
        wainscot: tuple[str, float] | None = None,
    ) -> None:  # fmt: skip
        """
        Build the floor, the ceiling and the walls around the windows that were added.

        Materials are given by name.

        :param paint: material of each wall.
        :param baseboard: empty for none.
        :param wainscot: material and height in meters of tiles on the lower part of the walls.
        """
        width, depth, height = self.room.size
        shell.floor_and_ceiling(self.kit, width, depth, height, (floor, ceiling)).place(0, 0, 0)
        for index, wall in enumerate(self.walls):
            piece = shell.wall(
                self.kit, wall.length, height, paint[index % len(paint)], self.openings[index],
                baseboard=baseboard, wainscot=wainscot,
            )  # fmt: skip
            piece.place(*wall.at(0.0), wall.yaw)
