"""The equidistant (fisheye) lens model of OpenCV: Kannala and Brandt with four terms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.radial import CONVERGED, ITERATIONS, fold_radius

_WIDEST_ANGLE = math.radians(89.5)


class EquidistantLens:
    """Distortion by the angle from the optical axis; rays reach 89.5 degrees."""

    coefficient_counts = (4,)
    zero_is_identity = False

    def distort(self, points: NDArray, coefficients: Sequence[float]) -> NDArray[np.float64]:
        """Return points (..., 2) after the lens."""
        radius = np.hypot(points[..., 0], points[..., 1])
        bent, _ = _image_radius(np.arctan(radius), coefficients)
        return points * np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)[..., None]

    def undistort(
        self, points: NDArray, coefficients: Sequence[float], tolerance: float
    ) -> NDArray[np.float64]:
        """Return points (..., 2) before the lens, by Newton's method for the angle."""
        radius = np.hypot(points[..., 0], points[..., 1])
        limit = fold_radius(lambda angle: _image_radius(angle, coefficients)[0], _WIDEST_ANGLE)
        theta = np.minimum(radius, limit)
        for _ in range(ITERATIONS):
            bent, slope = _image_radius(theta, coefficients)
            step = np.nan_to_num((bent - radius) / slope)
            theta = np.clip(theta - step, 0.0, limit)
            if np.abs(step).max() < CONVERGED:
                break
        error = np.abs(_image_radius(theta, coefficients)[0] - radius)
        scale = np.where(radius > 1e-9, np.tan(theta) / np.maximum(radius, 1e-9), 1.0)
        scale[~(error < tolerance)] = np.nan
        return points * scale[..., None]


def _image_radius(theta: NDArray, coefficients: Sequence[float]) -> tuple[NDArray, NDArray]:
    """Return the image radius of an angle from the axis, and its derivative."""
    k1, k2, k3, k4 = coefficients
    t = theta * theta
    bent = theta * (1 + t * (k1 + t * (k2 + t * (k3 + t * k4))))
    return bent, 1 + t * (3 * k1 + t * (5 * k2 + t * (7 * k3 + t * 9 * k4)))
