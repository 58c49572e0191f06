"""
Conversion of image messages in any supported encoding to RGB.

The names are those of ``sensor_msgs/image_encodings``. 16-bit samples become ``round(v / 257)``,
which maps the full 16-bit range to the full 8-bit range. ``8UC3`` and ``8UC4`` are read as BGR,
as RViz does. A Bayer name gives the top left 2x2 block in reading order; OpenCV's constants name
the block one pixel further right and down, hence the crossed table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ImageError
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, check_pixels

_SCALE_16_TO_8 = 1 / 257


@dataclass(frozen=True)
class _Layout:
    """
    The memory layout of an encoding.

    :param itemsize: bytes of a sample.
    :param channels: samples of a pixel.
    :param code: OpenCV's conversion to RGB, ``None`` if the samples are RGB.
    :param multiples: divisors that height and width must have.
    :param planes: rows in memory for each row of the image.
    """

    itemsize: int
    channels: int
    code: int | None
    multiples: tuple[int, int] = (1, 1)
    planes: float = 1.0

    def row_bytes(self, width: int) -> int:
        return width * self.channels * self.itemsize

    def rows(self, height: int) -> int:
        return int(height * self.planes)


_COLORS = {
    'rgb': (3, None),
    'bgr': (3, cv2.COLOR_BGR2RGB),
    'rgba': (4, cv2.COLOR_RGBA2RGB),
    'bgra': (4, cv2.COLOR_BGRA2RGB),
    'mono': (1, cv2.COLOR_GRAY2RGB),
}
_BAYER = {
    'bayer_rggb': cv2.COLOR_BayerBG2RGB,
    'bayer_bggr': cv2.COLOR_BayerRG2RGB,
    'bayer_gbrg': cv2.COLOR_BayerGR2RGB,
    'bayer_grbg': cv2.COLOR_BayerGB2RGB,
}
_UYVY = _Layout(1, 2, cv2.COLOR_YUV2RGB_UYVY, multiples=(1, 2))
_YUYV = _Layout(1, 2, cv2.COLOR_YUV2RGB_YUY2, multiples=(1, 2))
_LAYOUTS = {
    **{f'{name}8': _Layout(1, count, code) for name, (count, code) in _COLORS.items()},
    **{f'{name}16': _Layout(2, count, code) for name, (count, code) in _COLORS.items()},
    **{f'{name}8': _Layout(1, 1, code, multiples=(2, 2)) for name, code in _BAYER.items()},
    **{f'{name}16': _Layout(2, 1, code, multiples=(2, 2)) for name, code in _BAYER.items()},
    '8UC1': _Layout(1, 1, cv2.COLOR_GRAY2RGB),
    '8UC3': _Layout(1, 3, cv2.COLOR_BGR2RGB),
    '8UC4': _Layout(1, 4, cv2.COLOR_BGRA2RGB),
    'yuv422': _UYVY,
    'uyvy': _UYVY,
    'yuv422_yuy2': _YUYV,
    'yuyv': _YUYV,
    'nv12': _Layout(1, 1, cv2.COLOR_YUV2RGB_NV12, multiples=(2, 2), planes=1.5),
    'nv21': _Layout(1, 1, cv2.COLOR_YUV2RGB_NV21, multiples=(2, 2), planes=1.5),
}
SUPPORTED_ENCODINGS = tuple(_LAYOUTS)


def to_rgb(
    data: Any,
    *,
    height: int,
    width: int,
    encoding: str,
    step: int,
    is_bigendian: bool = False,
    out: NDArray[np.uint8] | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NDArray[np.uint8]:
    """
    Convert the data of an image message to RGB, (H, W, 3) uint8, C-contiguous.

    ``rgb8`` without row padding is returned as a view of ``data``. All other encodings are
    converted, into ``out`` if it has the shape and dtype of the result.

    :param data: any contiguous buffer: bytes, ``array.array``, numpy array.
    :param step: bytes from the start of a row to the start of the next.
    :param is_bigendian: byte order of the 16-bit encodings.
    :param max_pixels: the largest width times height that is accepted.
    :raises ImageError: if the encoding is not supported, the image has more than ``max_pixels``
        pixels, or size, step and data contradict each other.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise ImageError(
            f'Image encoding {encoding!r} is not supported. Supported encodings: '
            f'{", ".join(SUPPORTED_ENCODINGS)}. Convert the image first, for example with '
            'image_proc or cv_bridge.'
        )
    _check_size(layout, height, width, encoding)
    check_pixels(width, height, max_pixels)
    raw = byte_array(data)
    _check_bytes(raw.size, layout, height, width, step=step, encoding=encoding)
    dtype = np.dtype('u1' if layout.itemsize == 1 else '>u2' if is_bigendian else '<u2')
    image = _view(raw, layout, (layout.rows(height), width), dtype, step)
    if layout.itemsize == 2:
        image = _to_8_bit(image)
    target = out if _fits(out, height, width) else None
    if layout.code is not None:
        return cv2.cvtColor(image, layout.code, dst=target)
    return _contiguous(image, target)


