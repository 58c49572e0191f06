"""
A subscriber in a process of its own: ``python -m benchmarks.suites.listener TOPIC=TYPE ...``.

Answers each line on standard input with one line of JSON: by topic, how many messages came and
the sha256 of the last one's data. Ends when standard input does.
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

from hydranet_ros.ros.ending import until_told_to_end
from hydranet_ros.ros.profile import keep_large_blocks

KINDS = {'Image': Image, 'PointCloud2': PointCloud2}
_QUEUE = 5


class Listener:
    """What has come on each topic; the messages themselves are let go."""

    def __init__(self, topics: dict[str, str]) -> None:
        self.node = rclpy.create_node('bench_listener')
        self.counts = dict.fromkeys(topics, 0)
        self.last: dict[str, Any] = {}
        for topic, kind in topics.items():
            self._subscribe(topic, KINDS[kind])

    def _subscribe(self, topic: str, kind: type) -> None:
        def heard(message: Any) -> None:
            self.counts[topic] += 1
            self.last[topic] = message.data

        self.node.create_subscription(kind, topic, heard, _QUEUE)

    def report(self) -> dict[str, Any]:
        """Return count and hash by topic."""
        return {topic: self._of(topic) for topic in self.counts}

    def _of(self, topic: str) -> dict[str, Any]:
        data = self.last.get(topic, b'')
        return {'count': self.counts[topic], 'sha256': hashlib.sha256(data).hexdigest()}


def main(arguments: list[str]) -> None:
    """Listen until standard input ends."""
    keep_large_blocks()
    rclpy.init()
    listener = Listener(dict(item.split('=') for item in arguments))
    executor = SingleThreadedExecutor()
    executor.add_node(listener.node)

    def spin() -> None:
        with until_told_to_end():
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    for _ in sys.stdin:
        print(json.dumps(listener.report()), flush=True)
    rclpy.try_shutdown()
    thread.join(5)


if __name__ == '__main__':
    main(sys.argv[1:])
