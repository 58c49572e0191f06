"""
A subscriber process: ``python -m benchmarks.suites.frame.subscriber TOPIC=TYPE ...``.

It answers each line on standard input with one line of JSON: the message count of each topic and
the sha256 of its last message's data. It ends when standard input is closed.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image, PointCloud2

from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.shutdown import until_shutdown

MESSAGE_TYPES = {'Image': Image, 'PointCloud2': PointCloud2}
_QUEUE = 5


class Subscriber:
    """Counts of messages by topic, and the data of each topic's last message."""

    def __init__(self, topics: dict[str, str]) -> None:
        self.node = rclpy.create_node('bench_subscriber')
        self.counts = dict.fromkeys(topics, 0)
        self.last: dict[str, Any] = {}
        for topic, message_type in topics.items():
            self._subscribe(topic, MESSAGE_TYPES[message_type])

    def _subscribe(self, topic: str, message_type: type) -> None:
        def received(message: Any) -> None:
            self.counts[topic] += 1
            self.last[topic] = message.data

        self.node.create_subscription(message_type, topic, received, _QUEUE)

    def report(self) -> dict[str, Any]:
        """Return count and checksum by topic."""
        return {topic: self._report_of(topic) for topic in self.counts}

    def _report_of(self, topic: str) -> dict[str, Any]:
        data = self.last.get(topic, b'')
        return {'count': self.counts[topic], 'sha256': hashlib.sha256(data).hexdigest()}


def main(arguments: list[str]) -> None:
    """Subscribe until standard input is closed."""
    keep_freed_memory()
    rclpy.init()
    subscriber = Subscriber(dict(item.split('=') for item in arguments))
    executor = SingleThreadedExecutor()
    executor.add_node(subscriber.node)

    def spin() -> None:
        with until_shutdown():
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    for _ in sys.stdin:
        print(json.dumps(subscriber.report()), flush=True)
    rclpy.try_shutdown()
    thread.join(5)


if __name__ == '__main__':
    main(sys.argv[1:])
