"""Read the camera calibration files of KITTI and Cityscapes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import files


def kitti_matrix(path: Path, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """
    Return an entry of a KITTI calibration file, such as ``P_rect_02``, with the given shape.

    :raises DatasetError: if the file or the entry is missing, or has another number of values.
    """
    if not path.is_file():
        raise DatasetError(f'{path} is missing; expected a calibration file of KITTI.')
    return _read_matrix(path, key, shape, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read_matrix(
    path: Path, key: str, shape: tuple[int, ...], changed: int
) -> NDArray[np.float64]:
    """Read an entry once for all frames of a day, and again if the file changes."""
    for line in files.read_lines(path):
        name, _, values = line.partition(':')
        if name == key:
            try:
                return np.array([float(value) for value in values.split()]).reshape(shape)
            except ValueError as err:
                raise DatasetError(
                    f'{path}: {key} is {values.strip()!r}; expected {np.prod(shape)} numbers.'
                ) from err
    raise DatasetError(f'{path} has no entry {key}.')


def velodyne_to_image(folder: Path, camera: str) -> NDArray[np.float64]:
    """
    Return the matrix (3, 4) from the Velodyne frame to the pixels of a rectified camera.

    It is ``P_rect · R_rect_00 · Tr_velo_to_cam`` (Geiger et al., IJRR 2013, equation 8). The
    third component of a projected point is its depth along the optical axis in meters.

    :param folder: folder of a day, with ``calib_cam_to_cam.txt`` and ``calib_velo_to_cam.txt``.
    :param camera: ``02`` (left color camera) or ``03`` (right).
    """
    cameras, velodyne = folder / 'calib_cam_to_cam.txt', folder / 'calib_velo_to_cam.txt'
    rectify, move = np.eye(4), np.eye(4)
    rectify[:3, :3] = kitti_matrix(cameras, 'R_rect_00', (3, 3))
    move[:3, :3] = kitti_matrix(velodyne, 'R', (3, 3))
    move[:3, 3] = kitti_matrix(velodyne, 'T', (3,))
    return kitti_matrix(cameras, f'P_rect_{camera}', (3, 4)) @ rectify @ move


class StereoCamera(NamedTuple):
    """``fx`` in pixels, ``baseline`` in meters."""

    fx: float
    baseline: float


def cityscapes_camera(path: Path) -> StereoCamera:
    """
    Read a camera file of Cityscapes.

    :raises DatasetError: if it is missing, damaged or has no positive numbers.
    """
    raw = files.read_json(path)
    try:
        camera = StereoCamera(float(raw['intrinsic']['fx']), float(raw['extrinsic']['baseline']))
    except (KeyError, TypeError, ValueError) as err:
        raise DatasetError(
            f'{path} is damaged ({err!r}); expected intrinsic.fx and extrinsic.baseline.'
        ) from err
    if not (camera.fx > 0 and camera.baseline > 0):
        raise DatasetError(f'{path}: {camera}; both must be positive.')
    return camera
