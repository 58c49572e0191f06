"""The node's subscriptions to images and camera infos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hydranet_ros.camera import conventions
from hydranet_ros.ros.latest_image import LatestImage
from hydranet_ros.ros.message_info import MessageNumber, message_number, received_at

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# Humble's rclpy passes a callback only the message.
HAS_MESSAGE_INFO = hasattr(Subscription, 'CallbackType')


def input_qos() -> QoSProfile:
    """Return a new profile for an input; rclpy writes a topic's overrides into the object."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
    )


def image_topic(node: Node, transport: str) -> str:
    """
    Return the full name of the image topic.

    As in image_transport, a remapping of ``image`` also applies to ``image/compressed``, unless
    that topic is remapped itself.
    """
    base = node.resolve_topic_name('image')
    if transport == 'raw':
        return base
    own = node.resolve_topic_name('image/compressed')
    plain = node.resolve_topic_name('image/compressed', only_expand=True)
    return own if own != plain else f'{base}/compressed'


def camera_info_topic(node: Node) -> str:
    """Return the camera info topic: the remapped one, else the sibling of the image topic."""
    own = node.resolve_topic_name('camera_info')
    if own != node.resolve_topic_name('camera_info', only_expand=True):
        return own
    return conventions.camera_info_topic(node.resolve_topic_name('image'))


class Subscriptions:
    """
    Best-effort subscriptions that keep only the newest message.

    :param on_image: callback for an image message and, if the middleware reports it, its number.
    """

    def __init__(
        self, node: Node, transport: str,
        on_image: Callable[[Any, MessageNumber | None], None],
        on_camera_info: Callable[[CameraInfo], None],
    ) -> None:  # fmt: skip
        self._node = node
        self.image_topic = image_topic(node, transport)
        self.camera_info_topic = camera_info_topic(node)
        self._latest = LatestImage(node, on_image)
        kind = Image if transport == 'raw' else CompressedImage

        def with_info(message: Any, info: Any) -> None:
            self._latest.receive(message, message_number(info), received_at(info))

        def without_info(message: Any) -> None:
            on_image(message, None)

        # The executor serves them in this order, so an image finds the info that came with it.
        callback = with_info if HAS_MESSAGE_INFO else without_info
        self._subscriptions = [
            self._subscribe(CameraInfo, self.camera_info_topic, on_camera_info),
            self._subscribe(kind, self.image_topic, callback),
        ]

    def _subscribe(self, kind: type, topic: str, callback: Callable[..., None]) -> Any:
        def warn_of_incompatible_qos(event: Any) -> None:
            self._node.get_logger().warning(
                f'A publisher of {topic} offers an incompatible QoS (policy '
                f'{_policy_name(event)}); its messages are not received. Set '
                f'qos_overrides.{topic}.subscription.* to match it.'
            )

        return self._node.create_subscription(
            kind, topic, callback, input_qos(),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=warn_of_incompatible_qos),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )  # fmt: skip

    def destroy(self) -> None:
        """Destroy the subscriptions and discard a waiting image."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self._latest.destroy()


def _policy_name(event: Any) -> str:
    try:
        return QoSPolicyKind(int(event.last_policy_kind)).name.lower()
    except (AttributeError, TypeError, ValueError):
        return 'unknown'
