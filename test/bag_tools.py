"""Small bags for tests: images and camera infos with given stamps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hydranet_ros.bags.writer import BagWriter

IMAGE_TOPIC = '/cam/image'
INFO_TOPIC = '/cam/camera_info'


@dataclass(frozen=True)
class Recorded:
    """
    One message of a bag: an image, or a camera info if ``fx`` is given.

    :param stamp: seconds.
    """

    stamp: int
    fx: float | None = None
    encoding: str = 'rgb8'

    @property
    def topic(self) -> str:
        return IMAGE_TOPIC if self.fx is None else INFO_TOPIC


def image(stamp: int, encoding: str = 'rgb8') -> Recorded:
    return Recorded(stamp, encoding=encoding)


def info(stamp: int, fx: float) -> Recorded:
    return Recorded(stamp, fx)


def make_header(types: dict[str, Any], stamp: int) -> Any:
    time = types['builtin_interfaces/msg/Time'](sec=stamp, nanosec=7)
    return types['std_msgs/msg/Header'](stamp=time, frame_id='c')


def make_message(types: dict[str, Any], item: Recorded) -> Any:
    """Return the message: 8 x 6 black pixels, to which the test model assigns a depth of 1 m."""
    header = make_header(types, item.stamp)
    if item.fx is None:
        return types['sensor_msgs/msg/Image'](
            header=header, height=6, width=8, encoding=item.encoding, is_bigendian=0, step=24,
            data=np.zeros(144, np.uint8),
        )  # fmt: skip
    roi = types['sensor_msgs/msg/RegionOfInterest'](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    k = np.array([item.fx, 0, 4, 0, item.fx, 3, 0, 0, 1])
    return types['sensor_msgs/msg/CameraInfo'](
        header=header, height=6, width=8, distortion_model='plumb_bob', d=np.zeros(5), k=k,
        r=np.eye(3).ravel(), p=np.zeros(12), binning_x=0, binning_y=0, roi=roi,
    )  # fmt: skip


def write_bag(path: Path, items: Iterable[Recorded]) -> Path:
    """Write a bag whose n-th message is recorded at n nanoseconds."""
    with BagWriter(path) as bag:
        for timestamp, item in enumerate(items):
            bag.write_message(item.topic, make_message(bag.store.types, item), timestamp)
    return path


def write_words(path: Path, count: int = 5) -> Path:
    """Write ``word 0``, ``word 1``, ... on the topic /words from 1 s on, 1 ns apart."""
    with BagWriter(path) as bag:
        make = bag.store.types['std_msgs/msg/String']
        for index in range(count):
            bag.write_message('/words', make(data=f'word {index}'), 10**9 + index)
    return path
