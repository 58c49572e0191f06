"""Process the images of a rosbag2 offline and write the results to a new bag."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from hydranet_ros.bags.messages import IMAGE_TYPES, cloud_message, image_message
from hydranet_ros.bags.pairing import CameraPairing, PairedImage, first_camera
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.camera.conventions import camera_info_topic
from hydranet_ros.errors import BagError
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS
from hydranet_ros.perception.outputs import IMAGE, OUTPUTS
from hydranet_ros.perception.pipeline import Perception, PerceptionResult

_WRITTEN = frozenset(output for output, spec in OUTPUTS.items() if spec.in_bag)


@dataclass(frozen=True)
class BagCounts:
    """
    Number of messages by outcome.

    :param done: images whose results were written.
    :param failed: images and camera infos that could not be decoded.
    """

    done: int
    failed: int


def process_bag(
    source: Path, out: Path, perception: Perception, *, image_topic: str = '',
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> BagCounts:  # fmt: skip
    """
    Write mask, depth and cloud of every image of a bag to a new bag, at the images' timestamps.

    :class:`~hydranet_ros.bags.pairing.CameraPairing` selects the camera of each image. A message
    that cannot be decoded is reported, counted and skipped.

    :param image_topic: topic of the images; default: the first one with a sibling camera info.
    :param max_pixels: the largest width times height of an image that is accepted.
    :raises BagError: if there is no image, ``out`` exists, the disk is full (the results so far
        stay readable), or the bag is damaged (the results before the damage are written).
    """
    done = 0
    with ExitStack() as stack:
        reader = stack.enter_context(BagReader(source))
        writer = stack.enter_context(BagWriter(out))
        progress = stack.enter_context(Progress())
        topics = {item.topic: item.msgtype for item in reader.connections}
        image_topic = image_topic or _find_image_topic(topics, source)
        if topics.get(image_topic) not in IMAGE_TYPES:
            raise BagError(f'{source} has no images on {image_topic!r}; topics: {sorted(topics)}.')
        pairing = _pairing(reader, writer, camera_info_topic(image_topic), max_pixels)
        total = sum(c.msgcount for c in reader.connections if c.topic == image_topic)
        task = progress.add_task(image_topic, total=total)
        images = pairing.pair(reader.messages([image_topic, camera_info_topic(image_topic)]))
        frames = ((item.image, item.camera, item) for item in images)
        for item, result in perception.stream(frames, wanted=_WRITTEN & perception.available):
            _write(writer, item, result)
            done += 1
            progress.update(task, completed=pairing.images)
        progress.update(task, completed=pairing.images)  # includes images that failed at the end
    return BagCounts(done, pairing.failed)


def _find_image_topic(topics: Mapping[str, str], source: Path) -> str:
    images = sorted(topic for topic, kind in topics.items() if kind in IMAGE_TYPES)
    with_camera = [topic for topic in images if camera_info_topic(topic) in topics]
    if not images:
        raise BagError(f'{source} has no images; topics: {sorted(topics)}.')
    return (with_camera or images)[0]


def _pairing(
    reader: BagReader, writer: BagWriter, info_topic: str, max_pixels: int
) -> CameraPairing:
    first = first_camera(reader, writer.store, info_topic)
    if first is None:
        print(
            f'hydranet: warning: {reader.path} has no usable camera info on {info_topic}. Depth '
            "is not scaled to the camera's focal length, and no clouds are written.",
            file=sys.stderr,
        )
    return CameraPairing(writer.store, info_topic, first, max_pixels)


def _write(writer: BagWriter, item: PairedImage, result: PerceptionResult) -> None:
    for topic, message in _messages(writer, item, result):
        writer.write_message(topic, message, item.timestamp)


def _messages(
    writer: BagWriter, item: PairedImage, result: PerceptionResult
) -> Iterator[tuple[str, Any]]:
    """Yield topic and message of each result, in the order of :data:`OUTPUTS`."""
    for output, spec in OUTPUTS.items():
        value = result.values.get(output)
        if output not in _WRITTEN or value is None:
            continue
        if spec.message_type == IMAGE:
            message = image_message(writer.store, value, spec.encoding, item.header)
        else:
            message = cloud_message(writer.store, value.data, item.header)
        yield spec.full_name, message
