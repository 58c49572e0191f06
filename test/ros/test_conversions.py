"""Messages carry arrays unchanged, and without a copy where the memory allows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('sensor_msgs', reason='sensor_msgs is not installed (extra: ros)')

from ros_tools import camera, header, picture
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from hydranet_ros.camera.conventions import camera_from_info
from hydranet_ros.errors import CameraError, ImageError
from hydranet_ros.inference.buffers import allocate
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud
from hydranet_ros.ros.conversions import (
    fill_cloud,
    fill_image,
    image_to_rgb,
    message_data,
    scaled_camera_info,
)


@given(height=st.integers(1, 20), width=st.integers(1, 20), padding=st.integers(0, 9))
def test_an_image_survives_the_round_trip_with_any_row_padding(height, width, padding):
    pixels = np.random.default_rng(height * 100 + width).integers(
        0, 256, (height, width, 3), np.uint8
    )
    message = fill_image(Image(), pixels, 'rgb8', header(1))
    rows = np.zeros((height, width * 3 + padding), np.uint8)
    rows[:, : width * 3] = pixels.reshape(height, -1)
    message.step += padding
    message.data = message_data(rows)
    np.testing.assert_array_equal(image_to_rgb(message), pixels)


@settings(max_examples=200)
@given(
    encoding=st.sampled_from(['rgb8', 'mono8', 'bgra8', 'bayer_rggb8', 'yuv422', 'rgb16', 'x']),
    height=st.integers(0, 6), width=st.integers(0, 6), step=st.integers(0, 60),
    size=st.integers(0, 300), big=st.booleans(),
)  # fmt: skip
def test_any_image_message_is_a_right_answer_or_an_image_error(
    encoding, height, width, step, size, big
):
    message = Image(
        encoding=encoding, height=height, width=width, step=step, is_bigendian=int(big)
    )
    message.data = message_data(np.zeros(size, np.uint8))
    try:
        rgb = image_to_rgb(message)
    except ImageError as err:
        assert len(str(err)) > 20
    else:
        assert rgb.shape == (height, width, 3) and rgb.dtype == np.uint8


def test_a_result_that_lives_in_a_buffer_is_handed_over_without_a_copy():
    values = allocate((4, 5), np.float32)
    data = message_data(values)
    values[2, 3] = 7.5
    assert np.frombuffer(data, np.float32).reshape(4, 5)[2, 3] == 7.5
    message = fill_image(Image(), values, '32FC1', header(1))
    assert (message.height, message.width, message.step) == (4, 5, 20)
    assert bytes(message.data) == values.tobytes()


def test_any_other_array_is_copied():
    values = np.arange(12, dtype=np.uint16).reshape(3, 4)[:, ::2]
    message = fill_image(Image(), values, '16UC1', header(1))
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint16).reshape(3, 2), values)


def test_a_cloud_has_the_fields_that_rviz_reads():
    data = allocate((2, 3), POINT_DTYPE)
    data['x'], data['r'], data['g'], data['b'], data['label'] = 1.5, 10, 20, 30, 4
    message = fill_cloud(PointCloud2(), PointCloud(data), header(1))
    assert [(f.name, f.offset) for f in message.fields] == [
        ('x', 0), ('y', 4), ('z', 8), ('rgb', 12), ('label', 15),
    ]  # fmt: skip
    assert (message.height, message.width, message.point_step, message.row_step) == (2, 3, 16, 48)
    assert not message.is_dense
    words = np.frombuffer(message.data, np.uint32).reshape(2, 3, 4)
    assert words[1, 2, 3] == (4 << 24) + (10 << 16) + (20 << 8) + 30


def test_camera_info_is_scaled_in_x_and_y_separately():
    source = camera(size=(48, 64), focal=100.0)
    made = scaled_camera_info(source, 24, 16, header(3))
    assert (made.height, made.width) == (24, 16)
    assert list(made.k) == [25.0, 0.0, 8.0, 0.0, 50.0, 12.0, 0.0, 0.0, 1.0]
    assert [made.p[0], made.p[2], made.p[5], made.p[6]] == [25.0, 8.0, 50.0, 12.0]
    assert list(source.k)[0] == 100.0


def test_an_unscaled_camera_info_is_equal():
    source = camera()
    assert scaled_camera_info(source, 48, 64, source.header) == source


def image_geometry_matrices(info: CameraInfo) -> tuple[np.ndarray, np.ndarray]:
    """Return K and P as image_geometry's PinholeCameraModel::fromCameraInfo adjusts them."""
    k = np.array(info.k, float).reshape(3, 3)
    p = np.array(info.p, float).reshape(3, 4)
    if info.roi.x_offset or info.roi.y_offset:
        k[0, 2] -= info.roi.x_offset
        k[1, 2] -= info.roi.y_offset
        p[0, 2] -= info.roi.x_offset
        p[1, 2] -= info.roi.y_offset
    if info.binning_x > 1:
        for entry in ((k, 0, 0), (k, 0, 2), (p, 0, 0), (p, 0, 2), (p, 0, 3)):
            entry[0][entry[1:]] /= info.binning_x
    if info.binning_y > 1:
        for entry in ((k, 1, 1), (k, 1, 2), (p, 1, 1), (p, 1, 2), (p, 1, 3)):
            entry[0][entry[1:]] /= info.binning_y
    return k, p


