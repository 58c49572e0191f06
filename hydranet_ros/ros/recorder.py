"""Record the node's results: images of each frame, timing, and a bag."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message

from hydranet_ros.bags.messages import COMPRESSED_IMAGE
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.errors import BagError
from hydranet_ros.perception.outputs import DEPTH_CAMERA_INFO, OUTPUTS, TIMING, Output
from hydranet_ros.perception.point_cloud import POINT_DTYPE
from hydranet_ros.ros.conversions import require_message_class
from hydranet_ros.ros.stamps import serialized_stamp

RECORDED = (Output.MASK, Output.OVERLAY, Output.DEPTH, Output.DEPTH_COLOR, Output.POINTS)
_QUEUE_DEPTH, _TIMING_QUEUE_DEPTH = 20, 50
_POLL = 0.05


@dataclass
class FrameImages:
    """
    Results of one frame that are shown.

    :param overlay: (H, W, 3) uint8 RGB.
    :param depth: (H, W, 3) uint8 RGB, colored depth.
    :param cloud: (h, w) of :data:`~hydranet_ros.perception.point_cloud.POINT_DTYPE`.
    """

    overlay: NDArray[np.uint8] | None = None
    depth: NDArray[np.uint8] | None = None
    cloud: NDArray | None = None

    @property
    def complete(self) -> bool:
        """Return whether both images have been received."""
        return self.overlay is not None and self.depth is not None

    def take(self, output: Output, message: Any) -> None:
        """Keep the contents of an output's message; outputs that are not shown are ignored."""
        size = (message.height, message.width)
        if output is Output.POINTS:
            self.cloud = np.frombuffer(message.data, POINT_DTYPE).reshape(size)
        elif output is Output.OVERLAY:
            self.overlay = np.frombuffer(message.data, np.uint8).reshape(*size, 3)
        elif output is Output.DEPTH_COLOR:
            self.depth = np.frombuffer(message.data, np.uint8).reshape(*size, 3)


class Recorder:
    """
    Subscriptions to the node's outputs and to the images that it processes.

    Of every frame the overlay and the colored depth are kept. Of every n-th frame the cloud is
    kept, too, and all outputs are written to the bag. All images and camera infos are written.

    ``frames`` maps stamps in nanoseconds to results; ``stages`` and ``counts`` are those of
    ``~/timing``; ``last_received`` is the time of the last output, in seconds of a steady clock;
    ``bag_error`` is the error that ended the bag, if any.

    :param image_topic: topic of the compressed images.
    :param every: n.
    """

    def __init__(self, node: Node, image_topic: str, bag_path: Path, *, every: int = 6) -> None:
        self.node = node
        self.image_topic = image_topic
        self.frames: dict[int, FrameImages] = {}
        self.stages: dict[str, list[float]] = {}
        self.counts: dict[str, int] = {}
        self.last_received = 0.0
        self.bag_error: BagError | None = None
        self._every = every
        self._order: dict[int, int] = {}
        self._bag = BagWriter(bag_path)
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        for output in RECORDED:
            spec = OUTPUTS[output]
            take = partial(self._take_output, output)
            self._subscribe(spec.full_name, spec.message_type, take)
        for topic, type_name in (
            (DEPTH_CAMERA_INFO.full_name, DEPTH_CAMERA_INFO.message_type),
            (image_topic, COMPRESSED_IMAGE),
        ):
            self._subscribe(topic, type_name, partial(self._write, topic, type_name))
        node.create_subscription(
            DiagnosticStatus, TIMING.full_name, self._take_timing, _TIMING_QUEUE_DEPTH
        )

    def _subscribe(self, topic: str, type_name: str, callback: Callable[[bytes], None]) -> None:
        profile = QoSProfile(depth=_QUEUE_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        kind = require_message_class(type_name)
        self.node.create_subscription(kind, topic, callback, profile, raw=True)

    def _take_output(self, output: Output, data: bytes) -> None:
        spec, stamp = OUTPUTS[output], serialized_stamp(data)
        self.last_received = time.monotonic()
        kept = self._order.setdefault(stamp, len(self._order)) % self._every == 0
        if spec.drawn or (kept and output is Output.POINTS):
            kind = require_message_class(spec.message_type)
            message: Any = deserialize_message(data, kind)
            self.frames.setdefault(stamp, FrameImages()).take(output, message)
        if kept:
            self._write(spec.full_name, spec.message_type, data)

    def _write(self, topic: str, type_name: str, data: bytes) -> None:
        if self.bag_error is not None:
            return
        try:
            self._bag.write(topic, type_name, serialized_stamp(data), bytes(data))
        except BagError as err:
            self.bag_error = err
            self.node.get_logger().error(str(err))

    def _take_timing(self, message: DiagnosticStatus) -> None:
        for item in message.values:
            if item.key.endswith('_ms'):
                self.stages.setdefault(item.key[:-3], []).append(float(item.value))
            else:
                self.counts[item.key] = int(item.value)

    def spin(self, seconds: float) -> None:
        """Receive messages for some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._executor.spin_once(timeout_sec=_POLL)

    @property
    def complete(self) -> int:
        """Return the number of frames with both images."""
        return sum(frame.complete for frame in self.frames.values())

    def close(self) -> None:
        """Close the bag."""
        self._bag.close()
