"""ROS conventions for cameras: camera info, sibling topics and depth encodings."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hydranet_ros.camera.conventions import (
    DEPTH_ENCODINGS,
    OPTICAL_FRAME,
    camera_from_info,
    camera_info_topic,
    depth_to_millimeters,
)
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import CameraError
from hydranet_ros.inference.buffers import allocate, backing_array


@pytest.mark.parametrize(
    ('image', 'info'),
    [
        ('/front/image_raw', '/front/camera_info'),
        ('/front/image_raw/compressed', '/front/camera_info'),
        ('/image', '/camera_info'),
        ('camera/image', 'camera/camera_info'),
        ('/compressed/image', '/compressed/camera_info'),
        ('/a/b/image_rect/compressed', '/a/b/camera_info'),
    ],
)
def test_camera_info_is_the_sibling_of_the_image(image, info):
    assert camera_info_topic(image) == info


def test_millimeters_round_half_to_even_and_are_0_where_unknown_or_too_far():
    edges = np.array([0, 1e-4, 5e-4, 1.5e-3, 2.5e-3, 65.534, 65.5345, 65.535, 65.5354, 65.5355,
                      65.536, 1e9, np.inf, np.nan], np.float32)  # fmt: skip
    many = np.random.default_rng(0).uniform(0, 70, 5000).astype(np.float32)
    depth = np.concatenate([edges, many])[None]
    scaled = depth * np.float32(1000)
    want = np.rint(np.where(scaled < 65535.5, scaled, 0)).astype(np.uint16)
    np.testing.assert_array_equal(depth_to_millimeters(depth), want)


def test_millimeters_are_written_into_the_given_array():
    depth = np.full((3, 4), 1.5, np.float32)
    out, scratch = allocate((3, 4), np.uint16), allocate((3, 4), np.float32)
    got = depth_to_millimeters(depth, out, scratch)
    assert backing_array(got) is backing_array(out)
    assert (got == 1500).all() and (depth == 1.5).all()


def test_depth_is_meters_by_default_or_millimeters():
    assert DEPTH_ENCODINGS == ('32FC1', '16UC1')
    assert OPTICAL_FRAME == 'camera_optical'


def test_millimeters_need_no_given_array():
    depth = np.full((2, 3), 2.5, np.float32)
    got = depth_to_millimeters(depth)
    assert got.dtype == np.uint16 and got.shape == (2, 3)
    assert (got == 2500).all() and (depth == 2.5).all()


def camera_info(**changes) -> SimpleNamespace:
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    values = {
        'width': 640, 'height': 480, 'distortion_model': 'plumb_bob', 'd': (0.2, 0, 0, 0, 0),
        'k': (500.0, 0, 320.0, 0, 510.0, 240.0, 0, 0, 1), 'roi': roi,
        'p': (400.0, 0, 300.0, -7.0, 0, 410.0, 230.0, 0, 0, 0, 1, 0),
        'binning_x': 0, 'binning_y': 0,
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


def test_the_raw_image_is_described_by_k_and_d():
    assert camera_from_info(camera_info()) == CameraModel(
        640, 480, 500.0, 510.0, 320.0, 240.0, 'plumb_bob', (0.2, 0, 0, 0, 0)
    )


def test_the_rectified_image_is_described_by_p_without_distortion():
    model = camera_from_info(camera_info(), rectified=True)
    assert (model.fx, model.fy, model.cx, model.cy) == (400, 410, 300, 230)
    assert model.distortion == ()


@pytest.mark.parametrize('rectified', [False, True])
def test_binning_and_roi_apply(rectified: bool):
    roi = SimpleNamespace(x_offset=100, y_offset=40, width=400, height=300)
    info = camera_info(roi=roi, binning_x=2, binning_y=3)
    model = camera_from_info(info, rectified=rectified)
    assert (model.width, model.height) == (200, 100)
    fx, fy, cx, cy = (400, 410, 300, 230) if rectified else (500, 510, 320, 240)
    want = (fx / 2, fy / 3, (cx - 100) / 2, (cy - 40) / 3)
    assert (model.fx, model.fy, model.cx, model.cy) == pytest.approx(want)


def test_an_uncalibrated_camera_is_an_error():
    with pytest.raises(CameraError, match='not calibrated'):
        camera_from_info(camera_info(k=(0.0,) * 9))
    with pytest.raises(CameraError, match='not calibrated'):
        camera_from_info(camera_info(p=(0.0,) * 12), rectified=True)
