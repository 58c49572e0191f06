"""Publish a bag, images or a video on ROS topics with the original timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from hydranet_ros.errors import MediaError
from hydranet_ros.ros.message_sources import (
    TimedMessage,
    TopicType,
    bag_messages,
    bag_topics,
    image_messages,
    image_topics,
    is_bag,
)
from hydranet_ros.ros.pacing import Pacer
from hydranet_ros.ros.play_options import PlayOptions
from hydranet_ros.ros.stamps import to_stamp

_QUEUE_DEPTH = 5
# Seconds in which reliable subscribers can acknowledge the last messages, and then seconds for
# best-effort subscribers, which do not acknowledge.
_ACKNOWLEDGE_TIMEOUT, _LINGER = 5.0, 1.0
_POLL = 0.02
_ACKNOWLEDGE_POLL = Duration(seconds=_POLL)


class Player:
    """
    Publish messages at their time.

    :param running: checked before each message; returns false to stop.
    """

    def __init__(self, node: Node, options: PlayOptions, running: Callable[[], bool]) -> None:
        self._node = node
        self._options = options
        self._running = running
        self._publishers: dict[str, Any] = {}
        self._clock = node.create_publisher(Clock, '/clock', 10) if options.clock else None
        self.sent: dict[str, int] = {}

    def prepare(self, topics: Mapping[str, TopicType]) -> None:
        """Create publishers in advance, so that they are discovered before the first message."""
        for topic, kind in topics.items():
            self._publisher(topic, kind)

    def _publisher(self, topic: str, kind: TopicType) -> Any:
        if topic not in self._publishers:
            latched = DurabilityPolicy.TRANSIENT_LOCAL
            profile = QoSProfile(
                depth=_QUEUE_DEPTH, reliability=ReliabilityPolicy.RELIABLE,
                durability=latched if kind.latched else DurabilityPolicy.VOLATILE,
            )  # fmt: skip
            self._publishers[topic] = self._node.create_publisher(
                kind.message_class, topic, profile
            )
        return self._publishers[topic]

    def wait_for_subscribers(self, topics: Iterable[str]) -> bool:
        """Wait until one of the topics has its subscribers; return false after the timeout."""
        watched = [self._publishers[topic] for topic in topics]

        def found() -> bool:
            counts = [item.get_subscription_count() for item in watched]
            return max(counts, default=0) >= self._options.subscribers

        return self._wait(self._options.wait, found)

    def _wait(self, seconds: float, done: Callable[[], bool]) -> bool:
        """Wait until a condition holds, the time is over, or a stop; return the condition."""
        until = time.monotonic() + seconds
        while self._running() and time.monotonic() < until:
            if done():
                return True
            time.sleep(_POLL)
        return False

    def play(self, messages: Iterable[TimedMessage]) -> None:
        """Publish all messages once."""
        pacer = Pacer(self._options.rate, self._options.clock, self._tick, self._running)
        for message in messages:
            pacer.wait_until(message.time)
            if not self._running():
                return
            self._publisher(message.topic, message.type).publish(message.data)
            self.sent[message.topic] = self.sent.get(message.topic, 0) + 1

    def linger(self) -> None:
        """
        Wait until the last messages have been received.

        A large message is sent in fragments. A subscriber discards incomplete messages when their
        publisher disappears.
        """
        publishers = self._publishers.values()
        self._wait(
            _ACKNOWLEDGE_TIMEOUT,
            lambda: all(item.wait_for_all_acked(_ACKNOWLEDGE_POLL) for item in publishers),
        )
        self._wait(_LINGER, lambda: False)

    def _tick(self, now: int) -> None:
        assert self._clock is not None
        self._clock.publish(Clock(clock=to_stamp(now)))


def play_source(
    node: Node, source: Path, options: PlayOptions, running: Callable[[], bool]
) -> dict[str, int]:
    """
    Play a source; return the number of published messages by topic.

    :param running: returns false to stop.
    :raises BagError: if a bag is damaged, after the messages before the damage.
    :raises MediaError: if there is nothing to play, or nothing subscribes in time.
    """
    player = Player(node, options, running)
    if not source.exists():
        raise MediaError(
            f'{source} does not exist. Specify a rosbag2, a folder, an image or a video.'
        )
    bag = is_bag(source)
    topics = bag_topics(source) if bag else image_topics(options)
    player.prepare(topics)
    # A subscriber of only the camera info is not the node that needs the images.
    awaited = topics if bag else (options.topic,)
    if options.wait and not player.wait_for_subscribers(awaited) and running():
        raise MediaError(f'No subscriber within {options.wait:g} s.')
    time.sleep(options.delay)
    try:
        while True:
            player.play(
                bag_messages(source, lambda text: node.get_logger().warning(text)) if bag
                else image_messages(source, options, time.time_ns())
            )  # fmt: skip
            if not options.loop or not running():
                return player.sent
    finally:
        player.linger()
