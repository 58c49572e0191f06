"""Messages of a bag as arrays, and arrays as messages."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bag_tools import image, info, make_header, make_message

from hydranet_ros.bags.messages import (
    cloud_message,
    deserialize,
    image_message,
    image_to_rgb,
    stamp_of,
    typestore,
)
from hydranet_ros.bags.reader import BagMessage
from hydranet_ros.errors import BagError, ImageError
from hydranet_ros.perception.point_cloud import POINT_DTYPE

STORE = typestore()
TYPES = STORE.types
HEADER = make_header(TYPES, 3)
IMAGE = 'sensor_msgs/msg/Image'
LIMIT = 10**6


def stored(data: bytes, message_type: str = IMAGE) -> BagMessage:
    connection = SimpleNamespace(topic='/cam/image', msgtype=message_type)
    return BagMessage(connection, 0, data)


def test_a_message_is_deserialized():
    message = make_message(TYPES, image(4))
    data = bytes(STORE.serialize_cdr(message, IMAGE))
    found = deserialize(STORE, stored(data), [IMAGE])
    assert (found.height, found.width, stamp_of(found)) == (6, 8, (4, 7))


def test_another_type_is_an_error_that_lists_the_allowed_ones():
    with pytest.raises(BagError, match='/cam/image has the type std_msgs/msg/String; .* a, b'):
        deserialize(STORE, stored(b'', 'std_msgs/msg/String'), ['a', 'b'])


@pytest.mark.parametrize('data', [b'', b'\0\1\0\0', bytes(40)])
def test_damaged_data_are_one_error_with_their_length(data: bytes):
    with pytest.raises(BagError, match=f'^{len(data)} bytes cannot be decoded as {IMAGE}'):
        deserialize(STORE, stored(data), [IMAGE])


@pytest.mark.parametrize('big', [0, 1])
def test_a_raw_image_is_converted_with_its_step_and_byte_order(big: int):
    values = (np.arange(12).reshape(3, 4) * 257).astype('>u2' if big else '<u2')
    rows = np.hstack([values.view(np.uint8), np.zeros((3, 2), np.uint8)])
    message = TYPES[IMAGE](
        header=HEADER, height=3, width=4, encoding='mono16', is_bigendian=big, step=10,
        data=rows.ravel(),
    )  # fmt: skip
    got = image_to_rgb(message, max_pixels=LIMIT)
    np.testing.assert_array_equal(got, np.arange(12).reshape(3, 4, 1).repeat(3, 2))


def test_a_compressed_image_is_decoded():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    data = cv2.imencode('.png', pixels[..., ::-1])[1]
    message = TYPES['sensor_msgs/msg/CompressedImage'](header=HEADER, format='png', data=data)
    np.testing.assert_array_equal(image_to_rgb(message, max_pixels=LIMIT), pixels)
    with pytest.raises(ImageError, match='7x5 = 35 pixels; max_pixels allows 34'):
        image_to_rgb(message, max_pixels=34)


def test_a_raw_image_above_the_limit_is_an_error():
    message = make_message(TYPES, image(0))
    assert image_to_rgb(message, max_pixels=48).shape == (6, 8, 3)
    with pytest.raises(ImageError, match='max_pixels allows 47'):
        image_to_rgb(message, max_pixels=47)


@pytest.mark.parametrize(
    ('values', 'encoding', 'step'),
    [
        (np.arange(12, dtype=np.uint8).reshape(3, 4), 'mono8', 4),
        (np.arange(12, dtype=np.float32).reshape(3, 4), '32FC1', 16),
        (np.arange(36, dtype=np.uint8).reshape(3, 4, 3), 'rgb8', 12),
    ],
)
def test_an_image_message_has_size_encoding_step_and_data(values, encoding: str, step: int):
    message = image_message(STORE, values, encoding, HEADER)
    assert (message.height, message.width, message.step) == (3, 4, step)
    assert (message.encoding, message.is_bigendian) == (encoding, 0)
    assert message.header is HEADER
    assert message.data.tobytes() == values.tobytes()
    data = bytes(STORE.serialize_cdr(message, IMAGE))
    assert STORE.deserialize_cdr(data, IMAGE).data.tobytes() == values.tobytes()


def test_a_cloud_message_has_the_layout_of_the_points():
    points = np.zeros((2, 3), POINT_DTYPE)
    points['x'], points['z'], points['r'], points['label'] = 1.5, np.nan, 200, 4
    message = cloud_message(STORE, points, HEADER)
    assert (message.height, message.width) == (2, 3)
    assert (message.point_step, message.row_step) == (16, 48)
    assert (message.is_bigendian, message.is_dense) == (False, False)
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [
        ('x', 0, 7, 1), ('y', 4, 7, 1), ('z', 8, 7, 1), ('rgb', 12, 7, 1), ('label', 15, 2, 1),
    ]  # fmt: skip
    assert message.header is HEADER
    assert message.data.tobytes() == points.tobytes()
    STORE.serialize_cdr(message, 'sensor_msgs/msg/PointCloud2')


def test_the_stamp_is_seconds_and_nanoseconds():
    assert stamp_of(make_message(TYPES, info(12, 1.0))) == (12, 7)
