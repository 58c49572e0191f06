"""Write small data sets for the tests and open them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.reader import Reader
from hydranet_ros.training.data.source import DataSource

SIZE = (40, 60)  # height, width
FX, CX, CY = 50.0, 30.0, 17.0
BASELINE = 0.06
# From the Velodyne frame (x forward, y left, z up) to the camera (x right, y down, z forward).
AXES = np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], float)
SHIFT = np.array([0.0, -0.1, -0.25])
LABEL_IDS = np.tile(np.array([0, 7, 8, 11, 12, 21, 22, 23, 26, 27, 28, 33], np.uint8), (4, 1))


def opened(kind: str, root: Path, **options: object) -> Reader:
    """Open a data set of a kind in a folder."""
    return open_dataset(DataSource(kind, str(root), **options))  # type: ignore[arg-type]


def write(path: Path, array: np.ndarray) -> None:
    """Write an image and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), array)


def write_image(path: Path, size: tuple[int, int] = SIZE) -> None:
    """Write a black RGB image of (height, width)."""
    write(path, np.zeros((*size, 3), np.uint8))


def calibration_row(name: str, values: np.ndarray) -> str:
    """Return a line of a KITTI calibration file."""
    return f'{name}: ' + ' '.join(f'{value:e}' for value in np.ravel(values))


def rectified(focal: float, shift: float) -> np.ndarray:
    """Return P_rect of a camera that is ``shift`` meters to the right of camera 0."""
    return np.array([[focal, 0, CX, -focal * shift], [0, focal, CY, 0], [0, 0, 1, 0.0]])


def write_calibration(folder: Path) -> None:
    """Write the calibration files of a day of KITTI."""
    folder.mkdir(parents=True, exist_ok=True)
    cameras = [
        'calib_time: 09-Jan-2012 13:57:47',
        calibration_row('R_rect_00', np.eye(3)),
        calibration_row('P_rect_00', rectified(FX, 0)),
        calibration_row('P_rect_02', rectified(FX, -BASELINE)),
        calibration_row('P_rect_03', rectified(FX + 1, 0.47)),
    ]
    (folder / 'calib_cam_to_cam.txt').write_text('\n'.join(cameras) + '\n')
    velodyne = [
        'calib_time: 15-Mar-2012 11:37:16', calibration_row('R', AXES),
        calibration_row('T', SHIFT),
    ]  # fmt: skip
    (folder / 'calib_velo_to_cam.txt').write_text('\n'.join(velodyne) + '\n')
