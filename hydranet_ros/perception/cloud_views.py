"""Views of a point cloud as images, from behind the camera and from above."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.perception.colormaps import Rgb

BACKGROUND = (24, 26, 30)
_TEXT = (230, 232, 236)
_GRID = (90, 95, 105)
_CAMERA = (255, 80, 60)
FONT = cv2.FONT_HERSHEY_SIMPLEX

_PITCH = np.radians(14)
_EYE = (0.0, -4.5, -7.0)
_CAMERA_COLUMN = 20
_RIGHT_MARGIN = 10
_RING_SPACING = 10
_HEIGHT_LIMIT = 3.0


def draw_text(image: Rgb, text: str, position: tuple[int, int], size: float) -> None:
    """Draw text that is legible on any background; ``position`` is (x, y) of the baseline."""
    x, y = position
    # A thicker stroke would make a shadow, but OpenCV 5 makes it wider than the text too.
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
        cv2.putText(image, text, (x + dx, y + dy), FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(image, text, position, FONT, size, _TEXT, 1, cv2.LINE_AA)


def view_from_behind(cloud: NDArray, size: tuple[int, int]) -> Rgb:
    """
    Return a view from 7 m behind and 4.5 m above the camera, (H, W, 3) uint8 RGB.

    :param cloud: (h, w) of :data:`~hydranet_ros.perception.point_cloud.POINT_DTYPE`.
    :param size: (H, W) of the view.
    """
    points, colors = _points(cloud)
    height, width = size
    x, y, z = (points - np.array(_EYE)).T
    forward = z * np.cos(_PITCH) + y * np.sin(_PITCH)
    down = y * np.cos(_PITCH) - z * np.sin(_PITCH)
    focal = 0.62 * width
    visible = forward > 1.0
    u = width / 2 + focal * x[visible] / forward[visible]
    v = height * 0.45 + focal * down[visible] / forward[visible]
    sizes = np.clip(90 / forward[visible], 1, 6).astype(int)
    return _draw_squares(u, v, forward[visible], colors[visible], size, sizes)


def view_from_above(cloud: NDArray, size: tuple[int, int], reach: float = 40.0) -> Rgb:
    """
    Return a view from above, (H, W, 3) uint8 RGB, with the camera at the left.

    Both axes have the same scale. Rings mark every 10 m. Points more than 3 m above the camera
    are left out.

    :param cloud: (h, w) of :data:`~hydranet_ros.perception.point_cloud.POINT_DTYPE`.
    :param size: (H, W) of the view.
    :param reach: forward distance at the right edge, meters.
    """
    points, colors = _points(cloud)
    height, width = size
    scale = (width - _CAMERA_COLUMN - _RIGHT_MARGIN) / reach
    u, v = _CAMERA_COLUMN + points[:, 2] * scale, height / 2 + points[:, 0] * scale
    low = points[:, 1] > -_HEIGHT_LIMIT
    sizes = np.full(int(low.sum()), 2)
    view = _draw_squares(u[low], v[low], points[low, 1], colors[low], size, sizes)
    _draw_rings(view, scale, reach)
    return view


def _points(cloud: NDArray) -> tuple[NDArray[np.float32], Rgb]:
    """Return the (N, 3) points, meters in the optical frame, and their (N, 3) colors."""
    flat = cloud.ravel()
    flat = flat[np.isfinite(flat['z'])]
    points = np.stack([flat['x'], flat['y'], flat['z']], -1)
    return points, np.stack([flat['r'], flat['g'], flat['b']], -1)


def _draw_rings(view: Rgb, scale: float, reach: float) -> None:
    height = view.shape[0]
    center = (_CAMERA_COLUMN, height // 2)
    for distance in range(_RING_SPACING, int(reach) + 1, _RING_SPACING):
        radius = int(distance * scale)
        cv2.ellipse(view, center, (radius, radius), 0, -60, 60, _GRID, 1, cv2.LINE_AA)
        draw_text(view, f'{distance} m', (_CAMERA_COLUMN + radius - 34, height - 8), 0.4)
    cv2.circle(view, center, 4, _CAMERA, -1, cv2.LINE_AA)


def _draw_squares(
    u: NDArray, v: NDArray, distance: NDArray, colors: NDArray, size: tuple[int, int],
    sizes: NDArray,
) -> Rgb:  # fmt: skip
    """Draw a square of ``sizes`` pixels at each (u, v), the most distant ones first."""
    height, width = size
    view = np.full((height, width, 3), BACKGROUND, np.uint8)
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v, distance, colors, sizes = (a[inside] for a in (u, v, distance, colors, sizes))
    order = np.argsort(-distance, kind='stable')
    u, v, colors, sizes = u[order].astype(int), v[order].astype(int), colors[order], sizes[order]
    for dy in range(sizes.max(initial=1)):
        for dx in range(sizes.max(initial=1)):
            large = (sizes > dx) & (sizes > dy)
            rows = np.minimum(v[large] + dy, height - 1)
            columns = np.minimum(u[large] + dx, width - 1)
            view[rows, columns] = colors[large]
    return view
