"""Free space in rooms."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.errors import SceneError
from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.piece import Bounds
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.views import sample_handheld_pose


def empty_room(*pieces: Bounds) -> Room:
    return Room('bedroom', (3.0, 3.0, 2.5), RoomBuilder(), list(pieces))


def test_positions_inside_furniture_or_outside_of_the_room_are_not_free(room_view):
    room = room_view.room
    for piece in room.pieces:
        center = (np.array(piece.low) + np.array(piece.high)) / 2
        if piece.low[2] < 1.3 and piece.high[2] > 0.05:
            assert not room.is_free(center[0], center[1], 1.3)
    assert not room.is_free(-0.5, 1.0, 1.4)


def test_a_camera_may_be_above_a_rug_and_below_a_lamp():
    rug = Bounds((0.5, 0.5, 0.0), (2.5, 2.5, 0.02))
    lamp = Bounds((1.2, 1.2, 2.1), (1.8, 1.8, 2.5))
    assert empty_room(rug, lamp).is_free(1.5, 1.5, 1.4)
    assert not empty_room(rug, lamp).is_free(1.5, 1.5, 2.0)


def test_a_full_room_is_refused():
    room = empty_room(Bounds((0, 0, 0), (3, 3, 1)))
    with pytest.raises(SceneError, match='This bedroom has no free position'):
        sample_handheld_pose(np.random.default_rng(0), room)


def test_the_camera_uses_the_free_part_of_a_room():
    room = empty_room(Bounds((0, 0, 0), (3, 2, 1)))
    assert room.camera_clearance() == 0.25
    assert sample_handheld_pose(np.random.default_rng(0), room).y > 2.25


def test_rays_end_at_the_nearest_piece_or_wall():
    room = empty_room(Bounds((2.0, 0.0, 0.0), (2.5, 3.0, 2.0)))
    start, directions = np.array([1.0, 1.0, 1.0]), np.array([[1.0, 0, 0], [-1, 0, 0], [0, 0, 1]])
    assert np.allclose(room.ray_distances(start, directions), [1.0, 1.0, 1.5])
