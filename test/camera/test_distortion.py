"""The table of lens models."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.camera.distortion import LENS_MODELS, distort, undistort

POINTS = np.array([[0.1, -0.2], [0.3, 0.4]])
EXAMPLES = {
    'plumb_bob': (-0.28, 0.07, 1e-3, -7e-4),
    'rational_polynomial': (0.3, -0.1, 1e-3, 5e-4, 0.02, 0.6, -0.1, 0.03),
    'equidistant': (-0.02, 0.005, -0.003, 5e-4),
}


def test_the_models_are_those_of_sensor_msgs_with_their_coefficient_counts():
    assert {name: lens.coefficient_counts for name, lens in LENS_MODELS.items()} == {
        'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,),
    }  # fmt: skip


@pytest.mark.parametrize('name', LENS_MODELS)
def test_undistortion_inverts_distortion(name):
    bent = distort(POINTS, name, EXAMPLES[name])
    assert np.abs(bent - POINTS).max() > 1e-4
    np.testing.assert_allclose(undistort(bent, name, EXAMPLES[name]), POINTS, atol=1e-9)


@pytest.mark.parametrize('name', ['', 'plumb_bob', 'unknown'])
def test_without_coefficients_points_are_unchanged(name):
    np.testing.assert_array_equal(distort(POINTS, name, ()), POINTS)
    np.testing.assert_array_equal(undistort(POINTS, name, ()), POINTS)


def test_points_become_float64():
    assert distort(POINTS.astype(np.float32), '', ()).dtype == np.float64
    assert undistort([[0.0, 0.0]], 'plumb_bob', EXAMPLES['plumb_bob']).dtype == np.float64


def test_a_point_beyond_the_tolerance_is_nan():
    bent = distort(POINTS, 'plumb_bob', EXAMPLES['plumb_bob'])
    assert np.isnan(undistort(bent, 'plumb_bob', EXAMPLES['plumb_bob'], tolerance=0.0)).all()
