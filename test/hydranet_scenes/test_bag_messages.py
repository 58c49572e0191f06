"""Conversions of rendered frames to ROS messages."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.bag_messages import quaternion
from hydranet_scenes.rendering.pose import Pose


@pytest.mark.parametrize('angles', [{}, {'yaw': 1.0}, {'pitch': 0.4, 'roll': -0.2}])
def test_the_quaternion_rotates_like_its_matrix(angles: dict):
    rotation = Pose(0, 0, **angles).rotation()
    x, y, z, w = quaternion(rotation)
    axis, point = np.array([x, y, z]), np.array([0.3, -0.5, 2.0])
    rotated = point + 2 * np.cross(axis, np.cross(axis, point) + w * point)
    assert np.allclose(rotated, rotation @ point)


def test_the_quaternion_of_no_rotation_is_the_identity():
    assert quaternion(np.eye(3)) == (0.0, 0.0, 0.0, 1.0)
