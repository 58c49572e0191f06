"""The walk of a handheld camera through a room."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hydranet_scenes.rooms.walk import Walk


@pytest.fixture
def walk(room_view) -> Walk:
    return Walk(room_view.room, np.random.default_rng(2))


def test_a_walk_is_smooth_and_keeps_its_distance_from_furniture(room_view, walk: Walk):
    poses = [walk.pose(0.1 * index) for index in range(250)]
    assert all(room_view.room.is_free(pose.x, pose.y, pose.z, 0.15) for pose in poses)
    positions = np.array([(pose.x, pose.y, pose.z) for pose in poses])
    steps, turns = np.diff(positions, axis=0), np.diff([pose.yaw for pose in poses])
    assert np.linalg.norm(steps, axis=1).max() < 0.1
    assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < 0.06
    assert np.abs(turns).max() < 0.15 and np.ptp(positions[:, :2], axis=0).max() > 0.1


def test_the_twist_is_the_change_of_the_pose(walk: Walk):
    for seconds in (0.5, 2.3, 4.1):
        linear, angular = walk.twist(seconds)
        here, later = walk.pose(seconds), walk.pose(seconds + 0.05)
        moved = np.array([later.x - here.x, later.y - here.y, later.z - here.z])
        assert np.allclose(here.rotation() @ linear * 0.05, moved, atol=0.006)
        rotated = cv2.Rodrigues(angular * 0.05)[0]
        assert np.allclose(here.rotation() @ rotated, later.rotation(), atol=0.01)
