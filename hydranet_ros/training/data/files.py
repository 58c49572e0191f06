"""Read the files of data sets; every error names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, MissingDependencyError
from hydranet_ros.images import header

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
_PNG_HEAD, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND'
_JPEG_HEAD, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
# Decoders pad truncated images, and the padding would be class 0.
_TAIL = 4096


def read_image(path: Path) -> NDArray[np.uint8]:
    """
    Read an image, (H, W, 3) uint8 RGB.

    :raises DatasetError: if the file is missing, truncated or not an image.
    """
    return cv2.cvtColor(_decoded(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_ids(path: Path) -> NDArray:
    """
    Read an image of stored class ids, (H, W) uint8 or uint16.

    :raises DatasetError: if the file is missing, not an image, or has more than one channel.
    """
    ids = _decoded(path, cv2.IMREAD_UNCHANGED)
    if ids.ndim != 2 or ids.dtype not in (np.uint8, np.uint16):
        raise DatasetError(
            f'{path} is {ids.dtype} with shape {ids.shape}; expected one channel of 8-bit or '
            '16-bit class ids, not a palette or color PNG.'
        )
    return ids


def read_uint16(path: Path) -> NDArray[np.uint16]:
    """
    Read a stored depth or disparity image, (H, W) uint16.

    :raises DatasetError: if the file is missing, not an image, or of another type.
    """
    depth = _decoded(path, cv2.IMREAD_UNCHANGED)
    if depth.dtype != np.uint16 or depth.ndim != 2:
        raise DatasetError(
            f'{path} is {depth.dtype} with shape {depth.shape}; expected one channel of uint16. '
            'An 8-bit or color image of depth has no metric values.'
        )
    return depth


def read_normals(path: Path) -> NDArray[np.float32]:
    """
    Read normals, (H, W, 3) float32 unit vectors (x right, y down, z forward), 0 unknown.

    The file is RGB with (x + 1) / 2, (z + 1) / 2, (1 - y) / 2, as in the authors' data; medium
    gray is unknown.

    :raises DatasetError: if the file is missing, not an image, or not 8-bit with three channels.
    """
    raw = _decoded(path, cv2.IMREAD_UNCHANGED)
    if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[2] != 3:
        raise DatasetError(
            f'{path} is {raw.dtype} with shape {raw.shape}; expected normals as 8-bit RGB.'
        )
    blue, green, red = (raw[..., index].astype(np.float32) / 127.5 - 1 for index in range(3))
    normals = np.stack([red, -blue, green], -1)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 0.5, normals / np.maximum(length, 1e-6), 0).astype(np.float32)


def image_size(path: Path) -> tuple[int, int]:
    """
    Return (height, width) of an image, for PNG and JPEG without decoding the pixels.

    :raises DatasetError: if the file is missing, truncated or not an image.
    """
    found = header.image_size(_bytes(path))
    return (found[1], found[0]) if found else read_image(path).shape[:2]


def read_json(path: Path) -> Any:
    """
    Read a JSON file.

    :raises DatasetError: if it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as err:
        raise DatasetError(f'{path} is missing.') from err
    except (OSError, ValueError) as err:
        raise DatasetError(f'{path} is not valid JSON: {err}') from err


def read_lines(path: Path) -> list[str]:
    """
    Return the lines of a text file that are neither empty nor comments (``#``).

    :raises DatasetError: if it is missing, not text, or has no such line.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except FileNotFoundError as err:
        raise DatasetError(f'{path} is missing.') from err
    except (OSError, UnicodeDecodeError) as err:
        raise DatasetError(f'{path} cannot be read as text: {err}') from err
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith('#')]
    if not found:
        raise DatasetError(f'{path} is empty; expected one entry per line.')
    return found


def read_mat(path: Path, key: str) -> NDArray:
    """
    Read an array of a MATLAB file older than v7.3, flattened.

    :raises DatasetError: if the file is missing or damaged, or does not have the array.
    :raises MissingDependencyError: if scipy is not installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError as err:
        raise MissingDependencyError(
            f'Reading {path} needs scipy: pip install "hydranet_ros[train]"'
        ) from err
    if not path.is_file():
        raise DatasetError(f'{path} is missing; expected a MATLAB file with the array {key}.')
    try:
        return np.asarray(loadmat(str(path))[key]).ravel()
    except Exception as err:  # scipy raises many unrelated types for damaged files
        raise DatasetError(f'{path} has no array {key} ({err!r}).') from err


def listed(folder: Path, *patterns: str) -> list[Path]:
    """
    Return the files of a folder that match any of the patterns, sorted.

    :raises DatasetError: if the folder is missing or no file matches.
    """
    if not folder.is_dir():
        raise DatasetError(f'{folder} is missing; expected a folder with {" or ".join(patterns)}.')
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if not found:
        raise DatasetError(f'{folder} has no {" or ".join(patterns)}.')
    return found


def same_size(size: tuple[int, int], annotation: NDArray | None, path: object) -> None:
    """
    Check that an annotation has the size of its image.

    :param size: (height, width) of the image.
    :raises DatasetError: naming ``path`` and both sizes.
    """
    if annotation is not None and annotation.shape[:2] != tuple(size):
        raise DatasetError(
            f'{path}: the image is {tuple(size)}, its annotation is {annotation.shape[:2]}; '
            'both must have the same (height, width).'
        )


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as err:
        raise DatasetError(f'{path} is missing.') from err
    except OSError as err:
        raise DatasetError(f'{path} cannot be read: {err}') from err
    for head, end in ((_PNG_HEAD, _PNG_END), (_JPEG_HEAD, _JPEG_END)):
        if data.startswith(head) and end not in data[-_TAIL:]:
            raise DatasetError(f'{path} is truncated ({len(data)} bytes); copy or write it again.')
    return data


def _decoded(path: Path, flag: int) -> NDArray:
    data = _bytes(path)
    array = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
    if array is None:
        raise DatasetError(f'{path} cannot be decoded as an image ({len(data)} bytes).')
    return array
