"""Decoding of compressed image messages, JPEG and PNG."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ImageError
from hydranet_ros.images.encodings import byte_array
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS, check_pixels, image_size


def decode_compressed(data: Any, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """
    Decode a JPEG or PNG image to RGB, (H, W, 3) uint8.

    The EXIF orientation is ignored: camera_info describes the pixels as they were recorded.

    :param data: any contiguous buffer: bytes, ``array.array``, numpy array.
    :param max_pixels: the largest width times height that is accepted. The size is read from
        the header, before anything is decoded.
    :raises ImageError: if the bytes are not JPEG or PNG, are damaged, or hold more than
        ``max_pixels`` pixels.
    """
    raw = byte_array(data)
    size = image_size(raw.data)
    if size is None:
        raise _not_decodable(raw)
    check_pixels(*size, max_pixels)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(raw, flags)
    except cv2.error as err:
        reason = ' '.join(str(err).split())
        raise ImageError(
            f'OpenCV cannot decode {raw.size} bytes of compressed image: {reason}'
        ) from err
    if bgr is None:
        raise _not_decodable(raw)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _not_decodable(raw: NDArray[np.uint8]) -> ImageError:
    return ImageError(
        f'{raw.size} bytes of compressed image cannot be decoded; they start with '
        f'{raw[:8].tobytes()!r}. Supported formats: JPEG and PNG.'
    )
