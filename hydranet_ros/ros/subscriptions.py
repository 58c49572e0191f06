"""The node's subscriptions: where images and camera infos come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hydranet_ros.camera import conventions
from hydranet_ros.ros.latest_image import Freshest

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# Humble's rclpy hands a callback the message alone.
HAS_MESSAGE_INFO = hasattr(Subscription, 'CallbackType')


def newest_only() -> QoSProfile:
    """Return the inputs' QoS; a new one each time, as rclpy writes a topic's overrides into it."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
    )


def image_topic(node: Node, transport: str) -> str:
    """
    Return the full name of the image's topic.

    A remapping of ``image`` carries over to ``image/compressed``, as with image_transport, unless
    that is remapped itself.
    """
    base = node.resolve_topic_name('image')
    if transport == 'raw':
        return base
    own = node.resolve_topic_name('image/compressed')
    plain = node.resolve_topic_name('image/compressed', only_expand=True)
    return own if own != plain else f'{base}/compressed'


def camera_info_topic(node: Node) -> str:
    """Return where the camera info is: as remapped, else the sibling of the image's topic."""
    own = node.resolve_topic_name('camera_info')
    if own != node.resolve_topic_name('camera_info', only_expand=True):
        return own
    return conventions.camera_info_topic(node.resolve_topic_name('image'))


class Inputs:
    """
    Subscriptions that keep the newest message only, best effort.

    :param on_image: called with the message and, where the middleware tells, the publisher and
        the number of the message, else ``None``.
    """

    def __init__(
        self, node: Node, transport: str,
        on_image: Callable[[Any, tuple[tuple, int] | None], None],
        on_camera_info: Callable[[CameraInfo], None],
    ) -> None:  # fmt: skip
        self._node = node
        self.image_topic = image_topic(node, transport)
        self.camera_info_topic = camera_info_topic(node)
        kind = Image if transport == 'raw' else CompressedImage

        freshest = self._freshest = Freshest(node, on_image)

        def with_info(message: Any, info: Any) -> None:
            freshest.hear(message, message_number(info), received_at(info))

        def alone(message: Any) -> None:
            on_image(message, None)

        callback = with_info if HAS_MESSAGE_INFO else alone
        # The executor serves them in this order: an image finds the info that came with it.
        self._subscriptions = [
            self._subscribe(CameraInfo, self.camera_info_topic, on_camera_info),
            self._subscribe(kind, self.image_topic, callback),
        ]

    def _subscribe(self, kind: type, topic: str, callback: Callable[..., None]) -> Any:
        def incompatible(event: Any) -> None:
            self._node.get_logger().warning(
                f'A publisher of {topic} offers a QoS this node does not accept (policy '
                f'{_policy_name(event)}); nothing is received from it. Set '
                f'qos_overrides.{topic}.subscription.* to match it.'
            )

        return self._node.create_subscription(
            kind, topic, callback, newest_only(),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )  # fmt: skip

    def destroy(self) -> None:
        """End the subscriptions."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        self._freshest.destroy()


def _policy_name(event: Any) -> str:
    try:
        return QoSPolicyKind(int(event.last_policy_kind)).name.lower()
    except (AttributeError, TypeError, ValueError):
        return 'unknown'


def message_number(info: Any) -> tuple[tuple, int] | None:
    """Return (publisher, number) of a received message where the middleware numbers them."""
    if isinstance(info, dict):
        number = info.get('publication_sequence_number')
        gid = info.get('publisher_gid')
    else:
        number = getattr(info, 'publication_sequence_number', None)
        gid = getattr(info, 'publisher_gid', None)
    if not isinstance(number, int) or not 0 < number < 2**63:
        return None
    values = gid.get('data', ()) if isinstance(gid, dict) else getattr(gid, 'data', gid)
    return tuple(values or ()), number


def received_at(info: Any) -> float:
    """Return when the middleware received a message, seconds of the system's clock; 0: unknown."""
    if isinstance(info, dict):
        return 1e-9 * (info.get('received_timestamp') or 0)
    return 1e-9 * (getattr(info, 'received_timestamp', None) or 0)
