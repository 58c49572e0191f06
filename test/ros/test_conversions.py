"""Messages and arrays convert into each other unchanged, without a copy where possible."""

from __future__ import annotations

import sys
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('sensor_msgs', reason='sensor_msgs is not installed (extra: ros)')

from model_factory import model_info
from ros_tools import camera_info, header, image_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header, String

from hydranet_ros.camera.conventions import camera_from_info
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import ImageError, MissingDependencyError
from hydranet_ros.inference.buffers import allocate
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud
from hydranet_ros.ros.conversions import (
    camera_info_message,
    empty_message,
    fill_cloud,
    fill_image,
    image_to_rgb,
    label_info,
    message_class,
    message_data,
    require_message_class,
    scaled_camera_info,
)

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


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
def test_any_image_message_is_converted_or_raises_an_image_error(
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


@pytest.mark.parametrize('big', [False, True])
def test_the_byte_order_of_a_message_is_respected(big):
    values = np.full((2, 3), 0x1234, '>u2' if big else '<u2')
    message = fill_image(Image(), values, 'mono16', header(1))
    message.is_bigendian = int(big)
    assert (image_to_rgb(message) == 0x12).all()


def test_a_converted_image_uses_the_given_array():
    out = np.zeros_like(PIXELS)
    message = fill_image(Image(), PIXELS[..., ::-1], 'bgr8', header(1))
    assert image_to_rgb(message, out) is out
    np.testing.assert_array_equal(out, PIXELS)


def test_a_compressed_image_is_decoded():
    data = cv2.imencode('.png', PIXELS[..., ::-1])[1].tobytes()
    message = CompressedImage(format='png', data=array('B', data))
    np.testing.assert_array_equal(image_to_rgb(message), PIXELS)
    with pytest.raises(ImageError, match='6x4 = 24 pixels; max_pixels allows 23'):
        image_to_rgb(message, max_pixels=23)


def test_an_image_above_the_limit_is_refused_before_it_is_converted():
    message = image_message(1, size=(48, 64))
    assert image_to_rgb(message, max_pixels=48 * 64).shape == (48, 64, 3)
    for encoding in ('rgb8', 'rainbow9'):
        message.encoding = encoding
        with pytest.raises(ImageError, match='64x48 = 3072 pixels; max_pixels allows 3071'):
            image_to_rgb(message, max_pixels=3071)


CV_BRIDGE = """
import numpy as np

class CvBridgeError(TypeError):
    pass

class CvBridge:
    def imgmsg_to_cv2(self, message, encoding):
        if message.encoding == 'bad':
            raise CvBridgeError('no conversion')
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        return {'rgb8': rows[..., ::-1]}[encoding]
"""


@pytest.fixture
def cv_bridge(tmp_path, monkeypatch):
    """Install a cv_bridge that converts by reversing the channels."""
    (tmp_path / 'cv_bridge.py').write_text(CV_BRIDGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop('cv_bridge', None)


def test_an_unsupported_encoding_is_converted_by_cv_bridge(cv_bridge):
    message = fill_image(Image(), PIXELS, 'rainbow9', header(1))
    rgb = image_to_rgb(message)
    np.testing.assert_array_equal(rgb, PIXELS[..., ::-1])
    assert rgb.flags.c_contiguous


def test_an_error_of_cv_bridge_is_an_image_error(cv_bridge):
    message = fill_image(Image(), PIXELS, 'bad', header(1))
    with pytest.raises(ImageError, match="cv_bridge cannot convert 'bad' to rgb8: no conversion"):
        image_to_rgb(message)


def test_without_cv_bridge_an_unsupported_encoding_names_the_supported_ones(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    message = fill_image(Image(), PIXELS, 'rainbow9', header(1))
    with pytest.raises(ImageError, match="'rainbow9' is not supported; supported: .*rgb8, bgr8"):
        image_to_rgb(message)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('std_msgs/msg/String', String),
        ('sensor_msgs/msg/Image', Image),
        ('std_msgs/msg/Missing', None),
        ('missing_msgs/msg/String', None),
        ('std_msgs/msg/__name__', None),
        ('std_msgs/String', None),
        ('std_msgs/srv/String', None),
        ('../msg/String', None),
        ('std_msgs/msg/', None),
        ('/msg/String', None),
        ('', None),
    ],
)
def test_a_message_class_is_found_by_its_type_name(name, expected):
    assert message_class(name) is expected


def test_a_required_message_class_that_is_not_installed_is_an_error():
    assert require_message_class('std_msgs/msg/String') is String
    with pytest.raises(MissingDependencyError) as caught:
        require_message_class('missing_msgs/msg/String')
    assert str(caught.value) == (
        'The message package missing_msgs is not installed; install it with the extra ros, or '
        'source a ROS 2 installation.'
    )


@pytest.mark.parametrize('kind', [Image, PointCloud2])
def test_an_empty_message_keeps_an_array_without_a_copy(kind):
    """A copy of a cloud takes as long as computing it."""
    store = array('B', bytes(64))
    message = empty_message(kind)
    message.data = store
    assert message.data is store


@pytest.mark.parametrize('error', [AssertionError, TypeError])
def test_an_empty_message_of_earlier_releases_has_no_option(error):
    class Earlier:
        def __init__(self, **options):
            if options:
                raise error

    assert isinstance(empty_message(Earlier), Earlier)


def test_a_result_in_a_buffer_is_passed_on_without_a_copy():
    values = allocate((4, 5), np.float32)
    data = message_data(values)
    values[2, 3] = 7.5
    assert np.frombuffer(data, np.float32).reshape(4, 5)[2, 3] == 7.5


def test_any_other_array_is_copied():
    values = np.arange(12, dtype=np.uint16).reshape(3, 4)[:, ::2]
    data = message_data(values)
    np.testing.assert_array_equal(np.frombuffer(data, np.uint16).reshape(3, 2), values)


@pytest.mark.parametrize(
    ('shape', 'dtype', 'step'), [((4, 5), np.float32, 20), ((4, 5, 3), np.uint8, 15)]
)
def test_a_filled_image_describes_its_array(shape, dtype, step):
    values = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    given = header(7)
    message = Image(is_bigendian=1)
    assert fill_image(message, values, 'any', given) is message
    assert message.header is given
    assert (message.height, message.width, message.step) == (4, 5, step)
    assert (message.encoding, message.is_bigendian) == ('any', 0)
    assert bytes(message.data) == values.tobytes()


def test_a_filled_cloud_has_the_fields_that_rviz_reads():
    data = allocate((2, 3), POINT_DTYPE)
    data['x'], data['r'], data['g'], data['b'], data['label'] = 1.5, 10, 20, 30, 4
    given = header(7)
    message = PointCloud2(is_bigendian=True, is_dense=True)
    assert fill_cloud(message, PointCloud(data), given) is message
    float32, uint8 = PointField.FLOAT32, PointField.UINT8
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [
        ('x', 0, float32, 1), ('y', 4, float32, 1), ('z', 8, float32, 1), ('rgb', 12, float32, 1),
        ('label', 15, uint8, 1),
    ]  # fmt: skip
    assert message.header is given
    assert (message.height, message.width, message.point_step, message.row_step) == (2, 3, 16, 48)
    assert (message.is_dense, message.is_bigendian) == (False, False)
    words = np.frombuffer(message.data, np.uint32).reshape(2, 3, 4)
    assert words[1, 2, 3] == (4 << 24) + (10 << 16) + (20 << 8) + 30


def test_the_fields_of_a_reused_cloud_message_stay():
    message = PointCloud2(fields=[PointField(name='own')])
    fill_cloud(message, PointCloud(allocate((1, 1), POINT_DTYPE)), header(1))
    assert [item.name for item in message.fields] == ['own']


def test_a_camera_model_survives_the_round_trip_as_camera_info():
    camera = CameraModel(
        64, 48, 100.0, 110.0, 31.5, 23.5, 'rational_polynomial', (0.1,) + (0.0,) * 7
    )
    given = header(7)
    message = camera_info_message(camera, given)
    assert message.header is given
    assert camera_from_info(message) == camera
    rectified = camera_from_info(message, rectified=True)
    assert (rectified.fx, rectified.fy, rectified.cx, rectified.cy) == (100.0, 110.0, 31.5, 23.5)
    assert list(message.r) == np.eye(3).ravel().tolist()
    assert list(message.p)[3::4] == [0.0, 0.0, 0.0] and list(message.p)[8:] == [0, 0, 1, 0]


def test_a_camera_without_distortion_is_a_plumb_bob_with_zeros():
    message = camera_info_message(CameraModel(64, 48, 100.0, 100.0, 32.0, 24.0), header(1))
    assert (message.distortion_model, list(message.d)) == ('plumb_bob', [0.0] * 5)


def test_a_camera_info_is_scaled_in_x_and_y_separately():
    source = camera_info(size=(48, 64), focal=100.0)
    given = header(3)
    made = scaled_camera_info(source, 24, 16, given)
    assert made.header is given
    assert (made.height, made.width) == (24, 16)
    assert list(made.k) == [25.0, 0.0, 8.0, 0.0, 50.0, 12.0, 0.0, 0.0, 1.0]
    assert list(made.p) == [25.0, 0.0, 8.0, 0.0, 0.0, 50.0, 12.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert list(source.k)[0] == 100.0, 'the source is unchanged'


def test_a_camera_info_of_the_same_size_is_unchanged():
    source = camera_info()
    source.d = [0.1, 0.2, 0.3, 0.4, 0.5]
    source.r = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    source.distortion_model = 'rational_polynomial'
    assert scaled_camera_info(source, 48, 64, source.header) == source


def test_the_camera_info_of_an_uncalibrated_camera_stays_zero():
    source = CameraInfo(width=64, height=48)
    source.roi.x_offset, source.roi.width, source.roi.height = 10, 32, 24
    made = scaled_camera_info(source, 12, 16, header(1))
    assert not any(made.k) and not any(made.p)


def image_geometry_matrices(info: CameraInfo) -> tuple[np.ndarray, np.ndarray]:
    """Return K and P as image_geometry's PinholeCameraModel::fromCameraInfo adjusts them."""
    k = np.array(info.k, float).reshape(3, 3)
    p = np.array(info.p, float).reshape(3, 4)
    if info.roi.x_offset or info.roi.y_offset:
        for matrix in (k, p):
            matrix[:2, 2] -= info.roi.x_offset, info.roi.y_offset
    for row, binning in enumerate((info.binning_x, info.binning_y)):
        if binning > 1:
            for matrix in (k, p):
                matrix[row] /= binning
    return k, p


def binned_camera_info(binning: tuple[int, int], roi: tuple[int, int, int, int]) -> CameraInfo:
    """Return a camera of 1280x960 pixels with fx 1000, a stereo baseline, binning and ROI."""
    info = camera_info(size=(960, 1280), focal=1000.0)
    info.k[4], info.k[2], info.k[5] = 1010.0, 633.5, 471.25
    info.p = [980.0, 0.0, 630.0, -120.0, 0.0, 990.0, 470.0, 30.0, 0.0, 0.0, 1.0, 0.0]
    info.binning_x, info.binning_y = binning
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = roi
    info.roi.do_rectify = any(roi)
    return info


@pytest.mark.parametrize('binning', [(0, 0), (1, 1), (2, 2), (3, 3), (2, 1), (1, 3)])
@pytest.mark.parametrize('roi', [(0, 0, 0, 0), (100, 40, 600, 480), (7, 0, 601, 485)])
def test_every_reader_of_a_scaled_info_gets_the_camera_of_the_actual_image(binning, roi):
    source = binned_camera_info(binning, roi)
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
    made = scaled_camera_info(binned_camera_info((2, 2), (0, 0, 0, 0)), 480, 640, header(1))
    assert image_geometry_matrices(made)[0][0, 0] == 500.0


@pytest.mark.parametrize('roi', [(100, 40, 600, 0), (100, 40, 0, 480)])
def test_a_roi_without_width_or_height_is_ignored(roi):
    whole = scaled_camera_info(binned_camera_info((1, 1), (0, 0, 0, 0)), 96, 128, header(1))
    assert scaled_camera_info(binned_camera_info((1, 1), roi), 96, 128, header(1)) == whole


@pytest.mark.parametrize('binning', [(1, 1), (2, 2), (2, 3)])
def test_a_scaled_info_is_the_camera_that_the_cloud_uses(binning):
    source = binned_camera_info(binning, (100, 40, 600, 480))
    own = camera_from_info(source)
    made = camera_from_info(scaled_camera_info(source, own.height, own.width, header(1)))
    assert (made.width, made.height) == (own.width, own.height)
    np.testing.assert_allclose(made.k, own.k, rtol=1e-12)


def test_a_camera_info_of_a_size_of_zero_does_not_divide_by_zero():
    source = camera_info()
    source.width = source.height = 0
    made = scaled_camera_info(source, 48, 64, header(1))
    assert list(made.k)[:1] == [6400.0]


VISION_MSGS = """
from types import SimpleNamespace as VisionClass
from types import SimpleNamespace as LabelInfo
"""


@pytest.fixture
def vision_msgs(tmp_path, monkeypatch):
    """Install classes with the fields of vision_msgs, which comes with ROS 2 only."""
    (tmp_path / 'vision_msgs').mkdir()
    (tmp_path / 'vision_msgs' / '__init__.py').touch()
    (tmp_path / 'vision_msgs' / 'msg.py').write_text(VISION_MSGS)
    for name in ('vision_msgs', 'vision_msgs.msg'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ('vision_msgs', 'vision_msgs.msg'):
        sys.modules.pop(name, None)


def test_label_info_lists_the_classes_of_the_model(vision_msgs):
    given = Header(frame_id='x')
    message = label_info(model_info(), given)
    assert message.header is given
    assert [(item.class_id, item.class_name) for item in message.class_map] == [
        (0, 'sky'), (1, 'building'), (2, 'road'),
    ]  # fmt: skip
    assert message.threshold == 0.0


def test_without_vision_msgs_there_is_no_label_info(monkeypatch):
    monkeypatch.setitem(sys.modules, 'vision_msgs', None)
    assert label_info(model_info(), Header()) is None


def test_a_required_message_class_is_returned_or_its_package_is_named():
    assert require_message_class('sensor_msgs/msg/Image') is Image
    with pytest.raises(MissingDependencyError, match='message package no_such_msgs is not'):
        require_message_class('no_such_msgs/msg/Thing')
