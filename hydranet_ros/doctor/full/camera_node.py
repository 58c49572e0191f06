"""A camera that publishes a street image, and a subscriber to the node's cloud."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from hydranet_ros.doctor.full.images import street_images
from hydranet_ros.doctor.full.timing import SIZE, camera_of
from hydranet_ros.errors import DoctorError
from hydranet_ros.perception.outputs import OUTPUTS, Output
from hydranet_ros.ros.conversions import camera_info_message, fill_image
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.domains import free_domain

_PERIOD = 0.1


class CameraNode:
    """
    Camera and subscriber on a ROS domain of their own; a context manager.

    ``domain`` is the domain, ``received`` the time of the first cloud on the clock of
    ``time.monotonic``.
    """

    def __init__(self) -> None:
        self.domain = 0
        self.received = 0.0
        self._points = 0
        self._stack = ExitStack()

    def __enter__(self) -> CameraNode:
        apply_dds_profile()
        self.domain = self._stack.enter_context(free_domain())
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=self.domain)
        self._stack.callback(context.try_shutdown)
        node = Node('hydranet_doctor', context=context)
        self._stack.callback(node.destroy_node)
        self._create_camera(node)
        self._cloud = node.create_subscription(
            PointCloud2, OUTPUTS[Output.POINTS].full_name, self._take, 1
        )
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)
        self._stack.callback(self._executor.shutdown)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()

    def _create_camera(self, node: Node) -> None:
        header = Header(frame_id='camera')
        info = camera_info_message(camera_of(SIZE), header)
        image = fill_image(Image(), street_images(1, SIZE)[0], 'rgb8', header)
        infos = node.create_publisher(CameraInfo, 'camera_info', 1)
        images = node.create_publisher(Image, 'image', 1)

        def tick() -> None:
            image.header.stamp = info.header.stamp = node.get_clock().now().to_msg()
            infos.publish(info)
            images.publish(image)

        node.create_timer(_PERIOD, tick)

    def _take(self, message: Any) -> None:
        if not self.received:
            self.received = time.monotonic()
            self._points = message.width * message.height

    def forget(self) -> None:
        """Forget the cloud that was received."""
        self.received, self._points = 0.0, 0

    def wait_for_cloud(self, until: float, process: subprocess.Popen) -> int:
        """
        Return the number of points of the first cloud.

        :param until: end on the clock of ``time.monotonic``.
        :param process: the node's process.
        :raises DoctorError: if the process ends or the time is over.
        """
        while not self.received:
            self._executor.spin_once(timeout_sec=0.05)
            if process.poll() is not None:
                raise DoctorError(f'The node ended with status {process.returncode}.')
            if time.monotonic() > until:
                raise DoctorError('The node published no cloud in time.')
        return self._points
