"""Poses: directions of yaw, pitch and roll."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.rendering.pose import Pose


@pytest.mark.parametrize(
    ('angles', 'right', 'forward'),
    [
        ({}, (0, -1, 0), (1, 0, 0)),
        ({'yaw': np.pi / 2}, (1, 0, 0), (0, 1, 0)),
        ({'pitch': np.pi / 2}, (0, -1, 0), (0, 0, 1)),
        ({'roll': np.pi / 2}, (0, 0, -1), (1, 0, 0)),
    ],
)
def test_yaw_turns_left_pitch_up_and_roll_clockwise(angles, right, forward):
    """Columns of the rotation are the optical axes x and z in the scene frame."""
    rotation = Pose(0.0, 0.0, **angles).rotation()
    assert np.allclose(rotation[:, 0], right) and np.allclose(rotation[:, 2], forward)


def test_the_rotation_is_orthonormal_and_right_handed():
    rotation = Pose(1.0, 2.0, yaw=0.7, pitch=-0.3, roll=0.2).rotation()
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.isclose(np.linalg.det(rotation), 1.0)
