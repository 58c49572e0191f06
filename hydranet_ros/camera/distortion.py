"""
Lens distortion of normalized image points, in both directions.

A point is (x/z, y/z) of a ray in the optical frame. :data:`LENS_MODELS` holds the models of
``sensor_msgs/distortion_models``; a new model is one more row. Beyond the radius at which a model
folds over, its inverse is NaN: no ray reaches such a pixel, and a guess would be a wrong point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.equidistant import EquidistantLens
from hydranet_ros.camera.polynomial import PolynomialLens


class LensModel(Protocol):
    """A distortion model."""

    @property
    def coefficient_counts(self) -> tuple[int, ...]:
        """Return the allowed numbers of coefficients."""

    @property
    def zero_is_identity(self) -> bool:
        """Return whether all-zero coefficients leave points unchanged."""

    def distort(self, points: NDArray, coefficients: Sequence[float]) -> NDArray[np.float64]:
        """Return points (..., 2) after the lens."""

    def undistort(
        self, points: NDArray, coefficients: Sequence[float], tolerance: float
    ) -> NDArray[np.float64]:
        """Return points (..., 2) before the lens; NaN where the tolerance cannot be met."""


LENS_MODELS: Mapping[str, LensModel] = {
    'plumb_bob': PolynomialLens(coefficient_counts=(4, 5)),
    'rational_polynomial': PolynomialLens(coefficient_counts=(8, 12, 14)),
    'equidistant': EquidistantLens(),
}


def distort(points: NDArray, model: str, coefficients: Sequence[float]) -> NDArray[np.float64]:
    """
    Return points (..., 2) after the lens.

    :param points: (..., 2) normalized image points.
    :param model: key of :data:`LENS_MODELS`; ignored without coefficients.
    """
    points = np.asarray(points, np.float64)
    return LENS_MODELS[model].distort(points, coefficients) if coefficients else points


def undistort(
    points: NDArray, model: str, coefficients: Sequence[float], *, tolerance: float = 1e-9
) -> NDArray[np.float64]:
    """
    Invert :func:`distort`.

    :param points: (..., 2) distorted normalized image points.
    :param tolerance: largest distance between a point and its inverse distorted again; points
        beyond it are NaN.
    """
    points = np.asarray(points, np.float64)
    if not coefficients:
        return points
    with np.errstate(all='ignore'):
        return LENS_MODELS[model].undistort(points, coefficients, tolerance)