def byte_array(data: Any) -> NDArray[np.uint8]:
    """
    Return a buffer as a flat uint8 array without a copy.

    :raises ImageError: if ``data`` is not a contiguous buffer.
    """
    try:
        return np.frombuffer(data, np.uint8) if len(data) else np.empty(0, np.uint8)
    except (TypeError, ValueError) as err:
        raise ImageError(
            f'Image data of type {type(data).__name__} is not a contiguous buffer ({err}). Pass '
            'bytes, array.array or a C-contiguous numpy array.'
        ) from err


def _check_size(layout: _Layout, height: int, width: int, encoding: str) -> None:
    if height <= 0 or width <= 0:
        raise ImageError(f'The image is empty: {width}x{height} pixels. Check the camera driver.')
    if height % layout.multiples[0] or width % layout.multiples[1]:
        raise ImageError(
            f'{encoding} needs a width divisible by {layout.multiples[1]} and a height divisible '
            f'by {layout.multiples[0]}; got {width}x{height}.'
        )


def _check_bytes(
    size: int, layout: _Layout, height: int, width: int, *, step: int, encoding: str
) -> None:
    """Accept whole rows; some drivers omit the padding of the last one."""
    needed = layout.row_bytes(width)
    if step < needed:
        raise ImageError(
            f'step is {step} bytes, but {width} pixels of {encoding} need at least {needed}. Fix '
            'the publisher of the message.'
        )
    whole = step * layout.rows(height)
    if size not in (whole, whole - step + needed):
        raise ImageError(
            f'The image has {size} bytes, but {width}x{height} pixels of {encoding} with step '
            f'{step} need {whole}. Fix the publisher of the message.'
        )


def _view(
    raw: NDArray[np.uint8], layout: _Layout, shape: tuple[int, int], dtype: np.dtype, step: int
) -> NDArray:
    """Return the samples, (rows, W) or (rows, W, channels), without a copy."""
    inner = (layout.channels * layout.itemsize, layout.itemsize)
    samples = np.ndarray((*shape, layout.channels), dtype, buffer=raw, strides=(step, *inner))
    return samples[..., 0] if layout.channels == 1 else samples


def _to_8_bit(samples: NDArray) -> NDArray[np.uint8]:
    native = np.ascontiguousarray(samples, np.uint16)
    return cv2.convertScaleAbs(native, alpha=_SCALE_16_TO_8).reshape(samples.shape)


def _fits(out: NDArray | None, height: int, width: int) -> bool:
    return out is not None and out.shape == (height, width, 3) and out.dtype == np.uint8


def _contiguous(image: NDArray, target: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if image.flags.c_contiguous or target is None:
        return np.ascontiguousarray(image)
    np.copyto(target, image)
    return target
