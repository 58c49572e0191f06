"""The node subscribes to the right topics with the right QoS."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from ros_tools import camera_info, header, image_message
from sensor_msgs.msg import CompressedImage, Image

from hydranet_ros.ros import subscriptions as module
from hydranet_ros.ros.subscriptions import HAS_MESSAGE_INFO, Subscriptions, input_qos

BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


@pytest.fixture
def subscribe(ros):
    """Return a function that makes subscriptions, and lists of what they receive."""
    made: list[Subscriptions] = []

    def subscribe(transport='raw', *, arguments=(), **parameters):
        images: list = []
        infos: list = []
        node = ros.add(Node(
            'n', context=ros.context, namespace='ns', cli_args=list(arguments),
            parameter_overrides=[Parameter(name, value=value)
                                 for name, value in parameters.items()],
        ))  # fmt: skip
        subscriptions = Subscriptions(
            node, transport, lambda message, number: images.append((message, number)),
            infos.append,
        )  # fmt: skip
        made.append(subscriptions)
        return subscriptions, images, infos

    yield subscribe
    for item in made:
        ros.run(item.destroy)


@pytest.mark.parametrize(
    ('transport', 'remappings', 'image', 'info'),
    [
        ('raw', [], '/ns/image', '/ns/camera_info'),
        ('raw', ['image:=/front/image_raw'], '/front/image_raw', '/front/camera_info'),
        ('raw', ['image:=cam/image', 'camera_info:=/info'], '/ns/cam/image', '/info'),
        ('raw', ['image/compressed:=/jpeg'], '/ns/image', '/ns/camera_info'),
        ('raw', ['camera_info:=zed_info'], '/ns/image', '/ns/zed_info'),
        ('compressed', [], '/ns/image/compressed', '/ns/camera_info'),
        ('compressed', ['image:=/front/rgb'], '/front/rgb/compressed', '/front/camera_info'),
        ('compressed', ['image/compressed:=/jpeg'], '/jpeg', '/ns/camera_info'),
        ('compressed', ['image/compressed:=zed'], '/ns/zed', '/ns/camera_info'),
    ],
)
def test_the_camera_info_is_the_sibling_of_the_remapped_image(
    subscribe, transport, remappings, image, info
):
    arguments = ['--ros-args'] + [part for item in remappings for part in ('-r', item)]
    subscriptions, _, _ = subscribe(transport, arguments=arguments)
    assert (subscriptions.image_topic, subscriptions.camera_info_topic) == (image, info)


@pytest.mark.parametrize(
    ('transport', 'topic', 'kind'),
    [('raw', '/ns/image', Image), ('compressed', '/ns/image/compressed', CompressedImage)],
)
def test_images_and_camera_infos_reach_their_callbacks(ros, subscribe, transport, topic, kind):
    _, images, infos = subscribe(transport)
    image_publisher = ros.client.create_publisher(kind, topic, 1)
    info_publisher = ros.client.create_publisher(type(camera_info()), '/ns/camera_info', 1)
    for publisher in (image_publisher, info_publisher):
        wait_for(publisher.get_subscription_count, what='the subscription')
    info_publisher.publish(camera_info(3))
    image_publisher.publish(kind(header=header(4)))
    wait_for(lambda: images and infos)
    assert infos == [camera_info(3)]
    ((message, number),) = images
    assert message.header == header(4)
    assert isinstance(message, kind)
    if HAS_MESSAGE_INFO:
        publisher, sequence = number
        assert publisher and sequence == 1


def test_without_message_info_every_image_is_processed_without_a_number(
    ros, subscribe, monkeypatch
):
    """As in Humble."""
    monkeypatch.setattr(module, 'HAS_MESSAGE_INFO', False)
    _, images, _ = subscribe()
    publisher = ros.client.create_publisher(Image, '/ns/image', 1)
    wait_for(publisher.get_subscription_count)
    publisher.publish(image_message(1))
    wait_for(lambda: images)
    assert images[0][1] is None


def test_an_input_keeps_the_newest_message_best_effort():
    profile = input_qos()
    assert profile.history == HistoryPolicy.KEEP_LAST
    assert (profile.depth, profile.reliability) == (1, BEST_EFFORT)
    assert input_qos() is not profile


def reliability_of(ros, topic: str) -> ReliabilityPolicy:
    wait_for(lambda: ros.client.get_subscriptions_info_by_topic(topic))
    (info,) = ros.client.get_subscriptions_info_by_topic(topic)
    return info.qos_profile.reliability


def test_a_qos_override_changes_only_its_topic(ros, subscribe):
    subscribe(**{'qos_overrides./ns/camera_info.subscription.reliability': 'reliable'})
    assert reliability_of(ros, '/ns/camera_info') == RELIABLE
    assert reliability_of(ros, '/ns/image') == BEST_EFFORT


def test_an_incompatible_publisher_is_named_in_the_log(ros, subscribe, log):
    subscribe(**{'qos_overrides./ns/image.subscription.reliability': 'reliable'})
    ros.client.create_publisher(Image, '/ns/image', QoSProfile(depth=1, reliability=BEST_EFFORT))
    line = (
        'A publisher of /ns/image offers an incompatible QoS (policy reliability); its messages '
        'are not received. Set qos_overrides./ns/image.subscription.* to match it.'
    )
    wait_for(lambda: line in log(), what='the line in the log')


@pytest.mark.parametrize(
    ('event', 'name'),
    [
        (SimpleNamespace(last_policy_kind=QoSPolicyKind.DURABILITY), 'durability'),
        (SimpleNamespace(last_policy_kind=int(QoSPolicyKind.RELIABILITY)), 'reliability'),
        (SimpleNamespace(last_policy_kind=123_456), 'unknown'),
        (SimpleNamespace(last_policy_kind=None), 'unknown'),
        (SimpleNamespace(), 'unknown'),
    ],
)
def test_the_policy_of_an_event_has_a_name(event, name):
    assert module._policy_name(event) == name


def test_destroyed_subscriptions_leave_no_topic(ros, subscribe):
    subscriptions, _, _ = subscribe()
    for topic in ('/ns/image', '/ns/camera_info'):
        wait_for(lambda t=topic: ros.client.count_subscribers(t) == 1)
    ros.run(subscriptions.destroy)
    for topic in ('/ns/image', '/ns/camera_info'):
        wait_for(lambda t=topic: ros.client.count_subscribers(t) == 0)
