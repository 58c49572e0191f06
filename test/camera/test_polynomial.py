"""OpenCV's polynomial model, each coefficient alone and all together."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from hydranet_ros.camera.polynomial import Polynomial, PolynomialLens

LENS = PolynomialLens(coefficient_counts=(4, 5))
FULL = (0.3, -0.1, 1e-3, 5e-4, 0.02, 0.6, -0.1, 0.03, 1e-3, -5e-4, 2e-3, 1e-4, 0.01, -0.02)
ALONE = [tuple(0.03 * (index == at) for index in range(14)) for at in range(14)]


def points(count: int = 200) -> np.ndarray:
    return np.random.default_rng(1).uniform((-0.6, -0.5), (0.6, 0.5), (count, 2))


def opencv(values: np.ndarray, coefficients) -> np.ndarray:
    lifted = np.concatenate([values, np.ones((len(values), 1))], -1)
    none = np.zeros(3)
    return cv2.projectPoints(lifted, none, none, np.eye(3), np.array(coefficients))[0][:, 0]


def test_a_polynomial_lens_with_zeros_is_the_identity():
    assert LENS.zero_is_identity is True and LENS.coefficient_counts == (4, 5)
    np.testing.assert_allclose(LENS.distort(points(), (0.0,) * 5), points(), rtol=0, atol=0)


@pytest.mark.parametrize('coefficients', [*ALONE, FULL, FULL[:12], FULL[:8], FULL[:5], FULL[:4]])
def test_distortion_equals_opencv(coefficients):
    np.testing.assert_allclose(
        LENS.distort(points(), coefficients), opencv(points(), coefficients), atol=1e-12
    )


@pytest.mark.parametrize('coefficients', [*ALONE, FULL, FULL[:5], (-0.28, 0.07, 1e-3, -7e-4)])
def test_undistortion_inverts_distortion(coefficients):
    bent = LENS.distort(points(), coefficients)
    np.testing.assert_allclose(LENS.undistort(bent, coefficients, 1e-9), points(), atol=1e-8)


@pytest.mark.parametrize('coefficients', [*ALONE[:12], FULL])
def test_the_derivatives_are_those_of_the_distortion(coefficients):
    lens, step = Polynomial.from_coefficients(coefficients), 1e-6
    at = points(40).T
    _, (xx, xy, yx, yy) = lens.bend(at, slopes=True)
    for axis, columns in ((0, (xx, yx)), (1, (xy, yy))):
        shift = np.zeros((2, 1))
        shift[axis] = step
        numeric = (lens.bend(at + shift)[0] - lens.bend(at - shift)[0]) / (2 * step)
        for found, want in zip(columns, numeric):
            np.testing.assert_allclose(found, want, atol=1e-6)


def test_without_slopes_only_the_points_are_returned():
    bent, slopes = Polynomial.from_coefficients(FULL).bend(points().T)
    assert bent.shape == (2, 200) and slopes == ()


def test_missing_coefficients_are_zero_and_extra_ones_are_ignored():
    assert Polynomial.from_coefficients((1.0, 2.0)) == (1.0, 2.0, *[0.0] * 12)
    assert Polynomial.from_coefficients(range(20)) == tuple(range(14))


def test_a_newton_step_is_bounded_and_finite_where_the_lens_is_singular():
    lens = Polynomial.from_coefficients((-1 / 3, 0.0, 0.0, 0.0))
    singular = np.array([[1.0], [0.0]])
    step = lens.newton_step(singular, np.array([[0.9], [0.0]]))
    assert np.isfinite(step).all() and np.abs(step).max() <= 0.5


def test_one_newton_step_solves_a_linear_lens():
    lens = Polynomial.from_coefficients((0.0,) * 5)
    guess, target = np.array([[0.3], [-0.2]]), np.array([[0.1], [0.1]])
    np.testing.assert_allclose(guess - lens.newton_step(guess, target), target)


def test_the_limit_is_the_radius_where_the_lens_folds_over():
    """r (1 - 0.5 r^2) has its maximum at r = 0.8165."""
    lens = Polynomial.from_coefficients((-0.5, 0.0, 0.0, 0.0, 0.0))
    assert lens.limit() == pytest.approx(0.8165, abs=4e-4)


def test_a_lens_that_never_folds_reaches_89_5_degrees():
    lens = Polynomial.from_coefficients((0.1, 0.0, 0.0, 0.0, 0.0))
    assert lens.limit() == pytest.approx(math.tan(math.radians(89.5)))


def test_pixels_beyond_the_fold_have_no_ray():
    coefficients = (-0.5, 0.0, 0.0, 0.0, 0.0)
    found = LENS.undistort(np.array([[0.54, 0.0], [0.546, 0.0]]), coefficients, 1e-6)
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()


def test_a_tilt_is_inverted_exactly():
    lens = Polynomial.from_coefficients(FULL)
    x, y = points().T
    for found, want in zip(lens.untilt(*lens.tilted(x, y)), (x, y)):
        np.testing.assert_allclose(found, want, atol=1e-12)


@pytest.mark.parametrize('angle', [12, 13])
def test_either_angle_alone_tilts_the_sensor(angle):
    lens = Polynomial.from_coefficients([0.0] * angle + [0.05])
    x, y = points(5).T
    assert np.abs(np.stack(lens.tilted(x, y)) - (x, y)).max() > 1e-3


def test_shapes_are_kept():
    grid = np.zeros((2, 3, 2))
    assert LENS.distort(grid, FULL).shape == LENS.undistort(grid, FULL, 1e-9).shape == (2, 3, 2)
