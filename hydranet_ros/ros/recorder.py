"""Subscribes to the node's results, keeps what pictures need, writes a bag."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from hydranet_ros.bags.storage import BagWriter
from hydranet_ros.errors import BagError
from hydranet_ros.perception.point_cloud import POINT_DTYPE

NODE = '/hydranet'
RESULTS = {
    f'{NODE}/segmentation/mask': Image,
    f'{NODE}/segmentation/overlay': Image,
    f'{NODE}/depth/image': Image,
    f'{NODE}/depth/color': Image,
    f'{NODE}/depth/camera_info': CameraInfo,
    f'{NODE}/points': PointCloud2,
}
OVERLAY, DEPTH_COLOR = f'{NODE}/segmentation/overlay', f'{NODE}/depth/color'
POINTS = f'{NODE}/points'
_LARGE = {POINTS, f'{NODE}/depth/image', f'{NODE}/segmentation/mask'}
_KINDS = {Image: 'sensor_msgs/msg/Image', CameraInfo: 'sensor_msgs/msg/CameraInfo',
          PointCloud2: 'sensor_msgs/msg/PointCloud2',
          CompressedImage: 'sensor_msgs/msg/CompressedImage'}  # fmt: skip


@dataclass
class Shot:
    """What came of one frame: pictures and, for some, the cloud."""

    overlay: NDArray[np.uint8] | None = None
    depth: NDArray[np.uint8] | None = None
    cloud: NDArray | None = None


@dataclass
class Recorder:
    """
    Hears every result of the node.

    :param every: every so many frames goes into the bag and keeps its cloud.
    """

    node: Node
    image_topic: str
    bag_path: Path
    every: int = 6
    shots: dict[int, Shot] = field(default_factory=dict)
    stages: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    last_heard: float = 0.0
    bag_error: BagError | None = None

    def __post_init__(self) -> None:
        self._bag = BagWriter(self.bag_path)
        self._order: dict[int, int] = {}
        profile = QoSProfile(depth=20, reliability=ReliabilityPolicy.RELIABLE)
        for topic, kind in RESULTS.items():
            self.node.create_subscription(
                kind, topic, self._listener(topic, kind), profile, raw=True
            )
        self.node.create_subscription(
            CompressedImage, self.image_topic, self._listener(self.image_topic, CompressedImage),
            profile, raw=True,
        )  # fmt: skip
        self.node.create_subscription(DiagnosticStatus, f'{NODE}/timing', self._timing, 50)

    def _listener(self, topic: str, kind: type) -> Any:
        def heard(data: bytes) -> None:
            self._take(topic, kind, bytes(data))

        return heard

    def _take(self, topic: str, kind: type, data: bytes) -> None:
        """Sort a message by its stamp: the first eight bytes after CDR's own four."""
        sec, nanosec = np.frombuffer(data, '<i4', 2, 4)
        moment = int(sec) * 10**9 + int(nanosec)
        if topic != self.image_topic:
            self.last_heard = time.monotonic()
            self._order.setdefault(moment, len(self._order))
        kept = self._order.get(moment, 0) % self.every == 0
        if topic in (OVERLAY, DEPTH_COLOR) or (topic == POINTS and kept):
            self._show(topic, kind, data, moment)
        if kept or topic not in _LARGE | {OVERLAY, DEPTH_COLOR}:
            self._record(topic, kind, moment, data)

    def _show(self, topic: str, kind: type, data: bytes, moment: int) -> None:
        shot = self.shots.setdefault(moment, Shot())
        message: Any = deserialize_message(data, kind)
        if topic == POINTS:
            cloud = np.frombuffer(message.data, POINT_DTYPE)
            shot.cloud = cloud.reshape(message.height, message.width)
            return
        picture = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        if topic == OVERLAY:
            shot.overlay = picture
        else:
            shot.depth = picture

    def _record(self, topic: str, kind: type, moment: int, data: bytes) -> None:
        if self.bag_error is not None:
            return
        try:
            self._bag.write(topic, _KINDS[kind], moment, data)
        except BagError as err:
            self.bag_error = err
            self.node.get_logger().error(str(err))

    def _timing(self, message: DiagnosticStatus) -> None:
        for item in message.values:
            if item.key.endswith('_ms'):
                self.stages.setdefault(item.key[:-3], []).append(float(item.value))
            else:
                self.counts[item.key] = int(item.value)

    @property
    def complete(self) -> int:
        """Return how many frames have both pictures."""
        return sum(s.overlay is not None and s.depth is not None for s in self.shots.values())

    def close(self) -> None:
        """End the bag."""
        self._bag.close()
