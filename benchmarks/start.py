"""
From the start of the process to the first published mask, depth and cloud.

A camera publishes at 30 Hz; ``hydranet run street`` is started again and again::

    python benchmarks/start.py
    python benchmarks/start.py --rounds 5 --require 3.0
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from hydranet_ros.geometry import CameraModel
from hydranet_ros.ros.demo import free_domain
from hydranet_ros.ros.messages import fill_image
from hydranet_ros.ros.player import camera_info_message
from hydranet_ros.ros.profile import apply_dds_profile

TOPICS = {'mask': Image, 'depth': Image, 'points': PointCloud2}
NAMES = {'mask': 'segmentation/mask', 'depth': 'depth/image', 'points': 'points'}


def main() -> int:
    """Run the rounds and print each, and their median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--require', type=float, default=0.0, help='fail above so many seconds')
    options = parser.parse_args()
    apply_dds_profile()
    with free_domain() as domain:
        rclpy.init(domain_id=domain)
        os.environ['ROS_DOMAIN_ID'] = str(domain)
        took = [round_trip(index) for index in range(options.rounds)]
        rclpy.shutdown()
    print(f'median {statistics.median(took):.2f} s to the first mask, depth and cloud')
    return int(bool(options.require) and statistics.median(took) > options.require)


def round_trip(index: int) -> float:
    """Start the node once and return the seconds until all three outputs have come."""
    node = Node('camera')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    first: dict[str, float] = {}

    def listen(name: str) -> None:
        def heard(_: object) -> None:
            first.setdefault(name, time.monotonic())

        node.create_subscription(TOPICS[name], f'/hydranet/{NAMES[name]}', heard, 5)

    for name in TOPICS:
        listen(name)
    header = Header(frame_id='camera')
    camera = CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0)
    infos = node.create_publisher(CameraInfo, 'camera_info', 1)
    images = node.create_publisher(Image, 'image', 1)
    picture = fill_image(Image(), np.zeros((480, 640, 3), np.uint8), 'rgb8', header)
    info = camera_info_message(camera, header)

    def tick() -> None:
        infos.publish(info)
        images.publish(picture)

    node.create_timer(1 / 30, tick)
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, '-m', 'hydranet_ros', 'run', 'street'], stderr=subprocess.DEVNULL
    )
    while len(first) < len(TOPICS) and time.monotonic() - started < 60:
        executor.spin_once(timeout_sec=0.05)
    process.send_signal(signal.SIGINT)
    process.wait()
    executor.shutdown()
    node.destroy_node()
    took = max(first.values()) - started
    parts = ', '.join(f'{name} {moment - started:.2f} s' for name, moment in first.items())
    print(f'round {index + 1}: {parts}')
    return took


if __name__ == '__main__':
    sys.exit(main())
