"""Publish the outputs that have subscribers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from hydranet_ros.camera.conventions import depth_to_millimeters
from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.perception.outputs import (
    DEPTH_CAMERA_INFO,
    LABEL_INFO,
    OUTPUTS,
    POINT_CLOUD,
    Output,
)
from hydranet_ros.perception.pipeline import PerceptionResult
from hydranet_ros.ros.conversions import (
    empty_message,
    fill_cloud,
    fill_image,
    label_info,
    require_message_class,
    scaled_camera_info,
)

QUEUE_DEPTH = 2


class Publishers:
    """
    Publishers of the outputs that a model can produce; their messages are reused.

    They are reliable with a short queue, as RViz requests. ``qos_overrides`` can change every
    policy.

    :param available: outputs that the model can produce.
    """

    def __init__(self, node: LifecycleNode, info: ModelInfo, available: frozenset[Output]) -> None:
        self._node = node
        self._pool = BufferPool()
        classes = {out: require_message_class(spec.message_type) for out, spec in OUTPUTS.items()}
        self._publishers = {
            output: self._publisher(classes[output], spec.private_name)
            for output, spec in OUTPUTS.items() if output in available
        }  # fmt: skip
        self._messages = {output: empty_message(classes[output]) for output in self._publishers}
        self._depth_info = (
            self._publisher(CameraInfo, DEPTH_CAMERA_INFO.private_name)
            if Output.DEPTH in available else None
        )  # fmt: skip
        self._labels = self._label_publisher(info) if Output.MASK in available else None

    def _publisher(
        self, kind: Any, topic: str, depth: int = QUEUE_DEPTH,
        durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
    ) -> Any:  # fmt: skip
        # rclpy writes a topic's overrides into the profile, so each topic needs its own.
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
                f'vision_msgs is not installed; {LABEL_INFO.private_name} is not published.'
            )
            return None
        latched = DurabilityPolicy.TRANSIENT_LOCAL
        return self._publisher(type(message), LABEL_INFO.private_name, 1, latched), message

    def publish_latched(self) -> None:
        """Publish the latched messages; call this once the publishers are active."""
        if self._labels is not None:
            publisher, message = self._labels
            publisher.publish(message)

    def wanted(self) -> frozenset[Output]:
        """Return the outputs that currently have a subscriber."""
        return frozenset(
            output for output, publisher in self._publishers.items()
            if publisher.get_subscription_count()
        )  # fmt: skip

    def publish(
        self, result: PerceptionResult, wanted: frozenset[Output], header: Header,
        source: CameraInfo | None, *, depth_encoding: str,
    ) -> dict[str, float]:  # fmt: skip
        """
        Publish the wanted outputs of a result, each with the image's header.

        :param source: camera info of the image, if known.
        :param depth_encoding: 32FC1 or 16UC1.
        :returns: milliseconds to fill the messages (``message``) and in rclpy (``publish``).
        """
        filling = publishing = 0.0
        for output, publisher in self._publishers.items():
            values = result.values.get(output) if output in wanted else None
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
        message, spec = self._messages[output], OUTPUTS[output]
        if spec.message_type == POINT_CLOUD:
            return fill_cloud(message, values, header)
        if output is Output.DEPTH and depth_encoding == '16UC1':
            scratch = self._pool.get('scaled depth', values.shape, np.float32)
            out = self._pool.get('millimeters', values.shape, np.uint16)
            values = depth_to_millimeters(values, out, scratch)
            return fill_image(message, values, depth_encoding, header)
        return fill_image(message, values, spec.encoding, header)

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
