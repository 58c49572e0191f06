"""The fisheye model against its definition and OpenCV."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from hydranet_ros.camera.equidistant import EquidistantLens

LENS = EquidistantLens()
IDEAL = (0.0,) * 4
REAL = (-0.02, 0.005, -0.003, 5e-4)
TERMS = np.eye(4) * 0.05


def rays() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1.2, 1.2, (300, 2))


def test_the_model_takes_four_coefficients_and_zeros_still_bend():
    assert LENS.coefficient_counts == (4,) and LENS.zero_is_identity is False
    assert LENS.distort(np.array([1.0, 0.0]), IDEAL)[0] == pytest.approx(math.pi / 4)


@pytest.mark.parametrize('coefficients', [IDEAL, REAL, *map(tuple, TERMS)])
def test_distortion_equals_opencv(coefficients):
    points = np.concatenate([rays(), np.ones((300, 1))], -1)
    want, _ = cv2.fisheye.projectPoints(
        points[None], np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients)
    )
    np.testing.assert_allclose(LENS.distort(rays(), coefficients), want[0], atol=1e-12)


@pytest.mark.parametrize(
    'coefficients', [IDEAL, REAL, *map(tuple, TERMS), *map(tuple, -TERMS / 5)]
)
def test_undistortion_inverts_distortion(coefficients):
    bent = LENS.distort(rays(), coefficients)
    np.testing.assert_allclose(LENS.undistort(bent, coefficients, 1e-9), rays(), atol=1e-8)


def test_the_axis_maps_to_itself():
    center = np.zeros((1, 2))
    np.testing.assert_array_equal(LENS.distort(center, REAL), center)
    np.testing.assert_array_equal(LENS.undistort(center, REAL, 1e-9), center)


def test_a_ray_of_89_degrees_exists_and_one_of_90_does_not():
    radii = np.array([[math.radians(89), 0], [math.radians(89.6), 0], [math.radians(90), 0]])
    found = LENS.undistort(radii, IDEAL, 1e-9)
    assert found[0, 0] == pytest.approx(math.tan(math.radians(89)))
    assert np.isnan(found[1:]).all()


def test_pixels_beyond_the_fold_have_no_ray():
    """theta - theta^3 / 3 has its maximum, 2/3, at theta = 1."""
    coefficients = (-1 / 3, 0.0, 0.0, 0.0)
    found = LENS.undistort(np.array([[0.66, 0.0], [0.67, 0.0]]), coefficients, 1e-9)
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()


def test_shapes_are_kept():
    points = np.zeros((2, 3, 2))
    assert (
        LENS.distort(points, REAL).shape == LENS.undistort(points, REAL, 1e-9).shape == (2, 3, 2)
    )
