"""The node's publishers: which outputs are wanted, and how each becomes messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from hydranet_ros.buffers import BufferPool
from hydranet_ros.model_info import ModelInfo
from hydranet_ros.perception import Output, PerceptionResult
from hydranet_ros.ros.messages import (
    empty_message,
    fill_cloud,
    fill_image,
    label_info,
    scaled_camera_info,
)

QUEUE = 2
# The last float32 that rounds to 65535.
_LARGEST_MILLIMETRES = float(np.nextafter(np.float32(65535.5), np.float32(0)))


@dataclass(frozen=True)
class _Topic:
    name: str
    kind: type
    field: str
    encoding: str = ''


TOPICS = {
    Output.MASK: _Topic('~/segmentation/mask', Image, 'labels', 'mono8'),
    Output.COLOR: _Topic('~/segmentation/color', Image, 'color', 'rgb8'),
    Output.OVERLAY: _Topic('~/segmentation/overlay', Image, 'overlay', 'rgb8'),
    Output.CONFIDENCE: _Topic('~/segmentation/confidence', Image, 'confidence', 'mono8'),
    Output.DEPTH: _Topic('~/depth/image', Image, 'depth', '32FC1'),
    Output.DEPTH_COLOR: _Topic('~/depth/color', Image, 'depth_color', 'rgb8'),
    Output.NORMALS: _Topic('~/normals/image', Image, 'normals', '32FC3'),
    Output.POINTS: _Topic('~/points', PointCloud2, 'cloud'),
}
DEPTH_INFO_TOPIC = '~/depth/camera_info'
LABEL_TOPIC = '~/segmentation/label_info'


class Outputs:
    """
    Publishers of the outputs that a model can give; their messages are kept and used again.

    Publishers are reliable with a short queue, as RViz asks; every policy is open through
    ``qos_overrides``.
    """

    def __init__(self, node: LifecycleNode, info: ModelInfo, available: frozenset[Output]) -> None:
        self._node = node
        self._pool = BufferPool()
        self._publishers = {
            output: self._publisher(topic.kind, topic.name)
            for output, topic in TOPICS.items() if output in available
        }  # fmt: skip
        self._messages = {
            output: empty_message(TOPICS[output].kind) for output in self._publishers
        }
        self._depth_info = (
            self._publisher(CameraInfo, DEPTH_INFO_TOPIC)
            if Output.DEPTH in available else None
        )  # fmt: skip
        self._labels = self._label_publisher(info) if Output.MASK in available else None

    def _publisher(
        self, kind: type, topic: str, depth: int = QUEUE,
        durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
    ) -> Any:  # fmt: skip
        # rclpy writes the overrides of a topic into the profile it is given: one for each.
        profile = QoSProfile(
            depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=durability
        )
        return self._node.create_lifecycle_publisher(
            kind, topic, profile,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )  # fmt: skip

    def _label_publisher(self, info: ModelInfo) -> tuple[Any, Any] | None:
        message = label_info(info, Header(stamp=self._node.get_clock().now().to_msg()))
        if message is None:
            self._node.get_logger().info(
                f'vision_msgs is not installed: {LABEL_TOPIC} is not published.'
            )
            return None
        latched = DurabilityPolicy.TRANSIENT_LOCAL
        return self._publisher(type(message), LABEL_TOPIC, 1, latched), message

    def announce(self) -> None:
        """Publish what is latched; call when the publishers are active."""
        if self._labels is not None:
            publisher, message = self._labels
            publisher.publish(message)

    def wanted(self) -> frozenset[Output]:
        """Return the outputs that somebody listens to now."""
        heard = {
            output for output, publisher in self._publishers.items()
            if publisher.get_subscription_count()
        }  # fmt: skip
        return frozenset(heard)

    def publish(
        self, result: PerceptionResult, wanted: frozenset[Output], header: Header,
        source: CameraInfo | None, *, depth_encoding: str,
    ) -> dict[str, float]:  # fmt: skip
        """
        Publish what is wanted of a result, every message with the image's own header.

        The order is that of :data:`TOPICS`: who waits for the small mask need not wait for the
        large cloud.

        :returns: milliseconds spent on filling messages, ``message``, and in rclpy, ``publish``.
        """
        filling = publishing = 0.0
        for output, publisher in self._publishers.items():
            values = getattr(result, TOPICS[output].field) if output in wanted else None
            if values is None:
                continue
            started = time.perf_counter()
            message = self._fill(output, values, header, depth_encoding)
            filled = time.perf_counter()
            publisher.publish(message)
            filling += filled - started
            publishing += time.perf_counter() - filled
        if source is not None and result.depth is not None:
            self._publish_depth_info(source, result.depth.shape[:2], header)
        return {'message': 1e3 * filling, 'publish': 1e3 * publishing}

    def _fill(self, output: Output, values: Any, header: Header, depth_encoding: str) -> Any:
        message = self._messages[output]
        if output is Output.POINTS:
            return fill_cloud(message, values, header)
        if output is Output.DEPTH and depth_encoding == '16UC1':
            return fill_image(message, millimetres(values, self._pool), '16UC1', header)
        return fill_image(message, values, TOPICS[output].encoding, header)

    def _publish_depth_info(
        self, source: CameraInfo, size: tuple[int, int], header: Header
    ) -> None:
        if self._depth_info is not None and self._depth_info.get_subscription_count():
            self._depth_info.publish(scaled_camera_info(source, *size, header))

    def destroy(self) -> None:
        """Destroy every publisher."""
        destroy: Callable[[Any], bool] = self._node.destroy_lifecycle_publisher
        for publisher in self._publishers.values():
            destroy(publisher)
        if self._depth_info is not None:
            destroy(self._depth_info)
        if self._labels is not None:
            destroy(self._labels[0])


def millimetres(depth: NDArray[np.float32], pool: BufferPool) -> NDArray[np.uint16]:
    """
    Return depth (H, W) as REP 118 has it for 16UC1: millimetres, 0 unknown or too far.

    :param depth: metres, NaN unknown.
    """
    scaled = pool.get('scaled', depth.shape, np.float32)
    cv2.multiply(depth, 1000.0, scaled)
    cv2.threshold(scaled, _LARGEST_MILLIMETRES, 0, cv2.THRESH_TOZERO_INV, scaled)
    # Rounds half to even; NaN becomes the smallest integer, which saturates to 0.
    out = pool.get('millimetres', depth.shape, np.uint16)
    return cv2.multiply(scaled, 1.0, out, dtype=cv2.CV_16U)
