"""
Camera models: intrinsics, distortion, pixel rays, projection.

Everything is in the optical frame of REP 103: x right, y down, z ahead, metres. Pixel (u, v) has
its centre at integer coordinates, as in ``sensor_msgs/CameraInfo``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import CameraError

_COEFFICIENTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), 'equidistant': (4,)}
_ITERATIONS = 40
_CONVERGED = 1e-3


@dataclass(frozen=True)
class CameraModel:
    """
    A camera: size in pixels, focal lengths, centre, and lens.

    :param distortion_model: ``plumb_bob``, ``rational_polynomial``, ``equidistant``, or empty
        for a lens without distortion.
    :raises CameraError: if a value cannot belong to a camera.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = ''
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not all(math.isfinite(value) for value in values):
            raise CameraError(f'Camera intrinsics are not finite: {values}. Calibrate the camera.')
        if self.fx == 0:
            raise CameraError('The camera is not calibrated (K[0] is 0). Calibrate it, or publish '
                              'its CameraInfo.')  # fmt: skip
        if min(self.fx, self.fy) <= 0 or min(self.width, self.height) <= 0:
            raise CameraError(
                f'Focal lengths ({self.fx}, {self.fy}) and size {self.width}x{self.height} must '
                'be positive.'
            )
        self._check_distortion()

    def _check_distortion(self) -> None:
        if not any(self.distortion):
            object.__setattr__(self, 'distortion', ())
            return
        allowed = _COEFFICIENTS.get(self.distortion_model)
        if allowed is None:
            raise CameraError(
                f'Distortion model {self.distortion_model!r} is unknown; allowed: '
                f'{", ".join(_COEFFICIENTS)}.'
            )
        if len(self.distortion) not in allowed:
            raise CameraError(
                f'{self.distortion_model} has {len(self.distortion)} coefficients; allowed: '
                f'{allowed}.'
            )

    @classmethod
    def from_camera_info(
        cls, width: int, height: int, k: Sequence[float], d: Sequence[float] = (),
        distortion_model: str = '', *, binning: tuple[int, int] = (0, 0),
        roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> CameraModel:  # fmt: skip
        """
        Return the camera of a CameraInfo's values, as its images are after ROI and binning.

        :param roi: x_offset, y_offset, width, height; all 0 for the full image.
        :raises CameraError: if the camera is uncalibrated or a value is impossible.
        """
        if len(k) != 9:
            raise CameraError(f'K has {len(k)} values; a 3x3 matrix has 9.')
        camera = cls(
            int(width), int(height), float(k[0]), float(k[4]), float(k[2]), float(k[5]),
            distortion_model, tuple(float(value) for value in d),
        )  # fmt: skip
        if roi[2] and roi[3]:
            camera = camera.cropped(*roi)
        x, y = max(1, binning[0]), max(1, binning[1])
        return camera.scaled(camera.width // x, camera.height // y) if (x, y) != (1, 1) else camera

    def scaled(self, width: int, height: int) -> CameraModel:
        """
        Return the camera of the image resized to ``width`` x ``height``.

        x and y are scaled separately, and the centre as ``image_proc`` does: c' = c * scale.
        """
        x, y = width / self.width, height / self.height
        return replace(
            self, width=width, height=height, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x,
            cy=self.cy * y,
        )  # fmt: skip

    def cropped(self, x: int, y: int, width: int, height: int) -> CameraModel:
        """Return the camera of the part of the image that starts at pixel (x, y)."""
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)

    @property
    def k(self) -> tuple[float, ...]:
        """Return the 3x3 matrix by rows."""
        return (self.fx, 0.0, self.cx, 0.0, self.fy, self.cy, 0.0, 0.0, 1.0)


def pixel_rays(camera: CameraModel, stride: int = 1) -> NDArray[np.float32]:
    """
    Return where each pixel looks: (H', W', 2) float32, x/z and y/z of its ray.

    Multiplied by a depth they give the point. Pixels that no ray of the lens model reaches are
    NaN.

    :param stride: take every so many pixels, from pixel 0.
    """
    u = (np.arange(0, camera.width, stride) - camera.cx) / camera.fx
    v = (np.arange(0, camera.height, stride) - camera.cy) / camera.fy
    distorted = np.stack(np.meshgrid(u, v), -1)
    return undistort(distorted, camera).astype(np.float32)


def undistort(points: NDArray, camera: CameraModel) -> NDArray[np.float64]:
    """
    Return normalised image points (..., 2) without the lens' distortion; NaN where impossible.
    """
    points = np.asarray(points, np.float64)
    if not camera.distortion:
        return points
    if camera.distortion_model == 'equidistant':
        return _undistort_equidistant(points, camera)
    return _undistort_newton(points, camera)


def _undistort_newton(points: NDArray, camera: CameraModel) -> NDArray:
    """Solve distort(p) = points by Newton's method with a numerical Jacobian."""
    guess = points.copy()
    step = 1e-6
    with np.errstate(all='ignore'):
        for _ in range(_ITERATIONS):
            here = distort(guess, camera)
            error = here - points
            dx = (distort(guess + (step, 0), camera) - here) / step
            dy = (distort(guess + (0, step), camera) - here) / step
            det = dx[..., 0] * dy[..., 1] - dy[..., 0] * dx[..., 1]
            move = np.stack(
                [(dy[..., 1] * error[..., 0] - dy[..., 0] * error[..., 1]) / det,
                 (dx[..., 0] * error[..., 1] - dx[..., 1] * error[..., 0]) / det], -1
            )  # fmt: skip
            size = np.maximum(1.0, np.abs(move).max(-1, keepdims=True) / 0.3)
            guess = guess - move / size
            if np.nanmax(np.abs(move)) < 1e-12:
                break
        missed = np.abs(distort(guess, camera) - points).max(-1) * camera.fx
    guess[~(missed < _CONVERGED)] = np.nan
    return guess


def _undistort_equidistant(points: NDArray, camera: CameraModel) -> NDArray:
    """Solve theta_d(theta) = r by Newton's method; angles of 90 degrees and more are NaN."""
    radius = np.hypot(points[..., 0], points[..., 1])
    theta = np.minimum(radius, np.pi / 2)
    k1, k2, k3, k4 = camera.distortion
    with np.errstate(all='ignore'):
        for _ in range(_ITERATIONS):
            t2 = theta**2
            value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) - radius
            slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
            theta = theta - np.clip(value / slope, -0.3, 0.3)
        t2 = theta**2
        missed = np.abs(theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) - radius)
        scale = np.where(radius > 1e-9, np.tan(theta) / np.maximum(radius, 1e-9), 1.0)
    bad = ~((missed * camera.fx < _CONVERGED) & (theta >= 0) & (theta < np.pi / 2))
    out = points * scale[..., None]
    out[bad] = np.nan
    return out


