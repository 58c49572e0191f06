"""
Plays a rosbag2, pictures, or a video onto ROS topics with the original timing.

A bag's messages go out as they are, serialised; their stamps are what they were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hydranet_ros.bags.storage import BagReader, is_latched
from hydranet_ros.camera.conventions import OPTICAL_FRAME, camera_info_topic
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError, MediaError
from hydranet_ros.images.files import VIDEOS, VideoReader, list_images, read_image
from hydranet_ros.ros.conversions import fill_image, message_class

QUEUE = 5
# Seconds for reliable subscribers to acknowledge the last messages, then for the others, of whom
# nothing is heard.
_ACKNOWLEDGED, _LINGER = 5.0, 1.0
_MOMENT = Duration(seconds=0.1)


@dataclass(frozen=True)
class Item:
    """A message to send: when (nanoseconds of the source's clock), where, what it is."""

    time: int
    topic: str
    kind: type
    data: bytes
    latched: bool = False


@dataclass(frozen=True)
class PlayOptions:
    """
    How to play.

    :param rate: times the original speed; 0 for as fast as it goes.
    :param clock: rate of /clock in Hz of the source's time, 0 for none.
    :param fps: frames a second of pictures and, if not 0, of a video.
    :param pattern: which pictures of a folder.
    :param topic: where pictures and videos go; camera info goes to its sibling.
    :param camera: intrinsics of pictures and videos, if known.
    :param wait: seconds to wait for a subscriber before the first message; 0 not to wait.
    :param subscribers: of one topic, to wait for.
    :param delay: seconds between that and the first message, in which others can join.
    """

    rate: float = 1.0
    loop: bool = False
    clock: float = 0.0
    fps: float = 0.0
    pattern: str = '*'
    topic: str = '/camera/image'
    frame_id: str = OPTICAL_FRAME
    camera: CameraModel | None = None
    wait: float = 0.0
    delay: float = 0.0
    subscribers: int = 1


def bag_items(path: Path, warn: Callable[[str], None]) -> Iterator[Item]:
    """
    Yield a bag's messages; leave out types that are not installed, with one warning.

    :raises BagError: where the bag is damaged.
    """
    with BagReader(path) as reader:
        classes = {item.msgtype: message_class(item.msgtype) for item in reader.connections}
        missing = sorted(kind for kind, found in classes.items() if found is None)
        if missing:
            warn(f'Left out, because their packages are not installed: {", ".join(missing)}.')
        for message in reader.messages():
            kind = classes[message.kind]
            if kind is not None:
                latched = is_latched(message.connection)
                yield Item(message.time, message.topic, kind, message.data, latched)


def picture_items(path: Path, options: PlayOptions, start: int) -> Iterator[Item]:
    """
    Yield the pictures of a file, folder or video as image and camera info messages.

    In a loop there is no end, and the time goes on.

    :param start: nanoseconds, stamp of the first.
    :raises MediaError: if nothing can be read.
    """
    topic = options.topic
    info_topic = camera_info_topic(topic)
    for seconds, image in _pictures(path, options):
        moment = start + round(seconds * 1e9)
        stamp = Time(sec=moment // 10**9, nanosec=moment % 10**9)
        header = Header(stamp=stamp, frame_id=options.frame_id)
        if options.camera is not None:
            camera = options.camera.scaled(image.shape[1], image.shape[0])
            info = camera_info_message(camera, header)
            yield Item(moment, info_topic, CameraInfo, serialize_message(info))
        message = fill_image(Image(), image, 'rgb8', header)
        yield Item(moment, topic, Image, serialize_message(message))


def _pictures(path: Path, options: PlayOptions) -> Iterator[tuple[float, np.ndarray]]:
    """Yield seconds and pictures; in a loop the last is shown as long as the one before it."""
    begin, period = 0.0, 1.0 / (options.fps or 10.0)
    while True:
        last: float | None = None
        for seconds, image in _pictures_once(path, options):
            period = seconds - last if last is not None else period
            last = seconds
            yield begin + seconds, image
        if not options.loop or last is None:
            return
        begin += last + period


def _pictures_once(path: Path, options: PlayOptions) -> Iterator[tuple[float, np.ndarray]]:
    if path.suffix.lower() in VIDEOS:
        with VideoReader(path) as video:
            for index, frame in enumerate(video):
                yield (index / options.fps if options.fps else frame.seconds), frame.image
        return
    paths = list_images(path, options.pattern) if path.is_dir() else [path]
    for index, item in enumerate(paths):
        yield index / (options.fps or 10.0), read_image(item)


def camera_info_message(camera: CameraModel, header: Header) -> CameraInfo:
    """Return the CameraInfo of a camera model."""
    return CameraInfo(
        header=header, height=camera.height, width=camera.width, k=list(camera.k),
        d=list(camera.distortion) or [0.0] * 5,
        distortion_model=camera.distortion_model or 'plumb_bob',
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[camera.fx, 0.0, camera.cx, 0.0, 0.0, camera.fy, camera.cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )  # fmt: skip


class Player:
    """
    Sends items at their time.

    :param running: asked before each message whether to go on.
    """

    def __init__(self, node: Node, options: PlayOptions, running: Callable[[], bool]) -> None:
        self._node = node
        self._options = options
        self._running = running
        self._publishers: dict[str, Any] = {}
        self._clock = node.create_publisher(Clock, '/clock', 10) if options.clock else None
        self._next_tick = 0
        self.sent: dict[str, int] = {}

    def prepare(self, topics: dict[str, tuple[type, bool]]) -> None:
        """Make publishers ahead, so that they are discovered before the first message."""
        for topic, (kind, latched) in topics.items():
            self._publisher(topic, kind, latched)

    def _publisher(self, topic: str, kind: type, latched: bool) -> Any:
        if topic not in self._publishers:
            durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
            profile = QoSProfile(
                depth=QUEUE, reliability=ReliabilityPolicy.RELIABLE, durability=durability
            )
            self._publishers[topic] = self._node.create_publisher(kind, topic, profile)
        return self._publishers[topic]

    def wait_for_subscriber(self, topics: Iterable[str]) -> bool:
        """Wait as long as the options say until one of ``topics`` has its subscribers."""
        until = time.monotonic() + self._options.wait
        watched = [self._publishers[topic] for topic in topics]
        while self._running() and time.monotonic() < until:
            counts = [item.get_subscription_count() for item in watched]
            if max(counts, default=0) >= self._options.subscribers:
                return True
            time.sleep(0.02)
        return False

    def play(self, items: Iterable[Item]) -> None:
        """Send everything once."""
        start: tuple[int, float] | None = None
        self._next_tick = 0
        for item in items:
            if start is None:
                start = (item.time, time.monotonic())
            self._sleep_until(item.time, start)
            if not self._running():
                return
            self._publisher(item.topic, item.kind, item.latched).publish(item.data)
            self.sent[item.topic] = self.sent.get(item.topic, 0) + 1

    def linger(self) -> None:
        """
        Stay until the last messages have been received.

        A large message goes in pieces; a subscriber that learns of its publisher's end drops what
        it has not put together yet.
        """
        until = time.monotonic() + _ACKNOWLEDGED
        waiting = list(self._publishers.values())
        while waiting and self._running() and time.monotonic() < until:
            waiting = [item for item in waiting if not item.wait_for_all_acked(_MOMENT)]
        until = time.monotonic() + _LINGER
        while self._running() and time.monotonic() < until:
            time.sleep(0.05)

    def _sleep_until(self, moment: int, start: tuple[int, float]) -> None:
        """Sleep until the source's clock shows ``moment``, ticking /clock on the way."""
        period = round(1e9 / self._options.clock) if self._options.clock else 0
        pause = 0.25e-9 * period / (self._options.rate or 1.0) if period else 0.1
        while self._running():
            now = self._source_time(start, moment)
            if period and now >= self._next_tick:
                self._tick(now)
                self._next_tick = now + period
            left = (moment - now) * 1e-9 / (self._options.rate or 1.0)
            if left <= 0:
                return
            time.sleep(min(left, pause))

    def _source_time(self, start: tuple[int, float], moment: int) -> int:
        if not self._options.rate:
            return moment
        passed = (time.monotonic() - start[1]) * self._options.rate
        return min(moment, start[0] + round(passed * 1e9))

    def _tick(self, now: int) -> None:
        assert self._clock is not None
        self._clock.publish(Clock(clock=Time(sec=now // 10**9, nanosec=now % 10**9)))


def play_source(
    node: Node, source: Path, options: PlayOptions, running: Callable[[], bool]
) -> dict[str, int]:
    """
    Play a source and return how many messages went to each topic.

    :raises BagError: if a bag is damaged; what could be read has been played.
    :raises MediaError: if there is nothing to play.
    """
    player = Player(node, options, running)
    bag = (source / 'metadata.yaml').is_file() or source.suffix in ('.mcap', '.db3')
    if not source.exists():
        raise MediaError(
            f'{source} does not exist; give a rosbag2, a folder, a picture or a video.'
        )
    # Of pictures only the image counts: who hears the camera info alone may still be missing
    # the node that shall see them.
    topics: Iterable[str] = (options.topic,)
    if bag:
        found = _bag_topics(source)
        player.prepare(found)
        topics = found
    else:
        info = camera_info_topic(options.topic)
        player.prepare({options.topic: (Image, False),
                        **({info: (CameraInfo, False)} if options.camera else {})})  # fmt: skip
    if options.wait and not player.wait_for_subscriber(topics) and running():
        raise MediaError(f'Nobody subscribed within {options.wait:g} s.')
    time.sleep(options.delay)
    try:
        while True:
            items = (
                bag_items(source, lambda text: _warn(node, text)) if bag
                else picture_items(source, options, time.time_ns())
            )  # fmt: skip
            player.play(items)
            if not options.loop or not running():
                return player.sent
    finally:
        player.linger()


def _bag_topics(source: Path) -> dict[str, tuple[type, bool]]:
    found = {}
    with BagReader(source) as reader:
        for item in reader.connections:
            kind = message_class(item.msgtype)
            latched = is_latched(item)
            if kind is not None:
                found[item.topic] = (kind, latched)
    if not found:
        raise BagError(f'{source} holds no message of an installed type.')
    return found


def _warn(node: Node, text: str) -> None:
    node.get_logger().warning(text)
