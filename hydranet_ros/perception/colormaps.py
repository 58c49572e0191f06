"""Colormaps: labels, depth and normals as RGB images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.model_files.metadata import ClassInfo

Rgb = NDArray[np.uint8]


def palette(classes: Sequence[ClassInfo]) -> Rgb:
    """Return the color of every class id, (256, 3) uint8 RGB; black where there is no class."""
    table = np.zeros((256, 3), np.uint8)
    for item in classes:
        table[item.id] = item.color
    return table


def color_labels(labels: NDArray[np.uint8], table: Rgb, out: Rgb | None = None) -> Rgb:
    """
    Return (H, W, 3) uint8 RGB of labels (H, W) uint8.

    :param table: (256, 3) of :func:`palette`.
    """
    return cv2.applyColorMap(labels, table.reshape(256, 1, 3), out)


def overlay(image: Rgb, colors: Rgb, alpha: float, out: Rgb | None = None) -> Rgb:
    """Blend ``colors`` over ``image``; ``alpha`` is the weight of ``colors``, 0..1."""
    return cv2.addWeighted(image, 1 - alpha, colors, alpha, 0, out)


def _depth_table(colormap: int, near: int, far: int) -> Rgb:
    """Return a colormap of OpenCV from index ``near`` to ``far``, without its dark end."""
    bgr = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], colormap)
    table = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)[0][np.linspace(near, far, 256).astype(int)]
    table[0] = 0
    return table


DEPTH_COLORMAPS: Mapping[str, Rgb] = {
    'turbo': _depth_table(cv2.COLORMAP_TURBO, 240, 24),
    'inferno': _depth_table(cv2.COLORMAP_INFERNO, 255, 40),
    'viridis': _depth_table(cv2.COLORMAP_VIRIDIS, 255, 0),
}
"""Colors of depth, near to far, (256, 3) uint8 RGB; entry 0 is unknown depth: black."""
DEFAULT_DEPTH_COLORMAP = 'turbo'


def color_depth(
    depth: NDArray[np.float32],
    depth_range: tuple[float, float],
    out: Rgb | None = None,
    pool: BufferPool | None = None,
    colormap: str = DEFAULT_DEPTH_COLORMAP,
) -> Rgb:
    """
    Return (H, W, 3) uint8 RGB of a depth image (H, W) float32 meters.

    The range is fixed, so that a color means the same distance in every frame. The scale is the
    square root of depth, which gives near distances more colors. NaN is black. In turbo, red is
    near and blue is far.

    :param pool: buffers for intermediate images, reused from frame to frame.
    :param colormap: key of :data:`DEPTH_COLORMAPS`.
    """
    near, far = depth_range
    pool = pool or BufferPool()
    share = pool.get('share of the range', depth.shape, np.float32)
    known = pool.get('known', depth.shape, np.uint8)
    index = pool.get('color index', depth.shape, np.uint8)
    cv2.compare(depth, depth, cv2.CMP_EQ, known)
    cv2.subtract(depth, (near, 0, 0, 0), share)
    cv2.multiply(share, 1 / max(1e-6, far - near), share)
    cv2.min(cv2.max(share, 0.0, share), 1.0, share)
    cv2.sqrt(share, share)
    cv2.addWeighted(share, 254, share, 0, 1, index, cv2.CV_8U)
    return color_labels(cv2.bitwise_and(index, known, index), DEPTH_COLORMAPS[colormap], out)


_NORMALS_TO_RGB = 127.5 * np.array([[1, 0, 0, 1], [0, 0, -1, 1], [0, 1, 0, 1]], np.float32)


def color_normals(normals: NDArray[np.float32], out: Rgb | None = None) -> Rgb:
    """
    Return (H, W, 3) uint8 RGB of unit vectors (H, W, 3) in the optical frame, x right, y down.

    The colors are those of the official code: red right, green toward the camera, blue down.
    """
    shown = cv2.transform(normals, _NORMALS_TO_RGB)
    return cv2.add(shown, (0, 0, 0, 0), out, dtype=cv2.CV_8U)
