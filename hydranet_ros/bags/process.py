"""``hydranet bag``: every image of a bag through the network into a new bag, without ROS."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rosbags.typesys.store import Typestore

from hydranet_ros.bags.storage import BagMessage, BagReader, BagWriter
from hydranet_ros.camera.conventions import camera_info_topic
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError, CameraError, ImageError
from hydranet_ros.images.encodings import decode_compressed, to_rgb
from hydranet_ros.images.header import DEFAULT_MAX_PIXELS
from hydranet_ros.perception.pipeline import Output, Perception, PerceptionResult
from hydranet_ros.perception.point_cloud import POINT_FIELDS

IMAGES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
_LOOK_AHEAD = 4  # images that wait at most for a camera info of their own stamp
_KEPT = 64  # camera infos kept for images that are recorded after them
_Stamp: TypeAlias = tuple[int, int]
_Frame: TypeAlias = tuple[NDArray[np.uint8], CameraModel | None, tuple[Any, int]]


@dataclass(frozen=True)
class BagCounts:
    """
    What became of the messages.

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
    Write mask, depth and cloud of every image of a bag into a new one, at the images' times.

    An image's camera is the camera info of the same stamp, also where it was recorded a few
    images later; else the newest one recorded before the image; else the first one of the bag. A
    message that cannot be decoded is reported and counted, and the others are processed.

    :param image_topic: which images; default: the first topic that has a camera info beside it.
    :param max_pixels: the largest width times height of an image that is accepted.
    :raises BagError: if there is no image, ``out`` exists, the disk is full (what was written
        stays readable), or the bag is damaged (what came before is written).
    """
    with BagReader(source) as reader, BagWriter(out) as writer, Progress() as progress:
        topics = {item.topic: item.msgtype for item in reader.connections}
        image_topic = image_topic or _find_image(topics, source)
        if topics.get(image_topic) not in IMAGES:
            raise BagError(f'{source} has no images on {image_topic!r}; topics: {sorted(topics)}.')
        info_topic = camera_info_topic(image_topic)
        first = _first_camera(reader, writer.store, info_topic) if info_topic in topics else None
        if first is None:
            print(
                f'hydranet: warning: {source} has no usable camera info on {info_topic}: depth is '
                "not scaled to the camera's focal length, and there are no clouds.",
                file=sys.stderr,
            )
        total = sum(c.msgcount for c in reader.connections if c.topic == image_topic)
        task = progress.add_task(image_topic, total=total)
        run = _Run(writer, info_topic, first, max_pixels)
        frames = run.frames(reader.messages([image_topic, info_topic]))
        wanted = WANTED & perception.available
        for (header, moment), result in perception.stream(frames, wanted=wanted):
            run.write(result, header, moment)
            progress.update(task, completed=run.images)
        progress.update(task, completed=run.images)  # counts those that failed at the end
    return BagCounts(run.done, run.failed)


def _find_image(topics: Mapping[str, str], source: Path) -> str:
    images = sorted(topic for topic, kind in topics.items() if kind in IMAGES)
    with_camera = [topic for topic in images if camera_info_topic(topic) in topics]
    if not images:
        raise BagError(f'{source} holds no image; topics: {sorted(topics)}.')
    return (with_camera or images)[0]


def _first_camera(reader: BagReader, store: Typestore, info_topic: str) -> CameraModel | None:
    """Return the camera of the first usable camera info, ``None`` where there is none."""
    try:
        for message in reader.messages([info_topic]):
            try:
                return _camera(_decode(store, message, [CAMERA_INFO]))
            except (BagError, CameraError):
                continue
    except BagError:  # The bag is damaged, which the pass over the images reports.
        pass
    return None


@dataclass(frozen=True)
class _Waiting:
    """
    An image that waits for the camera info of its stamp.

    :param number: its place among the images of the bag, from 1.
    :param moment: nanoseconds at which it was recorded.
    :param fallback: the camera where no camera info has the image's stamp.
    """

    number: int
    value: Any
    moment: int
    fallback: CameraModel | None

    @property
    def stamp(self) -> _Stamp:
        return _stamp(self.value)


class _Run:
    """
    Pairs images with cameras, and writes results.

    :param first: camera of the images that were recorded before any camera info.
    :param max_pixels: the largest width times height of an image that is accepted.
    """

    def __init__(
        self, writer: BagWriter, info_topic: str, first: CameraModel | None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:  # fmt: skip
        self._max_pixels = max_pixels
        self._writer = writer
        self._info_topic = info_topic
        self._types = writer.store.types
        self._newest = first
        self._look_ahead = 0 if first is None else _LOOK_AHEAD
        self._cameras: dict[_Stamp, CameraModel | None] = {}
        self._waiting: deque[_Waiting] = deque()
        self._reason = ''
        self._infos = self.images = self.done = self.failed = 0

    def frames(self, messages: Iterable[BagMessage]) -> Iterator[_Frame]:
        """Yield image, camera, and what its results are written with; report bad messages."""
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
            value = _decode(self._writer.store, message, [CAMERA_INFO])
        except BagError as err:
            self.failed += 1
            self._report_info(err)
            return
        try:
            self._newest = _camera(value)
        except CameraError as err:
            self._newest = None
            self._report_info(err)
        self._cameras.pop(_stamp(value), None)
        self._cameras[_stamp(value)] = self._newest
        if len(self._cameras) > _KEPT:
            del self._cameras[next(iter(self._cameras))]

    def _report_info(self, err: Exception) -> None:
        """Print one line, but once where every camera info of a bag has the same fault."""
        if str(err) != self._reason:
            self._reason = str(err)
            print(f'hydranet: camera info {self._infos}: {err}', file=sys.stderr)

    def _take_image(self, message: BagMessage) -> None:
        self.images += 1
        try:
            value = _decode(self._writer.store, message, IMAGES)
        except BagError as err:
            self._give_up(self.images, err)
            return
        self._waiting.append(_Waiting(self.images, value, message.time, self._newest))

    def _give_up(self, number: int, err: Exception) -> None:
        self.failed += 1
        print(f'hydranet: image {number}: {err}', file=sys.stderr)

    def _ready(self, look_ahead: int) -> Iterator[_Frame]:
        """Yield the images whose camera is certain, in order, until ``look_ahead`` are left."""
        waiting = self._waiting
        while waiting and (len(waiting) > look_ahead or waiting[0].stamp in self._cameras):
            item = waiting.popleft()
            try:
                pixels = _pixels(item.value, self._max_pixels)
            except ImageError as err:
                self._give_up(item.number, err)
                continue
            camera = self._scaled(self._cameras.get(item.stamp, item.fallback), pixels)
            yield pixels, camera, (item.value.header, item.moment)

    def _scaled(self, camera: CameraModel | None, pixels: NDArray) -> CameraModel | None:
        try:
            return camera and camera.scaled(pixels.shape[1], pixels.shape[0])
        except CameraError as err:
            self._report_info(err)
            return None

    def write(self, result: PerceptionResult, header: Any, moment: int) -> None:
        """Write one frame's results."""
        images = (('segmentation/mask', result.labels, 'mono8'),
                  ('depth/image', result.depth, '32FC1'))  # fmt: skip
        for topic, values, encoding in images:
            if values is not None:
                message = self._image_message(values, encoding, header)
                self._writer.write_message(f'/hydranet/{topic}', message, moment)
        if result.cloud is not None:
            message = self._cloud_message(result.cloud.data, header)
            self._writer.write_message('/hydranet/points', message, moment)
        self.done += 1

    def _image_message(self, values: NDArray, encoding: str, header: Any) -> Any:
        height, width = values.shape[:2]
        return self._types['sensor_msgs/msg/Image'](
            header=header, height=height, width=width, encoding=encoding, is_bigendian=0,
            step=values.nbytes // height, data=values.view(np.uint8).ravel(),
        )  # fmt: skip

    def _cloud_message(self, data: NDArray, header: Any) -> Any:
        field = self._types['sensor_msgs/msg/PointField']
        fields = [
            field(name=item.name, offset=item.offset, datatype=item.datatype, count=1)
            for item in POINT_FIELDS
        ]
        height, width = data.shape
        return self._types['sensor_msgs/msg/PointCloud2'](
            header=header, height=height, width=width, fields=fields, is_bigendian=False,
            point_step=data.itemsize, row_step=data.itemsize * width, is_dense=False,
            data=data.view(np.uint8).ravel(),
        )  # fmt: skip


