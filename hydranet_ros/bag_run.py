"""``hydranet bag``: every image of a bag through the network into a new bag, without ROS."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from hydranet_ros.bag import BagMessage, BagReader, BagWriter
from hydranet_ros.encodings import decode_compressed, to_rgb
from hydranet_ros.errors import BagError, CameraError, ImageError
from hydranet_ros.geometry import CameraModel
from hydranet_ros.perception import Output, Perception, PerceptionResult

IMAGES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
WANTED = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
_FLOAT32, _UINT8 = 7, 2
_Frame: TypeAlias = tuple[NDArray[np.uint8], CameraModel | None, tuple[Any, int]]


@dataclass(frozen=True)
class BagCounts:
    """Frames that were answered and frames that were given up."""

    done: int
    failed: int


def process_bag(
    source: Path, out: Path, perception: Perception, *, image_topic: str = ''
) -> BagCounts:
    """
    Write mask, depth and cloud of every image of a bag into a new one, at the images' times.

    :param image_topic: which images; default: the first topic that has a camera info beside it.
    :raises BagError: if there is no image, ``out`` exists, the disk is full (what was written
        stays readable), or the bag is damaged (what came before is written).
    """
    with BagReader(source) as reader, BagWriter(out) as writer, Progress() as progress:
        topics = {item.topic: item.msgtype for item in reader.connections}
        image_topic = image_topic or _find_image(topics, source)
        if topics.get(image_topic) not in IMAGES:
            raise BagError(f'{source} has no images on {image_topic!r}; topics: {sorted(topics)}.')
        info_topic = _sibling(image_topic)
        total = sum(c.msgcount for c in reader.connections if c.topic == image_topic)
        task = progress.add_task(image_topic, total=total)
        run = _Run(writer, info_topic)
        frames = run.frames(reader.messages([image_topic, info_topic]))
        wanted = WANTED & perception.available
        for (header, moment), result in perception.stream(frames, wanted=wanted):
            run.write(result, header, moment)
            progress.update(task, completed=run.done + run.failed)
        progress.update(task, completed=run.done + run.failed)  # those that failed at the end
    return BagCounts(run.done, run.failed)


def _sibling(image_topic: str) -> str:
    return image_topic.removesuffix('/compressed').rsplit('/', 1)[0] + '/camera_info'


def _find_image(topics: Mapping[str, str], source: Path) -> str:
    images = sorted(topic for topic, kind in topics.items() if kind in IMAGES)
    with_camera = [topic for topic in images if _sibling(topic) in topics]
    if not images:
        raise BagError(f'{source} holds no image; topics: {sorted(topics)}.')
    return (with_camera or images)[0]


class _Run:
    """The camera as known so far, and what has been written."""

    def __init__(self, writer: BagWriter, info_topic: str) -> None:
        self._writer = writer
        self._info_topic = info_topic
        self._types = writer.store.types
        self._camera: CameraModel | None = None
        self._images = self.done = self.failed = 0

    def frames(self, messages: Iterable[BagMessage]) -> Iterator[_Frame]:
        """Yield image, camera, and what its results are written with; a bad image is told."""
        for message in messages:
            value: Any = self._writer.store.deserialize_cdr(message.data, message.kind)
            if message.topic == self._info_topic:
                self._camera_info(value)
                continue
            self._images += 1
            try:
                pixels = _pixels(value)
            except ImageError as err:
                self.failed += 1
                print(f'hydranet: image {self._images}: {err}', file=sys.stderr)
                continue
            yield pixels, self._camera, (value.header, message.time)

    def _camera_info(self, value: Any) -> None:
        roi = value.roi
        try:
            self._camera = CameraModel.from_camera_info(
                value.width, value.height, value.k, value.d, value.distortion_model,
                binning=(value.binning_x, value.binning_y),
                roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
            )  # fmt: skip
        except CameraError as err:
            self._camera = None
            print(f'hydranet: camera info: {err}', file=sys.stderr)

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
        fields = [field(name=name, offset=offset, datatype=_FLOAT32, count=1)
                  for name, offset in (('x', 0), ('y', 4), ('z', 8), ('rgb', 12))]  # fmt: skip
        fields.append(field(name='label', offset=15, datatype=_UINT8, count=1))
        height, width = data.shape
        return self._types['sensor_msgs/msg/PointCloud2'](
            header=header, height=height, width=width, fields=fields, is_bigendian=False,
            point_step=data.itemsize, row_step=data.itemsize * width, is_dense=False,
            data=data.view(np.uint8).ravel(),
        )  # fmt: skip


def _pixels(value: Any) -> NDArray[np.uint8]:
    if hasattr(value, 'format'):
        return decode_compressed(value.data)
    return to_rgb(
        value.data, height=value.height, width=value.width, encoding=value.encoding,
        step=value.step, is_bigendian=bool(value.is_bigendian),
    )  # fmt: skip
