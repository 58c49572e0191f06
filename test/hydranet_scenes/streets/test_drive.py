"""The drive of a camera along a street."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hydranet_scenes.streets.drive import SPEED, drive_pose


@pytest.mark.parametrize('seed', range(5))
def test_the_camera_meets_no_car(streets, seed: int):
    """Within six seconds no car comes closer than one that passes in the next lane."""
    street = streets('streets', seed)
    for seconds in np.arange(0, 6, 0.1):
        pose = drive_pose(float(seconds), street.lane_y)
        for car in (*street.parked, *street.traffic):
            close = abs(car.x + car.speed * seconds - pose.x) < car.length / 2 + 0.3
            assert not (close and abs(car.y - pose.y) < 1.1)


def test_the_camera_looks_where_it_drives():
    for seconds in (0.0, 1.3, 4.0):
        here, next_ = drive_pose(seconds, -1.7), drive_pose(seconds + 0.01, -1.7)
        assert math.isclose(next_.x - here.x, 0.01 * SPEED)
        assert math.isclose(math.atan2(next_.y - here.y, next_.x - here.x), here.yaw, abs_tol=1e-3)
        assert abs(here.y + 1.7) <= 0.25
