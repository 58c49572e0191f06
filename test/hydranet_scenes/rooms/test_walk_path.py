"""Paths and viewing directions of walks."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.piece import Bounds
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.walk_path import _best_yaws, plan_path, plan_yaws


def test_the_path_leads_around_an_obstacle_to_the_farthest_corner():
    """A table leaves a U around it; the path connects the two ends of the U."""
    table = Bounds((1.0, 0.0, 0.0), (3.0, 2.5, 1.0))
    room = Room('office', (4.0, 4.0, 2.5), RoomBuilder(), [table])
    path = plan_path(room)
    assert room.free_mask(path, 1.5, 0.2).all()
    assert path[[0, -1], 1].max() < 1.0 and path[:, 1].max() > 2.7
    assert abs(path[0, 0] - path[-1, 0]) > 2.0
    assert np.allclose(np.linalg.norm(np.diff(path, axis=0), axis=1), 0.02, atol=0.002)


def test_the_camera_looks_into_the_corridor_from_both_ends():
    room = Room('office', (8.0, 1.6, 2.5), RoomBuilder())
    yaws = plan_yaws(room, plan_path(room))
    assert np.cos(yaws[0]) > 0.9 and np.cos(yaws[-1]) < -0.9
    assert np.abs(np.diff(yaws)).max() < 0.05


def test_a_constant_best_direction_is_kept():
    openness = np.zeros((5, 72))
    openness[:, 18] = 1.0
    assert np.allclose(_best_yaws(openness), np.pi / 2)
