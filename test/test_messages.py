"""Messages carry arrays unchanged, and without a copy where the memory allows it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('sensor_msgs', reason='sensor_msgs is not installed (extra: ros)')

from ros_tools import camera, header, picture
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from hydranet_ros.buffers import allocate
from hydranet_ros.errors import CameraError, ImageError
from hydranet_ros.perception import CLOUD_DTYPE, Cloud
from hydranet_ros.ros.messages import (
    camera_from_info,
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
    data = allocate((2, 3), CLOUD_DTYPE)
    data['x'], data['r'], data['g'], data['b'], data['label'] = 1.5, 10, 20, 30, 4
    message = fill_cloud(PointCloud2(), Cloud(data), header(1))
    assert [(f.name, f.offset) for f in message.fields] == [
        ('x', 0), ('y', 4), ('z', 8), ('rgb', 12), ('label', 15),
    ]  # fmt: skip
    assert (message.height, message.width, message.point_step, message.row_step) == (2, 3, 16, 48)
    assert not message.is_dense
    words = np.frombuffer(message.data, np.uint32).reshape(2, 3, 4)
    assert words[1, 2, 3] == (4 << 24) + (10 << 16) + (20 << 8) + 30


def test_camera_info_is_scaled_in_x_and_y_separately():
    source = camera(size=(48, 64), focal=100.0)
    source.roi.x_offset, source.roi.y_offset, source.roi.width, source.roi.height = 0, 0, 64, 48
    made = scaled_camera_info(source, 24, 16, header(3))
    assert (made.height, made.width) == (24, 16)
    assert list(made.k) == [25.0, 0.0, 8.0, 0.0, 50.0, 12.0, 0.0, 0.0, 1.0]
    assert [made.p[0], made.p[2], made.p[5], made.p[6]] == [25.0, 8.0, 50.0, 12.0]
    assert (made.roi.width, made.roi.height) == (16, 24)
    assert list(source.k)[0] == 100.0


def test_an_unscaled_camera_info_is_equal():
    source = camera()
    assert scaled_camera_info(source, 48, 64, source.header) == source


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
