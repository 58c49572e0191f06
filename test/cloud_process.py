"""
A process that publishes or receives point clouds of 7 MB.

``cloud_process.py publish COUNT`` waits for COUNT subscribers, prints the checksum of the cloud,
and publishes it until it is ended. ``cloud_process.py receive best_effort|reliable`` prints the
size and the checksum of the first cloud that arrives. The first line of both is the DDS profile.
The environment selects the profile, as for every process of the package.
"""

from __future__ import annotations

import sys
import zlib
from array import array

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2

from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.dds_profile import apply_dds_profile

SIZE = 7_452_000
PERIOD = 0.1


def publish(node: Node, count: int) -> None:
    """Publish a cloud of random bytes until the process is ended."""
    publisher = node.create_publisher(PointCloud2, 'cloud', 2)
    data = np.random.default_rng(1).integers(0, 256, SIZE, np.uint8).tobytes()
    message = PointCloud2(data=array('B', data))
    while publisher.get_subscription_count() < count:
        rclpy.spin_once(node, timeout_sec=PERIOD)
    print(zlib.crc32(data), flush=True)
    while True:
        publisher.publish(message)
        rclpy.spin_once(node, timeout_sec=PERIOD)


def receive(node: Node, reliability: str) -> None:
    """Print size and checksum of the first cloud."""
    received: list[PointCloud2] = []
    profile = QoSProfile(depth=1, reliability=ReliabilityPolicy[reliability.upper()])
    node.create_subscription(PointCloud2, 'cloud', received.append, profile)
    while not received:
        rclpy.spin_once(node, timeout_sec=PERIOD)
    print(len(received[0].data), zlib.crc32(received[0].data), flush=True)


def main() -> None:
    """Run the role given on the command line."""
    role, argument = sys.argv[1:]
    keep_freed_memory()
    print(apply_dds_profile(asynchronous=role == 'publish'), flush=True)
    rclpy.init()
    node = Node(role)
    if role == 'publish':
        publish(node, int(argument))
    else:
        receive(node, argument)


if __name__ == '__main__':
    main()
