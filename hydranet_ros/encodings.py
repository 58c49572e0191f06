"""
Image bytes of every accepted encoding as RGB.

Names are those of ``sensor_msgs/image_encodings``. Rows may be padded (``step``), 16-bit samples
may be big-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ImageError


@dataclass(frozen=True)
class _Layout:
    """Bytes a sample, channels, and OpenCV's conversion to RGB (``None``: already RGB)."""

    itemsize: int
    channels: int
    code: int | None


# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first two
# rows' start: rggb is OpenCV's BayerBG.
_LAYOUTS = {
    'rgb8': _Layout(1, 3, None),
    'bgr8': _Layout(1, 3, cv2.COLOR_BGR2RGB),
    '8UC3': _Layout(1, 3, cv2.COLOR_BGR2RGB),
    'rgba8': _Layout(1, 4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Layout(1, 4, cv2.COLOR_BGRA2RGB),
    '8UC4': _Layout(1, 4, cv2.COLOR_BGRA2RGB),
    'mono8': _Layout(1, 1, cv2.COLOR_GRAY2RGB),
    '8UC1': _Layout(1, 1, cv2.COLOR_GRAY2RGB),
    'yuv422': _Layout(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': _Layout(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': _Layout(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    'yuyv': _Layout(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    'bayer_rggb8': _Layout(1, 1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': _Layout(1, 1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': _Layout(1, 1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': _Layout(1, 1, cv2.COLOR_BayerGB2RGB),
    'rgb16': _Layout(2, 3, None),
    'bgr16': _Layout(2, 3, cv2.COLOR_BGR2RGB),
    'rgba16': _Layout(2, 4, cv2.COLOR_RGBA2RGB),
    'bgra16': _Layout(2, 4, cv2.COLOR_BGRA2RGB),
    'mono16': _Layout(2, 1, cv2.COLOR_GRAY2RGB),
    '16UC1': _Layout(2, 1, cv2.COLOR_GRAY2RGB),
}
SUPPORTED_ENCODINGS = tuple(_LAYOUTS)


def to_rgb(
    data: Any, *, height: int, width: int, encoding: str, step: int, is_bigendian: bool = False
) -> NDArray[np.uint8]:
    """
    Return an image message's pixels as (H, W, 3) uint8 RGB, C-contiguous.

    ``rgb8`` without row padding is a view of ``data``; everything else is converted. 8UC3 and
    8UC4 are read as BGR, as RViz does. 16-bit samples are divided by 257, so that the full range
    stays the full range.

    :param data: bytes-like.
    :raises ImageError: if the encoding is unknown, or size, step and data do not fit together.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise ImageError(
            f'Image encoding {encoding!r} is not supported; supported: '
            f'{", ".join(SUPPORTED_ENCODINGS)}. Convert it before (image_proc, cv_bridge).'
        )
    rows = _rows(data, height, width, step, layout, encoding)
    if layout.itemsize == 2:
        samples = rows.view('>u2' if is_bigendian else '<u2')
        rows = np.rint(samples / np.float32(257)).astype(np.uint8)
    image = rows.reshape(height, width, layout.channels)
    if layout.code is None:
        return np.ascontiguousarray(image)
    if layout.channels == 2 and width % 2 or encoding.startswith('bayer') and min(height, width) < 2:
        raise ImageError(f'A {encoding} image of {width}x{height} pixels has half a sample; '
                         'its width must be even (and both sides at least 2 for Bayer).')  # fmt: skip
    return cv2.cvtColor(np.ascontiguousarray(image), layout.code)


def _rows(data, height: int, width: int, step: int, layout: _Layout, encoding: str) -> NDArray:
    """Return (H, W * channels * itemsize) uint8 without padding."""
    needed = width * layout.channels * layout.itemsize
    flat = np.frombuffer(data, np.uint8)
    if height <= 0 or width <= 0:
        raise ImageError(f'The image is empty: {width}x{height} pixels. Check the camera driver.')
    if step < needed:
        raise ImageError(
            f'step is {step} bytes; a row of {width} pixels {encoding} needs at least {needed}.'
        )
    if flat.size < step * (height - 1) + needed:
        raise ImageError(
            f'The image holds {flat.size} bytes; {height} rows of step {step} need '
            f'{step * height}.'
        )
    if flat.size < step * height:
        flat = np.concatenate([flat, np.zeros(step * height - flat.size, np.uint8)])
    return np.ascontiguousarray(flat[: step * height].reshape(height, step)[:, :needed])


def decode_compressed(data: Any) -> NDArray[np.uint8]:
    """
    Return a JPEG or PNG image as (H, W, 3) uint8 RGB.

    :raises ImageError: if the bytes cannot be decoded.
    """
    raw = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if image is None:
        raise ImageError(
            f'{raw.size} bytes of compressed image cannot be decoded; JPEG and PNG are supported.'
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
