"""
A procedural room: its scene, and the free space in it.

The room frame has its origin in a corner of the floor, x and y along two walls, z up and the floor
at z = 0. Lengths are in meters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import SceneError
from hydranet_scenes.rooms.builder import RoomBuilder, RoomLighting
from hydranet_scenes.rooms.piece import Bounds

# Distance that cameras keep from furniture.
CAMERA_CLEARANCE = 0.25
# A camera may be above pieces that are lower than this, such as rugs.
_FLAT = 0.05


@dataclass
class Room:
    """
    A room that can be rendered.

    :param kind: a key of :data:`hydranet_scenes.rooms.room_kinds.ROOM_KINDS`.
    :param size: extent along x, y and z.
    :param pieces: bounding boxes of all pieces, including lamps and items on the walls.
    :param night: whether it is dark outside.
    """

    kind: str
    size: tuple[float, float, float]
    builder: RoomBuilder
    pieces: list[Bounds] = field(default_factory=list)
    lighting: RoomLighting = field(default_factory=RoomLighting)
    night: bool = False

    @property
    def sun_direction(self) -> None:
        """Return None: no shadow map of a room follows the camera."""

    def xml(self, *, size: tuple[int, int], shadow_map: int) -> str:
        """Return the MJCF document; see :meth:`RoomBuilder.xml`."""
        return self.builder.xml(self.lighting, size=size, shadow_map=shadow_map)

    def is_free(self, x: float, y: float, z: float, clearance: float = CAMERA_CLEARANCE) -> bool:
        """Return whether a camera at (x, y, z) is inside the room and not inside furniture."""
        return bool(self.free_mask(np.array([[x, y]]), z, clearance)[0])

    def free_mask(
        self, points: NDArray, z: float, clearance: float = CAMERA_CLEARANCE
    ) -> NDArray[np.bool_]:
        """
        Return which positions are free for a camera that is carried at height ``z``.

        A position above a piece is not free, because the person who carries the camera needs the
        space below it.

        :param points: (N, 2) x and y.
        :param clearance: distance to furniture; 10 cm more to walls.
        :return: (N,) bool.
        """
        edge = clearance + 0.1
        inside = (points > edge) & (points < np.array(self.size[:2]) - edge)
        free = inside.all(1)
        for piece in self.pieces:
            if piece.high[2] < _FLAT or piece.low[2] > z + clearance:
                continue
            low, high = np.array(piece.low[:2]) - clearance, np.array(piece.high[:2]) + clearance
            free &= ~((points > low) & (points < high)).all(1)
        return np.asarray(free)

    def camera_clearance(self) -> float:
        """
        Return the distance that cameras keep from furniture: 25 cm, or less in a crowded room.

        :raises SceneError: if hardly any position is free even at 10 cm.
        """
        grid = np.stack(np.meshgrid(*(np.arange(0.05, side, 0.1) for side in self.size[:2])), -1)
        for clearance in (CAMERA_CLEARANCE, 0.16, 0.1):
            if self.free_mask(grid.reshape(-1, 2), 1.6, clearance).mean() > 0.04:
                return clearance
        raise SceneError(
            f'This {self.kind} has no free position for a camera. Choose another seed.'
        )

    def ray_distances(self, start: NDArray, directions: NDArray) -> NDArray[np.float64]:
        """
        Return how far rays travel before they hit a wall or the bounding box of a piece.

        :param start: (3,) origin of the rays.
        :param directions: (N, 3) unit vectors.
        :return: (N,) distances.
        """
        safe = np.where(np.abs(directions) < 1e-9, 1e-9, directions)
        walls = np.where(safe > 0, np.array(self.size), 0.0)
        distances = ((walls - start) / safe).min(1)
        for piece in self.pieces:
            a, b = (np.array(piece.low) - start) / safe, (np.array(piece.high) - start) / safe
            enter, leave = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
            hit = (enter < leave) & (enter > 0)
            distances = np.where(hit, np.minimum(distances, enter), distances)
        return np.asarray(distances)