def binned_camera(binning: tuple[int, int], roi: tuple[int, int, int, int]) -> CameraInfo:
    """Return a camera of 1280x960 pixels with fx 1000, a stereo baseline, binning and ROI."""
    info = camera(size=(960, 1280), focal=1000.0)
    info.k[4], info.k[2], info.k[5] = 1010.0, 633.5, 471.25
    info.p = [980.0, 0.0, 630.0, -120.0, 0.0, 990.0, 470.0, 30.0, 0.0, 0.0, 1.0, 0.0]
    info.binning_x, info.binning_y = binning
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = roi
    info.roi.do_rectify = any(roi)
    return info


@pytest.mark.parametrize('binning', [(0, 0), (1, 1), (2, 2), (3, 3), (2, 1), (1, 3)])
@pytest.mark.parametrize('roi', [(0, 0, 0, 0), (100, 40, 600, 480), (7, 0, 601, 485)])
def test_every_reader_of_the_scaled_info_gets_the_camera_of_the_actual_image(binning, roi):
    source = binned_camera(binning, roi)
    width = (roi[2] or 1280) // max(1, binning[0])
    height = (roi[3] or 960) // max(1, binning[1])
    made = scaled_camera_info(source, height, width, header(1))
    k, p = image_geometry_matrices(source)
    for made_k, made_p in (image_geometry_matrices(made), (made.k, made.p)):
        np.testing.assert_allclose(np.ravel(made_k), k.ravel(), rtol=1e-12)
        np.testing.assert_allclose(np.ravel(made_p), p.ravel(), rtol=1e-12)
    assert (made.width, made.height) == (width, height)
    assert (made.binning_x, made.binning_y) == (0, 0)
    assert made.roi == CameraInfo().roi


def test_a_binned_camera_is_scaled_once():
    made = scaled_camera_info(binned_camera((2, 2), (0, 0, 0, 0)), 480, 640, header(1))
    assert image_geometry_matrices(made)[0][0, 0] == 500.0


@pytest.mark.parametrize('binning', [(1, 1), (2, 2), (2, 3)])
def test_the_scaled_info_is_the_camera_that_the_cloud_uses(binning):
    source = binned_camera(binning, (100, 40, 600, 480))
    own = camera_from_info(source)
    made = camera_from_info(scaled_camera_info(source, own.height, own.width, header(1)))
    assert (made.width, made.height) == (own.width, own.height)
    np.testing.assert_allclose(made.k, own.k, rtol=1e-12)


def test_a_raw_image_above_the_limit_is_refused_before_it_is_converted():
    message = picture(1, size=(48, 64))
    assert image_to_rgb(message, max_pixels=48 * 64).shape == (48, 64, 3)
    for encoding in ('rgb8', 'rainbow9'):
        message.encoding = encoding
        with pytest.raises(ImageError, match='64x48 = 3072 pixels; max_pixels allows 3071'):
            image_to_rgb(message, max_pixels=3071)


def test_a_rectified_image_is_described_by_p_without_distortion():
    info = camera(focal=100.0)
    info.d = [0.2, 0.0, 0.0, 0.0, 0.0]
    info.p[0] = 80.0
    assert camera_from_info(info).distortion == (0.2, 0.0, 0.0, 0.0, 0.0)
    rectified = camera_from_info(info, rectified=True)
    assert (rectified.fx, rectified.distortion) == (80.0, ())


@pytest.mark.parametrize('k', [[0.0] * 9, [float('nan')] * 9])
def test_an_uncalibrated_camera_is_refused(k):
    with pytest.raises(CameraError):
        camera_from_info(CameraInfo(width=64, height=48, k=k))


def test_an_unknown_encoding_names_the_supported_ones():
    message = picture(1)
    message.encoding = 'rainbow9'
    with pytest.raises(ImageError, match='rgb8, bgr8|cv_bridge'):
        image_to_rgb(message)
