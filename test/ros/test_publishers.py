"""The publishers send what is wanted, with the image's header and the documented encodings."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import Ros, wait_for
from model_factory import model_info
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_tools import camera_info, header
from sensor_msgs.msg import CameraInfo

from hydranet_ros.perception.outputs import DEPTH_CAMERA_INFO, OUTPUTS, Output, available
from hydranet_ros.perception.pipeline import PerceptionResult
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud
from hydranet_ros.ros import publishers as module
from hydranet_ros.ros.conversions import message_class
from hydranet_ros.ros.publishers import QUEUE_DEPTH, Publishers

ALL = frozenset(OUTPUTS)
SIZE = (4, 6)
VALUES = {
    Output.MASK: np.full(SIZE, 2, np.uint8),
    Output.COLOR: np.full((*SIZE, 3), 3, np.uint8),
    Output.OVERLAY: np.full((*SIZE, 3), 4, np.uint8),
    Output.CONFIDENCE: np.full(SIZE, 5, np.uint8),
    Output.DEPTH: np.full(SIZE, 6.0, np.float32),
    Output.DEPTH_COLOR: np.full((*SIZE, 3), 7, np.uint8),
    Output.NORMALS: np.full((*SIZE, 3), 0.5, np.float32),
    Output.POINTS: PointCloud(np.zeros(SIZE, POINT_DTYPE)),
}
RESULT = PerceptionResult(VALUES)


class Fixture:
    """Publishers of an active node, and what its subscribers have received."""

    def __init__(self, ros: Ros, outputs: frozenset[Output], **parameters) -> None:
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.ros = ros
        self.node = ros.add(
            LifecycleNode('hydranet', context=ros.context, parameter_overrides=overrides)
        )
        self.node.trigger_configure()
        self.publishers = Publishers(self.node, model_info(), outputs)
        self.node.trigger_activate()

    def collect(self, *outputs: Output) -> dict[Output, list]:
        received = {
            output: self.ros.collect(
                message_class(OUTPUTS[output].message_type), f'/hydranet/{OUTPUTS[output].name}'
            )
            for output in outputs
        }
        wait_for(lambda: self.publishers.wanted() == set(outputs), what='all subscribers')
        return received

    def collect_info(self) -> list:
        received = self.ros.collect(CameraInfo, f'/hydranet/{DEPTH_CAMERA_INFO.name}')
        info = self.publishers._depth_info
        wait_for(info.get_subscription_count, what='the subscriber of the camera info')
        return received

    def publish(self, second: int, wanted=ALL, result=RESULT, source=None, encoding='32FC1'):
        return self.publishers.publish(
            result, wanted, header(second), source, depth_encoding=encoding
        )


@pytest.fixture
def every(ros) -> Fixture:
    """Return publishers of a model that has every output."""
    return Fixture(ros, ALL)


def topics(ros) -> set[str]:
    return {name for name, _ in ros.client.get_publisher_names_and_types_by_node('hydranet', '/')}


def test_a_model_has_the_topics_of_its_outputs(ros):
    outputs = available(frozenset({'labels', 'depth'}))
    Fixture(ros, outputs)
    expected = {f'/hydranet/{OUTPUTS[output].name}' for output in outputs}
    wait_for(lambda: expected <= topics(ros))
    others = {f'/hydranet/{OUTPUTS[output].name}' for output in ALL - outputs}
    assert not others & topics(ros)
    assert '/hydranet/depth/camera_info' in topics(ros)


def test_a_model_without_depth_has_no_depth_camera_info(ros):
    Fixture(ros, frozenset({Output.MASK}))
    wait_for(lambda: '/hydranet/segmentation/mask' in topics(ros))
    assert '/hydranet/depth/camera_info' not in topics(ros)


def test_every_output_arrives_with_header_encoding_and_bytes(every):
    received = every.collect(*ALL)
    every.publish(7)
    for output, messages in received.items():
        wait_for(lambda item=messages: item, what=output.value)
        (message,) = messages
        assert message.header == header(7)
        assert (message.height, message.width) == SIZE
        if output is Output.POINTS:
            assert bytes(message.data) == VALUES[output].data.tobytes()
        else:
            assert message.encoding == OUTPUTS[output].encoding
            assert bytes(message.data) == VALUES[output].tobytes()


def test_only_the_wanted_outputs_of_the_result_are_published(every):
    received = every.collect(Output.MASK, Output.COLOR, Output.DEPTH)
    every.publish(1, wanted=frozenset({Output.MASK}))
    every.publish(2, result=PerceptionResult({Output.DEPTH: VALUES[Output.DEPTH]}))
    every.publish(3)
    wait_for(
        lambda: all(messages and seconds(messages)[-1] == 3 for messages in received.values())
    )
    assert {output: seconds(messages) for output, messages in received.items()} == {
        Output.MASK: [1, 3], Output.COLOR: [3], Output.DEPTH: [2, 3],
    }  # fmt: skip


def seconds(messages: list) -> list[int]:
    return [message.header.stamp.sec for message in messages]


def test_wanted_are_the_outputs_with_a_subscriber(every):
    assert every.publishers.wanted() == frozenset()
    every.collect(Output.MASK, Output.POINTS)
    assert every.publishers.wanted() == {Output.MASK, Output.POINTS}


def test_depth_in_millimeters_has_zero_for_unknown(every):
    received = every.collect(Output.DEPTH)
    depth = np.array([[1.2344, np.nan, 0.0006], [65.535, 65.6, 9.0]], np.float32)
    every.publish(1, result=PerceptionResult({Output.DEPTH: depth}), encoding='16UC1')
    wait_for(lambda: received[Output.DEPTH])
    (message,) = received[Output.DEPTH]
    assert (message.encoding, message.step) == ('16UC1', 6)
    values = np.frombuffer(message.data, np.uint16)
    assert values.tolist() == [1234, 0, 1, 65535, 0, 9000]
    assert np.isnan(depth[0, 1]), 'the result is unchanged'


def test_only_depth_is_converted_to_millimeters(every):
    received = every.collect(Output.MASK, Output.NORMALS)
    every.publish(1, encoding='16UC1')
    wait_for(lambda: all(received.values()))
    assert received[Output.MASK][0].encoding == 'mono8'
    assert received[Output.NORMALS][0].encoding == '32FC3'


def test_the_depth_camera_info_has_the_header_and_the_size_of_the_depth(every):
    received = every.collect_info()
    every.publish(7, source=camera_info(size=(8, 12), focal=100.0))
    wait_for(lambda: received)
    (message,) = received
    assert message.header == header(7)
    assert (message.height, message.width, message.k[0]) == (4, 6, 50.0)


def test_there_is_no_depth_camera_info_without_a_camera_or_without_depth(every):
    received = every.collect_info()
    every.publish(1)
    every.publish(2, result=PerceptionResult({}), source=camera_info())
    every.publish(3, source=camera_info())
    wait_for(lambda: received)
    assert seconds(received) == [3]


def test_the_times_of_filling_and_publishing_are_in_milliseconds(every):
    every.collect(Output.MASK)
    before = time.perf_counter()
    times = every.publish(1)
    elapsed = 1e3 * (time.perf_counter() - before)
    assert set(times) == {'message', 'publish'}
    assert times['message'] > 0 and times['publish'] > 0
    assert 1e-3 < sum(times.values()) <= elapsed


def test_the_times_of_several_outputs_add_up(every, monkeypatch):
    """Each output reads the clock three times: before, between and after the two steps."""
    clock = iter([10.0, 10.25, 11.0, 20.0, 20.5, 22.0])
    monkeypatch.setattr(module, 'time', SimpleNamespace(perf_counter=lambda: next(clock)))
    times = every.publish(1, wanted=frozenset({Output.MASK, Output.DEPTH}))
    assert times == {'message': 750.0, 'publish': 2250.0}


def test_nothing_wanted_takes_no_time(every):
    assert every.publish(1, wanted=frozenset()) == {'message': 0.0, 'publish': 0.0}


def qos(ros, topic: str):
    wait_for(lambda: ros.client.get_publishers_info_by_topic(topic))
    (info,) = ros.client.get_publishers_info_by_topic(topic)
    return info.qos_profile


def test_outputs_are_reliable_and_not_latched(ros, every):
    profile = qos(ros, '/hydranet/points')
    assert profile.reliability == ReliabilityPolicy.RELIABLE
    assert profile.durability == DurabilityPolicy.VOLATILE
    assert every.publishers._publishers[Output.POINTS].qos_profile.depth == QUEUE_DEPTH == 2


def test_a_qos_override_changes_only_its_topic(ros):
    override = {'qos_overrides./hydranet/points.publisher.reliability': 'best_effort'}
    Fixture(ros, ALL, **override)
    assert qos(ros, '/hydranet/points').reliability == ReliabilityPolicy.BEST_EFFORT
    assert qos(ros, '/hydranet/depth/image').reliability == ReliabilityPolicy.RELIABLE
    assert qos(ros, '/hydranet/depth/camera_info').reliability == ReliabilityPolicy.RELIABLE


def test_without_vision_msgs_the_log_names_the_missing_topic(ros, monkeypatch, log):
    monkeypatch.setitem(sys.modules, 'vision_msgs', None)
    made = Fixture(ros, ALL)
    line = 'vision_msgs is not installed; ~/segmentation/label_info is not published.'
    wait_for(lambda: line in log(), what='the line in the log')
    made.publishers.publish_latched()
    ros.run(made.publishers.destroy)


def test_late_subscribers_receive_the_label_info(every):
    vision_msgs = pytest.importorskip('vision_msgs.msg', reason='vision_msgs comes with ROS 2')
    from rclpy.qos import QoSProfile

    every.publishers.publish_latched()
    profile = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    topic = '/hydranet/segmentation/label_info'
    received = every.ros.collect(vision_msgs.LabelInfo, topic, profile)
    wait_for(lambda: received)
    assert [item.class_name for item in received[0].class_map] == ['sky', 'building', 'road']


def test_destroyed_publishers_leave_no_topic(ros, every):
    outputs = [f'/hydranet/{OUTPUTS[output].name}' for output in ALL]
    outputs.append('/hydranet/depth/camera_info')

    def left() -> list[str]:
        return [name for name in outputs if ros.client.count_publishers(name)]

    wait_for(left, what='a topic')
    ros.run(every.publishers.destroy)
    wait_for(lambda: not left(), what=lambda: f'no topic; left: {left()}')
