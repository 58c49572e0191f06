"""
Lens distortion of normalised image points, forth and back.

A point is (x/z, y/z) of a ray in the optical frame. The models are those of
``sensor_msgs/distortion_models``: OpenCV's polynomial (plumb_bob, rational_polynomial) and its
fisheye model (equidistant). Beyond the radius where a model folds over, its inverse is NaN:
there is no such ray, and a guess would put points anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
_ITERATIONS = 25
_LARGEST_MOVE = 0.5
_SETTLED = 1e-13
_WIDEST_ANGLE = math.radians(89.5)
_FARTHEST_FROM_AXIS = math.tan(_WIDEST_ANGLE)


def distort(points: NDArray, model: str, coefficients: Sequence[float]) -> NDArray[np.float64]:
    """
    Return points (..., 2) where the lens puts them.

    :param model: a key of :data:`COEFFICIENTS`; ignored without coefficients.
    """
    points = np.asarray(points, np.float64)
    if not coefficients:
        return points
    if model == 'equidistant':
        radius = np.hypot(points[..., 0], points[..., 1])
        bent, _ = _bent_angle(np.arctan(radius), coefficients)
        return points * np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)[..., None]
    lens = _Polynomial.of(coefficients)
    bent, _ = lens.bend(np.stack([points[..., 0], points[..., 1]]))
    return np.stack(lens.tilted(*bent), -1)


def undistort(
    points: NDArray, model: str, coefficients: Sequence[float], *, tolerance: float = 1e-9
) -> NDArray[np.float64]:
    """
    Return points (..., 2) as they were before :func:`distort`.

    :param tolerance: how far the answer, distorted again, may be from the question; NaN where
        that cannot be met.
    """
    points = np.asarray(points, np.float64)
    if not coefficients:
        return points
    with np.errstate(all='ignore'):
        if model == 'equidistant':
            return _undistort_equidistant(points, coefficients, tolerance)
        return _undistort_polynomial(points, _Polynomial.of(coefficients), tolerance)


def _undistort_polynomial(points: NDArray, lens: _Polynomial, tolerance: float) -> NDArray:
    """Newton's method from the distorted point itself, on the points that still move."""
    flat = np.stack(lens.untilt(points[..., 0].ravel(), points[..., 1].ravel()))
    guess = flat.copy()
    moving = np.arange(flat.shape[1])
    for _ in range(_ITERATIONS):
        move = lens.newton_move(guess[:, moving], flat[:, moving])
        guess[:, moving] -= move
        moving = moving[np.abs(move).max(0) > _SETTLED]
        if not moving.size:
            break
    missed = np.abs(lens.bend(guess)[0] - flat).max(0)
    inside = (missed < tolerance) & (np.hypot(*guess) <= lens.limit())
    return np.where(inside, guess, np.nan).T.reshape(points.shape)


def _undistort_equidistant(
    points: NDArray, coefficients: Sequence[float], tolerance: float
) -> NDArray:
    """Newton's method for the angle; 89.5 degrees from the axis is the widest ray."""
    radius = np.hypot(points[..., 0], points[..., 1])
    limit = _first_turn(lambda angle: _bent_angle(angle, coefficients)[0], _WIDEST_ANGLE)
    theta = np.minimum(radius, limit)
    for _ in range(_ITERATIONS):
        bent, slope = _bent_angle(theta, coefficients)
        move = np.nan_to_num((bent - radius) / slope)
        theta = np.clip(theta - move, 0.0, limit)
        if np.abs(move).max() < _SETTLED:
            break
    missed = np.abs(_bent_angle(theta, coefficients)[0] - radius)
    scale = np.where(radius > 1e-9, np.tan(theta) / np.maximum(radius, 1e-9), 1.0)
    scale[~(missed < tolerance)] = np.nan
    return points * scale[..., None]


def _first_turn(bent: Callable[[NDArray], NDArray], end: float) -> float:
    """Return where a radial function stops growing, at most ``end``: beyond, a lens folds over."""
    steps = np.linspace(0, end, 20001)
    falling = np.flatnonzero(~(np.diff(bent(steps)) > 0))
    return float(steps[falling[0]]) if falling.size else end


def _bent_angle(theta: NDArray, coefficients: Sequence[float]) -> tuple[NDArray, NDArray]:
    """Return the image radius of an angle (Kannala and Brandt, four terms), and its slope."""
    k1, k2, k3, k4 = coefficients
    t = theta * theta
    bent = theta * (1 + t * (k1 + t * (k2 + t * (k3 + t * k4))))
    return bent, 1 + t * (3 * k1 + t * (5 * k2 + t * (7 * k3 + t * 9 * k4)))


class _Polynomial(NamedTuple):
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
    def of(cls, coefficients: Sequence[float]) -> _Polynomial:
        """Fill up with zeros what a shorter model leaves out."""
        return cls(*(*coefficients, *[0.0] * 14)[:14])

    def radial(self, r2: NDArray) -> tuple[NDArray, NDArray]:
        """Return the radial factor and its derivative by the squared radius."""
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

    def newton_move(self, guess: NDArray, target: NDArray) -> NDArray:
        """Return what Newton's method takes off ``guess`` to come nearer to ``target``, (2, N)."""
        bent, (xx, xy, yx, yy) = self.bend(guess, slopes=True)
        error = bent - target
        move = np.stack([yy * error[0] - xy * error[1], xx * error[1] - yx * error[0]])
        move = np.nan_to_num(move / (xx * yy - xy * yx), posinf=1.0, neginf=-1.0)
        return np.clip(move, -_LARGEST_MOVE, _LARGEST_MOVE)

    def limit(self) -> float:
        """Return the radius x/z, y/z at which the lens folds over."""

        def grown(radius: NDArray) -> NDArray:
            return radius * self.radial(radius * radius)[0]

        near = _first_turn(grown, 4.0)
        return near if near < 4.0 else _first_turn(grown, _FARTHEST_FROM_AXIS)

    def tilted(self, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Project onto the tilted sensor."""
        return (x, y) if not self._has_tilt else _homography(self._tilt_matrix(), x, y)

    def untilt(self, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Take back :meth:`tilted`."""
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