def _pixels(value: Any, max_pixels: int) -> NDArray[np.uint8]:
    if hasattr(value, 'format'):
        return decode_compressed(value.data, max_pixels=max_pixels)
    return to_rgb(
        value.data, height=value.height, width=value.width, encoding=value.encoding,
        step=value.step, is_bigendian=bool(value.is_bigendian), max_pixels=max_pixels,
    )  # fmt: skip


def _decode(store: Typestore, message: BagMessage, kinds: Collection[str]) -> Any:
    """
    Return the message's value.

    :raises BagError: if its type is not one of ``kinds``, or its bytes are not of its type.
    """
    if message.kind not in kinds:
        raise BagError(f'{message.topic} has a {message.kind}; allowed: {", ".join(kinds)}.')
    try:
        return store.deserialize_cdr(message.data, message.kind)
    except Exception as err:  # The decoder raises whatever the damaged bytes lead it to.
        raise BagError(
            f'{len(message.data)} bytes cannot be decoded as {message.kind} '
            f'({type(err).__name__}: {err}).'
        ) from err


def _stamp(value: Any) -> _Stamp:
    return value.header.stamp.sec, value.header.stamp.nanosec


def _camera(info: Any) -> CameraModel:
    roi = info.roi
    return CameraModel.from_camera_info(
        info.width, info.height, info.k, info.d, info.distortion_model,
        binning=(info.binning_x, info.binning_y),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
    )  # fmt: skip
