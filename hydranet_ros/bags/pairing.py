"""Pair the images of a bag with the cameras that took them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys.store import Typestore

from hydranet_ros.bags.messages import IMAGE_TYPES, deserialize, image_to_rgb, stamp_of
from hydranet_ros.bags.reader import BagMessage, BagReader
from hydranet_ros.camera.conventions import camera_from_info
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError, CameraError, ImageError
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS
from hydranet_ros.perception.outputs import CAMERA_INFO

LOOK_AHEAD = 4
"""Largest number of images that wait for a camera info with their stamp."""
CAMERAS_KEPT = 64
"""Number of camera infos kept for images that are recorded after them."""


@dataclass(frozen=True)
class PairedImage:
    """
    An image with its camera.

    :param image: (H, W, 3) uint8 RGB.
    :param camera: of size W x H, ``None`` if unknown.
    :param header: of the image message.
    :param timestamp: time of recording, nanoseconds.
    """

    image: NDArray[np.uint8]
    camera: CameraModel | None
    header: Any
    timestamp: int


@dataclass(frozen=True)
class _WaitingImage:
    """
    An image whose camera is not certain yet.

    :param number: its position among the images of the bag, from 1.
    :param fallback: the camera to use if no camera info has the stamp of the image.
    """

    number: int
    value: Any
    timestamp: int
    fallback: CameraModel | None

    @property
    def stamp(self) -> tuple[int, int]:
        return stamp_of(self.value)


def first_camera(reader: BagReader, store: Typestore, info_topic: str) -> CameraModel | None:
    """Return the camera of the first usable camera info of a bag, ``None`` if there is none."""
    try:
        for message in reader.messages([info_topic]):
            try:
                return camera_from_info(deserialize(store, message, [CAMERA_INFO]))
            except (BagError, CameraError):
                continue
    except BagError:  # The bag is damaged, which is reported when the images are read.
        pass
    return None


class CameraPairing:
    """
    Pairs the images of a stream of messages with cameras, and reports unusable messages.

    The camera of an image is the camera info with the same stamp, also if it was recorded up to
    :data:`LOOK_AHEAD` images later; otherwise the newest one recorded before the image; otherwise
    ``first``.

    :param first: camera of the images that were recorded before any camera info. ``None`` means
        that the bag has no usable camera info, so that no image waits for one.
    :param max_pixels: the largest width times height of an image that is accepted.

    ``images`` counts the images read so far, ``failed`` the images and camera infos that could
    not be decoded.
    """

    def __init__(
        self, store: Typestore, info_topic: str, first: CameraModel | None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:  # fmt: skip
        self._store = store
        self._info_topic = info_topic
        self._newest = first
        self._max_pixels = max_pixels
        self._look_ahead = 0 if first is None else LOOK_AHEAD
        self._cameras: dict[tuple[int, int], CameraModel | None] = {}
        self._waiting: deque[_WaitingImage] = deque()
        self._reported = ''
        self._infos = self.images = self.failed = 0

    def pair(self, messages: Iterable[BagMessage]) -> Iterator[PairedImage]:
        """
        Yield the images in the order of recording, each with its camera.

        :raises BagError: if the bag is damaged; the images before the damage are yielded.
        """
        try:
            for message in messages:
                if message.topic == self._info_topic:
                    self._take_info(message)
                else:
                    self._take_image(message)
                yield from self._ready(self._look_ahead)
        except BagError:
            yield from self._ready(0)
            raise
        yield from self._ready(0)

    def _take_info(self, message: BagMessage) -> None:
        self._infos += 1
        try:
            value = deserialize(self._store, message, [CAMERA_INFO])
        except BagError as err:
            self.failed += 1
            self._report_info(err)
            return
        try:
            self._newest = camera_from_info(value)
        except CameraError as err:
            self._newest = None
            self._report_info(err)
        self._cameras.pop(stamp_of(value), None)
        self._cameras[stamp_of(value)] = self._newest
        if len(self._cameras) > CAMERAS_KEPT:
            del self._cameras[next(iter(self._cameras))]

    def _report_info(self, err: Exception) -> None:
        """Print an error, but only once if the next camera infos have the same one."""
        if str(err) != self._reported:
            self._reported = str(err)
            print(f'hydranet: camera info {self._infos}: {err}', file=sys.stderr)

    def _take_image(self, message: BagMessage) -> None:
        self.images += 1
        try:
            value = deserialize(self._store, message, IMAGE_TYPES)
        except BagError as err:
            self._skip(self.images, err)
            return
        self._waiting.append(
            _WaitingImage(self.images, value, message.timestamp, self._newest)
        )  # fmt: skip

    def _skip(self, number: int, err: Exception) -> None:
        self.failed += 1
        print(f'hydranet: image {number}: {err}', file=sys.stderr)

    def _ready(self, look_ahead: int) -> Iterator[PairedImage]:
        """Yield the images whose camera is certain, in order, until ``look_ahead`` wait."""
        waiting = self._waiting
        while waiting and (len(waiting) > look_ahead or waiting[0].stamp in self._cameras):
            item = waiting.popleft()
            try:
                image = image_to_rgb(item.value, max_pixels=self._max_pixels)
            except ImageError as err:
                self._skip(item.number, err)
                continue
            camera = self._scaled(self._cameras.get(item.stamp, item.fallback), image)
            yield PairedImage(image, camera, item.value.header, item.timestamp)

    def _scaled(self, camera: CameraModel | None, image: NDArray) -> CameraModel | None:
        try:
            return camera and camera.scaled(image.shape[1], image.shape[0])
        except CameraError as err:
            self._report_info(err)
            return None