def distort(points: NDArray, camera: CameraModel) -> NDArray[np.float64]:
    """Return normalised points (..., 2), x/z and y/z, where the lens puts them."""
    points = np.asarray(points, np.float64)
    if not camera.distortion:
        return points
    if camera.distortion_model == 'equidistant':
        return _distort_equidistant(points, camera.distortion)
    return _distort_polynomial(points, camera.distortion)


def _distort_polynomial(points: NDArray, coefficients: tuple[float, ...]) -> NDArray:
    """
    Apply OpenCV's model: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tau_x tau_y]]]].
    """
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tx, ty = (*coefficients, *[0.0] * 14)[:14]
    x, y = points[..., 0], points[..., 1]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2)
    yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4)
    if tx or ty:
        xd, yd = _tilt(xd, yd, tx, ty)
    return np.stack([xd, yd], -1)


def _tilt(x: NDArray, y: NDArray, tau_x: float, tau_y: float) -> tuple[NDArray, NDArray]:
    """Project onto a tilted sensor (the last two coefficients of OpenCV's model)."""
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    rotation = np.array([[cy, sy * sx, -sy * cx], [0, cx, sx], [sy, -cy * sx, cy * cx]])
    r33, r13, r23 = rotation[2, 2], rotation[0, 2], rotation[1, 2]
    matrix = np.array([[r33, 0, -r13], [0, r33, -r23], [0, 0, 1]]) @ rotation
    a, b, c = (matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] for i in range(3))
    return a / c, b / c


def _distort_equidistant(points: NDArray, coefficients: tuple[float, ...]) -> NDArray:
    k1, k2, k3, k4 = coefficients
    radius = np.hypot(points[..., 0], points[..., 1])
    theta = np.arctan(radius)
    t2 = theta**2
    bent = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    scale = np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0)
    return points * scale[..., None]


def project(points: NDArray, camera: CameraModel) -> NDArray[np.float64]:
    """Return the pixels (..., 2) of points (..., 3) in the optical frame; NaN behind the camera."""
    points = np.asarray(points, np.float64)
    with np.errstate(all='ignore'):
        normalised = np.where(points[..., 2:] > 0, points[..., :2] / points[..., 2:], np.nan)
    return distort(normalised, camera) * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def depth_to_points(depth: NDArray, rays: NDArray) -> NDArray[np.float32]:
    """
    Return points (H, W, 3) in metres.

    :param depth: (H, W) metres along the optical axis, NaN unknown.
    :param rays: (H, W, 2) of :func:`pixel_rays`.
    """
    return np.concatenate([rays * depth[..., None], depth[..., None]], -1).astype(np.float32)
