"""Read bags, images and videos as serialized messages with the time to publish them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hydranet_ros.bags.reader import BagReader, is_latched
from hydranet_ros.camera.conventions import camera_info_topic
from hydranet_ros.errors import BagError
from hydranet_ros.images.files import list_images, read_image
from hydranet_ros.images.video import VIDEO_SUFFIXES, VideoReader
from hydranet_ros.ros.conversions import camera_info_message, fill_image, message_class
from hydranet_ros.ros.play_options import PlayOptions
from hydranet_ros.ros.stamps import to_stamp

_DEFAULT_FPS = 10.0


@dataclass(frozen=True)
class TopicType:
    """
    Type of a topic to publish.

    :param message_class: Python class of the messages.
    :param latched: transient local.
    """

    message_class: type
    latched: bool = False


@dataclass(frozen=True)
class TimedMessage:
    """
    A message to publish.

    :param time: nanoseconds of the source's clock.
    :param data: serialized message (CDR).
    """

    time: int
    topic: str
    type: TopicType
    data: bytes


def is_bag(source: Path) -> bool:
    """Return whether a path is a rosbag2 folder or a file of one."""
    return (source / 'metadata.yaml').is_file() or source.suffix in ('.mcap', '.db3')


def bag_topics(source: Path) -> Mapping[str, TopicType]:
    """
    Return the topics of a bag whose message types are installed.

    :raises BagError: if there is none, or the bag cannot be read.
    """
    topics = {}
    with BagReader(source) as reader:
        for item in reader.connections:
            found = message_class(item.msgtype)
            if found is not None:
                topics[item.topic] = TopicType(found, is_latched(item))
    if not topics:
        raise BagError(f'{source} has no message of an installed type.')
    return topics


def bag_messages(source: Path, warn: Callable[[str], object]) -> Iterator[TimedMessage]:
    """
    Yield the messages of a bag; skip types that are not installed, with one warning.

    :raises BagError: if the bag is damaged, after the messages before the damage.
    """
    with BagReader(source) as reader:
        classes = {item.msgtype: message_class(item.msgtype) for item in reader.connections}
        missing = sorted(name for name, found in classes.items() if found is None)
        if missing:
            warn(f'Skipped types whose packages are not installed: {", ".join(missing)}.')
        for message in reader.messages():
            found = classes[message.message_type]
            if found is not None:
                kind = TopicType(found, is_latched(message.connection))
                yield TimedMessage(message.timestamp, message.topic, kind, message.data)


def image_topics(options: PlayOptions) -> Mapping[str, TopicType]:
    """Return the topics of :func:`image_messages`."""
    topics = {options.topic: TopicType(Image)}
    if options.camera is not None:
        topics[camera_info_topic(options.topic)] = TopicType(CameraInfo)
    return topics


def image_messages(source: Path, options: PlayOptions, start: int) -> Iterator[TimedMessage]:
    """
    Yield an image, a folder of images or a video as image and camera info messages.

    With ``options.loop`` this never ends, and the time continues.

    :param start: nanoseconds, stamp of the first image.
    :raises MediaError: if nothing can be read.
    """
    info_topic = camera_info_topic(options.topic)
    for seconds, image in _images(source, options):
        time = start + round(seconds * 1e9)
        header = Header(stamp=to_stamp(time), frame_id=options.frame_id)
        if options.camera is not None:
            camera = options.camera.scaled(image.shape[1], image.shape[0])
            info = serialize_message(camera_info_message(camera, header))
            yield TimedMessage(time, info_topic, TopicType(CameraInfo), info)
        message = serialize_message(fill_image(Image(), image, 'rgb8', header))
        yield TimedMessage(time, options.topic, TopicType(Image), message)


def _images(source: Path, options: PlayOptions) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield seconds and images; in a loop the last image lasts as long as the one before it."""
    begin, period = 0.0, 1.0 / (options.fps or _DEFAULT_FPS)
    while True:
        last: float | None = None
        for seconds, image in _images_once(source, options):
            period = seconds - last if last is not None else period
            last = seconds
            yield begin + seconds, image
        if not options.loop or last is None:
            return
        begin += last + period


def _images_once(source: Path, options: PlayOptions) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    if source.suffix.lower() in VIDEO_SUFFIXES:
        with VideoReader(source) as video:
            for index, frame in enumerate(video):
                yield (index / options.fps if options.fps else frame.seconds), frame.image
        return
    paths = list_images(source, options.pattern) if source.is_dir() else [source]
    for index, path in enumerate(paths):
        yield index / (options.fps or _DEFAULT_FPS), read_image(path)
