"""OpenCV's polynomial lens model: plumb_bob and rational_polynomial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.radial import CONVERGED, ITERATIONS, fold_radius

_LARGEST_STEP = 0.5
_LARGEST_RADIUS = math.tan(math.radians(89.5))


@dataclass(frozen=True)
class PolynomialLens:
    """
    Radial, tangential, thin prism and tilted-sensor distortion.

    :param coefficient_counts: allowed numbers of coefficients.
    """

    coefficient_counts: tuple[int, ...]
    zero_is_identity: bool = True

    def distort(self, points: NDArray, coefficients: Sequence[float]) -> NDArray[np.float64]:
        """Return points (..., 2) after the lens."""
        lens = Polynomial.from_coefficients(coefficients)
        bent, _ = lens.bend(np.stack([points[..., 0], points[..., 1]]))
        return np.stack(lens.tilted(*bent), -1)

    def undistort(
        self, points: NDArray, coefficients: Sequence[float], tolerance: float
    ) -> NDArray[np.float64]:
        """Return points (..., 2) before the lens, by Newton's method from the distorted point."""
        lens = Polynomial.from_coefficients(coefficients)
        target = np.stack(lens.untilt(points[..., 0].ravel(), points[..., 1].ravel()))
        guess = target.copy()
        moving = np.arange(target.shape[1])
        for _ in range(ITERATIONS):
            step = lens.newton_step(guess[:, moving], target[:, moving])
            guess[:, moving] -= step
            moving = moving[np.abs(step).max(0) > CONVERGED]
            if not moving.size:
                break
        error = np.abs(lens.bend(guess)[0] - target).max(0)
        inside = (error < tolerance) & (np.hypot(*guess) <= lens.limit())
        return np.where(inside, guess, np.nan).T.reshape(points.shape)


class Polynomial(NamedTuple):
    """OpenCV's model: radial k1..k6, tangential p1 p2, thin prism s1..s4, tilted sensor."""

    k1: float
    k2: float
    p1: float
    p2: float
    k3: float
    k4: float
    k5: float
    k6: float
    s1: float
    s2: float
    s3: float
    s4: float
    tau_x: float
    tau_y: float

    @classmethod
    def from_coefficients(cls, coefficients: Sequence[float]) -> Polynomial:
        """Return the model; coefficients that a shorter model lacks are 0."""
        return cls(*(*coefficients, *[0.0] * 14)[:14])

    def radial(self, r2: NDArray) -> tuple[NDArray, NDArray]:
        """Return the radial factor and its derivative with respect to the squared radius."""
        top = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        bottom = 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        top_slope = self.k1 + r2 * (2 * self.k2 + r2 * 3 * self.k3)
        bottom_slope = self.k4 + r2 * (2 * self.k5 + r2 * 3 * self.k6)
        return top / bottom, (top_slope * bottom - top * bottom_slope) / (bottom * bottom)

    def bend(self, points: NDArray, slopes: bool = False) -> tuple[NDArray, tuple[NDArray, ...]]:
        """Return points (2, ...) distorted, without the tilt, and the four partial derivatives."""
        x, y = points
        r2 = x * x + y * y
        factor, slope = self.radial(r2)
        xd = x * factor + 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x)
        yd = y * factor + self.p1 * (r2 + 2 * y * y) + 2 * self.p2 * x * y
        bent = np.stack([xd + r2 * (self.s1 + r2 * self.s2), yd + r2 * (self.s3 + r2 * self.s4)])
        if not slopes:
            return bent, ()
        prism_x = 2 * (self.s1 + 2 * r2 * self.s2)
        prism_y = 2 * (self.s3 + 2 * r2 * self.s4)
        mixed = 2 * x * y * slope + 2 * self.p1 * x + 2 * self.p2 * y
        xx = factor + 2 * x * x * slope + 2 * self.p1 * y + 6 * self.p2 * x + prism_x * x
        yy = factor + 2 * y * y * slope + 6 * self.p1 * y + 2 * self.p2 * x + prism_y * y
        return bent, (xx, mixed + prism_x * y, mixed + prism_y * x, yy)

    def newton_step(self, guess: NDArray, target: NDArray) -> NDArray:
        """Return the step of Newton's method from ``guess`` toward ``target``, (2, N)."""
        bent, (xx, xy, yx, yy) = self.bend(guess, slopes=True)
        error = bent - target
        step = np.stack([yy * error[0] - xy * error[1], xx * error[1] - yx * error[0]])
        step = np.nan_to_num(step / (xx * yy - xy * yx), posinf=1.0, neginf=-1.0)
        return np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)

    def limit(self) -> float:
        """Return the radius x/z, y/z at which the lens folds over."""

        def grown(radius: NDArray) -> NDArray:
            return radius * self.radial(radius * radius)[0]

        near = fold_radius(grown, 4.0)
        return near if near < 4.0 else fold_radius(grown, _LARGEST_RADIUS)

    def tilted(self, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Project onto the tilted sensor."""
        return (x, y) if not self._has_tilt else _homography(self._tilt_matrix(), x, y)

    def untilt(self, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Invert :meth:`tilted`."""
        if not self._has_tilt:
            return x, y
        return _homography(np.linalg.inv(self._tilt_matrix()), x, y)

    @property
    def _has_tilt(self) -> bool:
        return bool(self.tau_x or self.tau_y)

    def _tilt_matrix(self) -> NDArray:
        cx, sx = math.cos(self.tau_x), math.sin(self.tau_x)
        cy, sy = math.cos(self.tau_y), math.sin(self.tau_y)
        rotation = np.array([[cy, sy * sx, -sy * cx], [0, cx, sx], [sy, -cy * sx, cy * cx]])
        r13, r23, r33 = rotation[:, 2]
        return np.array([[r33, 0, -r13], [0, r33, -r23], [0, 0, 1]]) @ rotation


def _homography(matrix: NDArray, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    a, b, c = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return a / c, b / c
