"""Calibration files of KITTI and Cityscapes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from dataset_tools import AXES, BASELINE, FX, SHIFT, rectified, write_calibration

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.calibration import (
    cityscapes_camera,
    kitti_matrix,
    velodyne_to_image,
)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    write_calibration(tmp_path)
    return tmp_path


def test_an_entry_has_the_requested_shape(day: Path) -> None:
    path = day / 'calib_cam_to_cam.txt'
    np.testing.assert_allclose(kitti_matrix(path, 'P_rect_02', (3, 4)), rectified(FX, -BASELINE))
    assert kitti_matrix(path, 'R_rect_00', (9,)).shape == (9,)


def test_a_changed_file_is_read_again(day: Path) -> None:
    path = day / 'calib_cam_to_cam.txt'
    before = path.stat()
    assert kitti_matrix(path, 'P_rect_00', (3, 4))[0, 0] == FX
    path.write_text('P_rect_00: ' + ' '.join(['2'] * 12))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert kitti_matrix(path, 'P_rect_00', (3, 4))[0, 0] == 2


@pytest.mark.parametrize(
    ('key', 'shape', 'message'),
    [
        ('P_rect_09', (3, 4), r'calib_cam_to_cam\.txt has no entry P_rect_09'),
        ('P_rect_02', (3, 3), r'P_rect_02 is .*; expected 9 numbers'),
        ('calib_time', (1,), r'calib_time is .*; expected 1 numbers'),
    ],
)
def test_an_entry_that_is_missing_or_of_another_size_is_an_error(
    day: Path, key: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        kitti_matrix(day / 'calib_cam_to_cam.txt', key, shape)


def test_a_missing_calibration_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'calib\.txt is missing; expected a calibration file'):
        kitti_matrix(tmp_path / 'calib.txt', 'R', (3, 3))


def test_the_velodyne_matrix_projects_to_the_pixels_of_the_camera(day: Path) -> None:
    in_camera_0 = np.array([0.5, 0.2, 8.0])
    point = (in_camera_0 - SHIFT) @ AXES
    expected = rectified(FX, -BASELINE) @ [*in_camera_0, 1]
    found = velodyne_to_image(day, '02') @ [*point, 1]
    np.testing.assert_allclose(found, expected)
    assert found[2] == pytest.approx(8), 'the third component is the depth in meters'


def test_a_cityscapes_camera_has_a_focal_length_and_a_baseline(tmp_path: Path) -> None:
    path = tmp_path / 'camera.json'
    path.write_text(json.dumps({'intrinsic': {'fx': 2000}, 'extrinsic': {'baseline': 0.25}}))
    assert cityscapes_camera(path) == (2000.0, 0.25)


@pytest.mark.parametrize(
    ('fx', 'baseline', 'message'),
    [(None, 1, 'is damaged'), (0, 1, 'both must be positive'), (1, -1, 'both must be positive')],
)
def test_a_cityscapes_camera_with_invalid_values_is_an_error(
    tmp_path: Path, fx, baseline, message: str
) -> None:
    path = tmp_path / 'camera.json'
    path.write_text(json.dumps({'intrinsic': {'fx': fx}, 'extrinsic': {'baseline': baseline}}))
    with pytest.raises(DatasetError, match=rf'camera\.json.*{message}'):
        cityscapes_camera(path)
