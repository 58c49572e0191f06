"""The recorder keeps the images of every frame and writes every n-th frame to a bag."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from ros_tools import camera_info, header
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from hydranet_ros.bags.reader import BagReader
from hydranet_ros.errors import BagError
from hydranet_ros.perception.outputs import OUTPUTS, Output
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud
from hydranet_ros.ros.conversions import fill_cloud, fill_image, message_class
from hydranet_ros.ros.recorder import RECORDED, FrameImages, Recorder
from hydranet_ros.ros.stamps import nanoseconds

IMAGE_TOPIC = '/camera/image/compressed'
SIZE = (4, 6)


def pixels(value: int, channels: int = 3) -> np.ndarray:
    return np.full((*SIZE, channels) if channels > 1 else SIZE, value, np.uint8)


def output_message(output: Output, second: int):
    """Return a message of an output whose values are the second."""
    if output is Output.POINTS:
        cloud = np.zeros(SIZE, POINT_DTYPE)
        cloud['x'] = second
        return fill_cloud(PointCloud2(), PointCloud(cloud), header(second))
    spec = OUTPUTS[output]
    values = pixels(second, 3 if spec.encoding == 'rgb8' else 1)
    if spec.encoding == '32FC1':
        values = values.astype(np.float32)
    return fill_image(Image(), values, spec.encoding, header(second))


def stamp(second: int) -> int:
    return nanoseconds(header(second).stamp)


class Fixture:
    """A recorder, and publishers of the node and the camera in the same process."""

    def __init__(self, domain: int, bag: Path, every: int) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node('recorder', context=self.context)
        self.recorder = Recorder(self.node, IMAGE_TOPIC, bag, every=every)
        self.publishers: dict[str, object] = {}
        self.written: list[str] = []
        write = self.recorder._bag.write

        def count(topic, *arguments) -> None:
            write(topic, *arguments)
            self.written.append(topic)

        self.recorder._bag.write = count

    def publish(self, topic: str, message) -> None:
        if topic not in self.publishers:
            self.publishers[topic] = self.node.create_publisher(type(message), topic, 10)
            self.spin_until(self.publishers[topic].get_subscription_count)
        self.publishers[topic].publish(message)

    def publish_output(self, output: Output, second: int) -> None:
        self.publish(OUTPUTS[output].full_name, output_message(output, second))

    def spin_until(self, condition: Callable[[], object]) -> None:
        until = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < until, 'not within 60 s'
            self.recorder.spin(0.02)

    def close(self) -> None:
        self.recorder.close()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def fixture(domain_id, tmp_path):
    made = Fixture(domain_id, tmp_path / 'bag', every=2)
    yield made
    made.close()


def test_what_is_recorded_are_the_outputs_of_the_demo():
    assert RECORDED == (
        Output.MASK, Output.OVERLAY, Output.DEPTH, Output.DEPTH_COLOR, Output.POINTS,
    )  # fmt: skip


def test_every_frame_keeps_its_images_and_every_second_its_cloud(fixture):
    for second in (5, 6, 7):
        for output in RECORDED:
            fixture.publish_output(output, second)
    frames = fixture.recorder.frames
    fixture.spin_until(lambda: fixture.recorder.complete == 3)
    fixture.spin_until(lambda: frames[stamp(7)].cloud is not None)
    assert sorted(frames) == [stamp(5), stamp(6), stamp(7)]
    for second in (5, 6, 7):
        frame = frames[stamp(second)]
        np.testing.assert_array_equal(frame.overlay, pixels(second))
        np.testing.assert_array_equal(frame.depth, pixels(second))
    assert frames[stamp(6)].cloud is None
    for second in (5, 7):
        cloud = frames[stamp(second)].cloud
        assert cloud.shape == SIZE and (cloud['x'] == second).all()


def test_the_bag_has_all_outputs_of_every_second_frame_and_every_image(fixture, tmp_path):
    topics = {OUTPUTS[output].full_name for output in RECORDED}
    for second in (5, 6, 7):
        for output in RECORDED:
            fixture.publish_output(output, second)
        fixture.publish('/hydranet/depth/camera_info', camera_info(second))
        fixture.publish(IMAGE_TOPIC, CompressedImage(header=header(second), format='jpeg'))
    fixture.spin_until(lambda: len(fixture.written) == 2 * len(topics) + 6)
    fixture.recorder.close()
    found: dict[str, list[int]] = {}
    with BagReader(tmp_path / 'bag') as reader:
        for message in reader.messages():
            value = deserialize_message(message.data, message_class(message.message_type))
            second = value.header.stamp.sec
            assert message.timestamp == stamp(second)
            found.setdefault(message.topic, []).append(second)
    assert {topic: sorted(seconds) for topic, seconds in found.items()} == {
        **{topic: [5, 7] for topic in topics},
        '/hydranet/depth/camera_info': [5, 6, 7],
        IMAGE_TOPIC: [5, 6, 7],
    }


def test_only_outputs_set_the_time_of_the_last_one(fixture):
    fixture.publish(IMAGE_TOPIC, CompressedImage(header=header(1)))
    fixture.spin_until(lambda: fixture.written)
    assert fixture.recorder.last_received == 0.0
    before = time.monotonic()
    fixture.publish_output(Output.MASK, 1)
    fixture.spin_until(lambda: fixture.recorder.last_received)
    assert before <= fixture.recorder.last_received <= time.monotonic()


def test_timing_is_collected_by_stage_and_counts_are_the_newest(fixture):
    for number, time_ms in ((1, '1.5'), (2, '2.5')):
        values = [KeyValue(key='decode_ms', value=time_ms), KeyValue(key='age_ms', value='9.0'),
                  KeyValue(key='frames_in', value=str(number))]  # fmt: skip
        fixture.publish('/hydranet/timing', DiagnosticStatus(values=values))
    fixture.spin_until(lambda: fixture.recorder.counts.get('frames_in') == 2)
    assert fixture.recorder.stages == {'decode': [1.5, 2.5], 'age': [9.0, 9.0]}
    assert fixture.recorder.counts == {'frames_in': 2}


def test_an_error_of_the_bag_is_logged_once_and_the_images_are_still_kept(fixture, log):
    def fail(*arguments, **options):
        raise BagError('The disk is full.')

    fixture.recorder._bag.write = fail
    for second in (1, 2, 3):
        fixture.publish_output(Output.OVERLAY, second)
        fixture.publish_output(Output.DEPTH_COLOR, second)
    fixture.spin_until(lambda: fixture.recorder.complete == 3)
    assert str(fixture.recorder.bag_error) == 'The disk is full.'
    assert log().count('The disk is full.') == 1


def test_a_frame_is_complete_with_overlay_and_depth():
    frame = FrameImages()
    assert not frame.complete
    frame.take(Output.OVERLAY, output_message(Output.OVERLAY, 1))
    assert not frame.complete
    frame.take(Output.DEPTH_COLOR, output_message(Output.DEPTH_COLOR, 2))
    assert frame.complete
    assert not FrameImages(depth=pixels(1)).complete


@pytest.mark.parametrize('output', [Output.MASK, Output.DEPTH])
def test_outputs_that_are_not_shown_are_ignored(output):
    frame = FrameImages()
    frame.take(output, output_message(output, 1))
    assert frame == FrameImages()


def test_queues_hold_messages_until_the_recorder_spins(fixture):
    depths = {item.topic_name: item.qos_profile.depth for item in fixture.node.subscriptions}
    expected = dict.fromkeys((OUTPUTS[output].full_name for output in RECORDED), 20)
    expected |= {'/hydranet/depth/camera_info': 20, IMAGE_TOPIC: 20, '/hydranet/timing': 50}
    assert expected.items() <= depths.items()


def test_by_default_every_sixth_frame_is_kept(domain_id, tmp_path):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain_id)
    node = Node('recorder', context=context)
    assert Recorder(node, IMAGE_TOPIC, tmp_path / 'bag')._every == 6
    node.destroy_node()
    context.shutdown()


def test_spinning_takes_about_the_given_time(fixture):
    begin = time.monotonic()
    fixture.recorder.spin(0.3)
    assert time.monotonic() - begin >= 0.3


def test_a_message_is_kept_as_it_was_received(fixture, tmp_path):
    message = output_message(Output.MASK, 5)
    fixture.publish('/hydranet/segmentation/mask', message)
    fixture.spin_until(lambda: fixture.written)
    fixture.recorder.close()
    with BagReader(tmp_path / 'bag') as reader:
        (stored,) = reader.messages()
    assert deserialize_message(stored.data, Image) == message
