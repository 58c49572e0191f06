"""Image files: list, read and write."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ImageError, MediaError
from hydranet_ros.files import write_atomically
from hydranet_ros.images.header import LARGEST_MAX_PIXELS, check_pixels, image_size

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')


def natural_order(path: Path) -> list[str | int]:
    """Return a sort key of a file name that puts frame-2 before frame-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', path.name)]


def list_images(folder: Path, pattern: str = '*') -> list[Path]:
    """
    List the images of a folder in natural order.

    :raises MediaError: if there are none.
    """
    found = [path for path in folder.glob(pattern) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise MediaError(
            f'{folder} has no image that matches {pattern!r}. Supported suffixes: '
            f'{", ".join(IMAGE_SUFFIXES)}.'
        )
    return sorted(found, key=natural_order)


def read_image(path: Path, *, max_pixels: int = LARGEST_MAX_PIXELS) -> NDArray[np.uint8]:
    """
    Read an image file as RGB, (H, W, 3) uint8; gray, alpha and 16 bits are converted.

    :param max_pixels: the largest width times height that is accepted. The size of a JPEG or
        PNG image is read from its header, before anything is decoded;
        OPENCV_IO_MAX_IMAGE_PIXELS limits the decoding of every format.
    :raises MediaError: if the file is missing, cannot be decoded, or has more than
        ``max_pixels`` pixels.
    """
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as err:
        raise MediaError(f'{path} cannot be read: {err.strerror or err}.') from err
    try:
        size = image_size(raw.data)
        if size is not None:
            check_pixels(*size, max_pixels)
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
        if image is not None:
            check_pixels(image.shape[1], image.shape[0], max_pixels)
    except ImageError as err:
        raise MediaError(f'{path}: {err}') from err
    except cv2.error as err:
        raise MediaError(_decoder_error(path, ' '.join(str(err).split()))) from err
    if image is None:
        raise MediaError(f'{path} ({raw.size} bytes) is not an image that OpenCV can decode.')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decoder_error(path: Path, reason: str) -> str:
    limit = os.environ.get('OPENCV_IO_MAX_IMAGE_PIXELS', '')
    if 'CV_IO_MAX_IMAGE' in reason:
        return (
            f"{path} exceeds OpenCV's limit of {limit} pixels. Resize the image, or set the "
            'environment variable OPENCV_IO_MAX_IMAGE_PIXELS.'
        )
    return f'OpenCV cannot decode {path}: {reason}'


def write_image(path: Path, image: NDArray) -> None:
    """
    Write an image in the format of the path's suffix.

    :param image: (H, W) or RGB (H, W, 3), uint8 or uint16.
    :raises MediaError: if it cannot be encoded or written.
    """
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        encoded, data = cv2.imencode(path.suffix, image)
    except cv2.error:  # an empty image, or an unknown suffix
        encoded = False
    if not encoded:
        raise MediaError(
            f'{path}: an image of shape {image.shape} and type {image.dtype} cannot be encoded '
            'in the format of this suffix.'
        )
    write_file(path, data.tobytes())


def write_file(path: Path, data: bytes) -> None:
    """
    Write a file atomically; see :func:`hydranet_ros.files.write_atomically`.

    :raises MediaError: if the disk is full or the folder is not writable.
    """
    try:
        write_atomically(path, data)
    except OSError as err:
        raise MediaError(f'{path} cannot be written: {err.strerror or err}.') from err
