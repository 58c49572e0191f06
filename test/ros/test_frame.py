"""The node's way of a frame: what is published is right, and no array is copied on the way."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from model_factory import expected_depth, expected_labels, model_info
from rclpy.lifecycle import LifecycleNode
from ros_tools import FRAME, camera, picture
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.outputs import OUTPUTS
from hydranet_ros.perception.pipeline import Output, Perception
from hydranet_ros.ros.camera_info import CameraInfoState
from hydranet_ros.ros.conversions import empty_message, fill_image, image_to_rgb, message_class
from hydranet_ros.ros.frame import FramePath
from hydranet_ros.ros.publishers import Publishers

WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
STAGES = {'decode', 'engine', 'labels', 'depth', 'rays', 'cloud', 'message', 'publish', 'total'}


class Path:
    """A frame's path with an active node's publishers and a known camera."""

    def __init__(self, ros, model) -> None:
        node = ros.add(LifecycleNode('path', context=ros.context))
        node.trigger_configure()
        perception = Perception(Engine(model))
        self.outputs = Publishers(node, model_info(), perception.available)
        node.trigger_activate()
        self.camera = CameraInfoState(node.get_logger().warning)
        self.camera.update(camera(), rectified=False)
        self.path = FramePath(perception, self.outputs, self.camera)

    def run(self, message, wanted=WANTED) -> dict[str, float]:
        return self.path.run(message, wanted, info_topic='info', depth_encoding='32FC1')


@pytest.fixture
def path(ros, tiny_model) -> Path:
    return Path(ros, tiny_model)


def bgr(message: Image) -> Image:
    pixels = np.ascontiguousarray(image_to_rgb(message)[..., ::-1])
    return fill_image(Image(), pixels, 'bgr8', message.header)


@pytest.mark.parametrize('kind', [Image, PointCloud2])
def test_a_message_holds_the_array_it_was_given(kind):
    """A copy of a cloud costs as much as computing it."""
    store = array('B', bytes(64))
    message = empty_message(kind)
    message.data = store
    assert message.data is store


def test_what_is_published_lives_in_the_buffers_of_the_results(ros, path):
    """From the engine's output to the message there is one piece of memory."""
    path.run(picture(1))
    held = {output: path.outputs._messages[output].data for output in WANTED}
    engine = path.path.perception.engine
    assert held[Output.MASK] is backing_array(engine._pool.get('labels', (48, 64), np.uint8))
    assert held[Output.DEPTH] is backing_array(engine._pool.get('depth', (48, 64), np.float32))
    path.run(picture(2))
    for output, data in held.items():
        assert path.outputs._messages[output].data is data


def test_published_messages_are_what_the_network_says_of_that_picture(ros, path):
    heard = {
        output: ros.hear(message_class(OUTPUTS[output].message_type), f'/path/{OUTPUTS[output].name}')
        for output in WANTED
    }
    wait_for(lambda: path.outputs.wanted() == WANTED, what='all subscribers')
    message = picture(3)
    image = image_to_rgb(message)
    path.run(message, path.outputs.wanted())
    wait_for(lambda: all(heard.values()), what='all messages')
    mask, depth, cloud = (
        heard[output][0] for output in (Output.MASK, Output.DEPTH, Output.POINTS)
    )
    labels = np.frombuffer(mask.data, np.uint8).reshape(48, 64)
    np.testing.assert_array_equal(labels, expected_labels(image))
    metres = np.frombuffer(depth.data, np.float32).reshape(48, 64)
    known = labels != 0
    np.testing.assert_allclose(metres[known], expected_depth(image)[known], rtol=1e-6)
    assert np.isnan(metres[~known]).all()
    points = np.frombuffer(cloud.data, np.float32).reshape(48, 64, 4)
    np.testing.assert_array_equal(points[..., 2], metres)
    assert {item.header.frame_id for item in (mask, depth, cloud)} == {FRAME}


def test_every_stage_has_its_time_and_they_add_up(path):
    path.run(picture(1))
    stages = path.run(picture(2))
    assert set(stages) == STAGES
    assert all(value >= 0 for value in stages.values())
    total = stages.pop('total')
    assert 0 < sum(stages.values()) <= total


def test_pictures_have_a_stage_of_their_own(path):
    assert set(path.run(picture(1), frozenset({Output.OVERLAY}))) == {
        'decode', 'engine', 'labels', 'color', 'message', 'publish', 'total',
    }  # fmt: skip


def test_a_converted_image_goes_where_the_last_one_went(path):
    """And a picture of another size, or one that needs no conversion, harms nothing."""
    first = path.path._decode(bgr(picture(1)))
    np.testing.assert_array_equal(first, image_to_rgb(picture(1)))
    again = path.path._decode(bgr(picture(2)))
    assert again is first
    small = path.path._decode(bgr(picture(3, (20, 30))))
    assert small.shape == (20, 30, 3)
    message = picture(4)
    view = path.path._decode(message)
    path.path._decode(bgr(picture(5)))
    np.testing.assert_array_equal(view, image_to_rgb(picture(4)))


def test_a_compressed_image_takes_the_same_way(path):
    import cv2

    pixels = image_to_rgb(picture(1))
    data = cv2.imencode('.png', np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()
    message = CompressedImage(header=picture(1).header, format='png', data=data)
    np.testing.assert_array_equal(path.path._decode(message), pixels)


def test_a_publisher_that_lies_about_the_size_allocates_nothing(path):
    """The size is believed only when the data fit to it."""
    from hydranet_ros.errors import ImageError

    message = picture(1)
    message.height = message.width = 2**31
    with pytest.raises(ImageError):
        path.run(message)
