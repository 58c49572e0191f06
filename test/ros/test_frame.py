"""The path of a frame publishes correct results and copies no array on the way."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import Ros, wait_for
from model_factory import expected_depth, expected_labels, model_info
from rclpy.lifecycle import LifecycleNode
from ros_tools import FRAME, camera_info, image_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hydranet_ros.errors import ImageError
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.outputs import OUTPUTS, Output
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.ros import frame as module
from hydranet_ros.ros.camera_info import CameraInfoState
from hydranet_ros.ros.conversions import fill_image, image_to_rgb, message_class
from hydranet_ros.ros.frame import FramePath
from hydranet_ros.ros.publishers import Publishers

WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
STAGES = {'decode', 'engine', 'labels', 'depth', 'rays', 'cloud', 'message', 'publish', 'total'}


class Fixture:
    """A frame path with the publishers of an active node and a known camera."""

    def __init__(self, ros: Ros, model) -> None:
        self.node = ros.add(LifecycleNode('path', context=ros.context))
        self.node.trigger_configure()
        self.perception = Perception(Engine(model))
        self.outputs = Publishers(self.node, model_info(), self.perception.available)
        self.node.trigger_activate()
        self.warnings: list[str] = []
        self.camera = CameraInfoState(self.warnings.append)
        self.camera.update(camera_info(), rectified=False)
        self.path = FramePath(self.perception, self.outputs, self.camera)

    def run(self, message, wanted=WANTED, encoding='32FC1', **options) -> dict[str, float]:
        return self.path.run(
            message, wanted, info_topic='/info', depth_encoding=encoding, **options
        )


@pytest.fixture
def path(ros, tiny_model) -> Fixture:
    return Fixture(ros, tiny_model)


def bgr(message: Image) -> Image:
    """Return the same image as bgr8, which must be converted."""
    pixels = np.ascontiguousarray(image_to_rgb(message)[..., ::-1])
    return fill_image(Image(), pixels, 'bgr8', message.header)


def collect(ros, path, *outputs):
    received = {
        output: ros.collect(
            message_class(OUTPUTS[output].message_type), f'/path/{OUTPUTS[output].name}'
        )
        for output in outputs
    }
    wait_for(lambda: path.outputs.wanted() == set(outputs), what='all subscribers')
    return received


def test_published_messages_are_in_the_buffers_of_the_results(path):
    """From the engine's output to the message there is one piece of memory."""
    path.run(image_message(1))
    held = {output: path.outputs._messages[output].data for output in WANTED}
    pool = path.perception.engine._pool
    assert held[Output.MASK] is backing_array(pool.get('labels', (48, 64), np.uint8))
    assert held[Output.DEPTH] is backing_array(pool.get('depth', (48, 64), np.float32))
    path.run(image_message(2))
    for output, data in held.items():
        assert path.outputs._messages[output].data is data


def test_published_messages_are_the_predictions_for_the_image(ros, path):
    received = collect(ros, path, *WANTED)
    message = image_message(3)
    image = image_to_rgb(message)
    path.run(message, path.outputs.wanted())
    wait_for(lambda: all(received.values()), what='all messages')
    mask, depth, cloud = (
        received[output][0] for output in (Output.MASK, Output.DEPTH, Output.POINTS)
    )
    labels = np.frombuffer(mask.data, np.uint8).reshape(48, 64)
    np.testing.assert_array_equal(labels, expected_labels(image))
    meters = np.frombuffer(depth.data, np.float32).reshape(48, 64)
    known = labels != 0
    np.testing.assert_allclose(meters[known], expected_depth(image)[known], rtol=1e-6)
    assert np.isnan(meters[~known]).all()
    points = np.frombuffer(cloud.data, np.float32).reshape(48, 64, 4)
    np.testing.assert_array_equal(points[..., 2], meters)
    assert {item.header.frame_id for item in (mask, depth, cloud)} == {FRAME}


def test_the_depth_encoding_is_that_of_the_caller(ros, path):
    received = collect(ros, path, Output.DEPTH)
    path.run(image_message(1), encoding='16UC1')
    wait_for(lambda: received[Output.DEPTH])
    assert received[Output.DEPTH][0].encoding == '16UC1'


def test_the_depth_camera_info_is_published_with_the_depth(ros, path):
    infos = ros.collect(CameraInfo, '/path/depth/camera_info')
    wait_for(path.outputs._depth_info.get_subscription_count)
    path.run(image_message(5, frame='other'))
    path.run(image_message(6))
    wait_for(lambda: infos)
    assert [item.header.stamp.sec for item in infos] == [6], 'frame 5 is of another camera'


def test_every_stage_has_a_time_and_they_add_up(path):
    path.run(image_message(1))
    stages = path.run(image_message(2))
    assert set(stages) == STAGES
    assert all(value >= 0 for value in stages.values())
    total = stages.pop('total')
    assert 0 < sum(stages.values()) <= total


def test_decoding_and_total_are_measured_in_milliseconds(path, monkeypatch):
    """The clock is read before and after decoding, and at the end."""
    clock = iter([10.0, 10.25, 12.0])
    monkeypatch.setattr(module, 'time', SimpleNamespace(perf_counter=lambda: next(clock)))
    stages = path.run(image_message(1))
    assert (stages['decode'], stages['total']) == (250.0, 2000.0)


def test_drawn_images_have_a_stage_of_their_own(path):
    assert set(path.run(image_message(1), frozenset({Output.OVERLAY}))) == {
        'decode', 'engine', 'labels', 'color', 'message', 'publish', 'total',
    }  # fmt: skip


@pytest.mark.parametrize(
    ('output', 'warned'),
    [(Output.POINTS, True), (Output.DEPTH, True), (Output.MASK, False), (Output.OVERLAY, False)],
)
def test_a_missing_camera_info_is_a_warning_if_an_output_needs_it(path, output, warned):
    path.camera.reset()
    for second in range(3):
        path.run(image_message(second), frozenset({output}))
    assert len(path.warnings) == warned
    assert all('No camera info on /info' in line for line in path.warnings)


def test_a_converted_image_uses_the_memory_of_the_previous_one(path):
    first = path.path._decode(bgr(image_message(1)))
    np.testing.assert_array_equal(first, image_to_rgb(image_message(1)))
    assert path.path._decode(bgr(image_message(2))) is first


def test_an_image_of_another_size_gets_its_own_memory(path):
    path.path._decode(bgr(image_message(1)))
    small = path.path._decode(bgr(image_message(3, (20, 30))))
    assert small.shape == (20, 30, 3)


def test_a_view_of_a_message_is_not_overwritten_by_the_next_image(path):
    view = path.path._decode(image_message(4))
    path.path._decode(bgr(image_message(5)))
    np.testing.assert_array_equal(view, image_to_rgb(image_message(4)))


def test_a_compressed_image_is_decoded(path):
    pixels = image_to_rgb(image_message(1))
    data = cv2.imencode('.png', np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()
    message = CompressedImage(header=image_message(1).header, format='png', data=data)
    np.testing.assert_array_equal(path.path._decode(message), pixels)


def test_an_image_above_max_pixels_is_refused(path):
    path.run(image_message(1), max_pixels=48 * 64)
    with pytest.raises(ImageError, match='max_pixels allows 3071'):
        path.run(image_message(1), max_pixels=48 * 64 - 1)


def test_a_size_that_the_data_do_not_fill_is_refused_before_memory_is_allocated(path):
    message = image_message(1)
    message.height = message.width = 2**31
    with pytest.raises(ImageError):
        path.run(message)
