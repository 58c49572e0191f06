"""
Camera models: intrinsics, distortion, pixel rays, projection.

Points are meters in the optical frame of REP 103: x right, y down, z forward. The centers of
pixels have integer coordinates, as in ``sensor_msgs/CameraInfo``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.distortion import LENS_MODELS, distort, undistort
from hydranet_ros.errors import CameraError

_CONVERGED_PIXELS = 1e-6


@dataclass(frozen=True)
class CameraModel:
    """
    A camera: image size, focal lengths and principal point in pixels, and the lens.

    :param distortion_model: ``plumb_bob``, ``rational_polynomial``, ``equidistant``, or empty
        for a lens without distortion.
    :raises CameraError: if a value is impossible for a camera.
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
            raise CameraError(
                'The camera is not calibrated (K[0] is 0). Calibrate it, and publish its '
                'CameraInfo.'
            )
        if min(self.fx, self.fy) <= 0 or min(self.width, self.height) <= 0:
            raise CameraError(
                f'Focal lengths ({self.fx}, {self.fy}) and size {self.width}x{self.height} must '
                'be positive. Check the CameraInfo.'
            )
        self._check_distortion()

    def _check_distortion(self) -> None:
        lens = LENS_MODELS.get(self.distortion_model)
        if not any(self.distortion) and (lens is None or lens.zero_is_identity):
            object.__setattr__(self, 'distortion', ())
            return
        if lens is None:
            raise CameraError(
                f'Distortion model {self.distortion_model!r} is unknown; allowed: '
                f'{", ".join(LENS_MODELS)}. Publish rectified images (image_proc) instead.'
            )
        if len(self.distortion) not in lens.coefficient_counts:
            raise CameraError(
                f'{self.distortion_model} has {len(self.distortion)} coefficients; allowed: '
                f'{lens.coefficient_counts}. Calibrate the camera again.'
            )

    @classmethod
    def from_camera_info(
        cls, width: int, height: int, k: Sequence[float], d: Sequence[float] = (),
        distortion_model: str = '', *, binning: tuple[int, int] = (0, 0),
        roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> CameraModel:  # fmt: skip
        """
        Return the camera that a CameraInfo describes, after ROI and binning.

        :param k: the 3x3 matrix K by rows.
        :param d: distortion coefficients.
        :param binning: pixels combined into one, horizontally and vertically; 0 means 1.
        :param roi: x_offset, y_offset, width, height; width or height 0 is the full image.
        :raises CameraError: if the camera is not calibrated or a value is impossible.
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

        x and y are scaled separately, the principal point as in ``image_proc``: c' = c * scale.
        """
        x, y = width / self.width, height / self.height
        return replace(
            self, width=width, height=height, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x,
            cy=self.cy * y,
        )  # fmt: skip

    def cropped(self, x: int, y: int, width: int, height: int) -> CameraModel:
        """Return the camera of the image cropped to ``width`` x ``height`` from pixel (x, y)."""
        return replace(self, width=width, height=height, cx=self.cx - x, cy=self.cy - y)

    @property
    def k(self) -> tuple[float, ...]:
        """Return the 3x3 matrix by rows."""
        return (self.fx, 0.0, self.cx, 0.0, self.fy, self.cy, 0.0, 0.0, 1.0)


def pixel_rays(camera: CameraModel, stride: int = 1) -> NDArray[np.float32]:
    """
    Return the ray of each pixel: (H', W', 2) float32, x/z and y/z.

    A ray times a depth is a point. A pixel that no ray of the lens model reaches is NaN.

    :param stride: take every n-th pixel of each row and column, from pixel 0.
    """
    u, v = np.arange(0, camera.width, stride), np.arange(0, camera.height, stride)
    return unproject(np.stack(np.meshgrid(u, v), -1), camera).astype(np.float32)


def unproject(pixels: NDArray, camera: CameraModel) -> NDArray[np.float64]:
    """
    Return the rays (..., 2), x/z and y/z, of pixels (..., 2); NaN where the lens has no ray.

    This is the inverse of :func:`project` up to depth, exact to 1e-6 pixels.
    """
    normalized = (np.asarray(pixels, np.float64) - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    return undistort(
        normalized, camera.distortion_model, camera.distortion,
        tolerance=_CONVERGED_PIXELS / max(camera.fx, camera.fy),
    )  # fmt: skip


def project(points: NDArray, camera: CameraModel) -> NDArray[np.float64]:
    """Return pixels (..., 2) of points (..., 3) in the optical frame; NaN behind the camera."""
    points = np.asarray(points, np.float64)
    with np.errstate(all='ignore'):
        normalized = np.where(points[..., 2:] > 0, points[..., :2] / points[..., 2:], np.nan)
        distorted = distort(normalized, camera.distortion_model, camera.distortion)
        return distorted * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def depth_to_points(depth: NDArray, rays: NDArray) -> NDArray[np.float32]:
    """
    Return points (H, W, 3), meters in the optical frame.

    :param depth: (H, W) meters along the optical axis, NaN unknown.
    :param rays: (H, W, 2) of :func:`pixel_rays`.
    """
    return np.concatenate([rays * depth[..., None], depth[..., None]], -1).astype(np.float32)
