"""
Processes around the node: camera, subscriber, and publisher and subscriber of clouds.

``python -m benchmarks.suites.ros_graph.workers ROLE [JSON]``: commands arrive as lines on stdin,
events leave on stdout (see :mod:`benchmarks.harness.processes`). The environment selects the DDS
profile, as for every process of the package.
"""

from __future__ import annotations

import json
import signal
import statistics
import sys
import time
import tracemalloc
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from benchmarks.harness.processes import TIMEOUT, Commands, emit_event
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.ros import latest_image
from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.conversions import camera_info_message, fill_image
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.node import HydranetNode
from hydranet_ros.ros.publishers import QUEUE_DEPTH
from hydranet_ros.ros.shutdown import until_shutdown

CLOUD_BYTES = 465_750 * 16
# Latency is measured by a reliable subscriber; loss, for both policies, at the camera's rate.
CLOUD_TOPICS = {
    'latency': ReliabilityPolicy.RELIABLE,
    'reliable': ReliabilityPolicy.RELIABLE,
    'best_effort': ReliabilityPolicy.BEST_EFFORT,
}
OUTPUTS: Mapping[str, tuple[str, type]] = {
    'mask': ('segmentation/mask', Image),
    'depth': ('depth/image', Image),
    'points': ('points', PointCloud2),
}
SUBSCRIBER_QUEUE = 5
_MATCH_TIMEOUT = 0.8 * TIMEOUT
_IDLE = 0.002


@contextmanager
def _spinning(name: str) -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    rclpy.init()
    node = Node(name)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with until_shutdown():
            yield node, executor
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def _stamp(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def _nanoseconds(stamp: Time) -> int:
    return stamp.sec * 10**9 + stamp.nanosec


def _matched(publishers: list[Any], count: int) -> bool:
    """Wait until each publisher has ``count`` subscribers; return whether it has."""
    until = time.monotonic() + _MATCH_TIMEOUT
    while any(item.get_subscription_count() < count for item in publishers):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def cloud_publisher(options: Mapping[str, Any]) -> None:
    """Publish clouds: ``match N`` waits for N subscribers, ``send TOPIC COUNT RATE``."""
    data = np.random.default_rng(1).integers(0, 256, CLOUD_BYTES, np.uint8)
    message = PointCloud2(height=1, width=CLOUD_BYTES // 16, point_step=16)
    message.data = array('B', data.tobytes())
    with _spinning('cloud_publisher') as (node, _):
        publishers = {
            name: node.create_publisher(PointCloud2, f'cloud_{name}', QUEUE_DEPTH)
            for name in CLOUD_TOPICS
        }

        def execute(words: list[str]) -> None:
            if words[0] == 'match':
                emit_event(matched=_matched(list(publishers.values()), int(words[1])))
            else:
                _publish(publishers[words[1]], message, int(words[2]), float(words[3]))

        Commands().serve(execute, partial(time.sleep, _IDLE))


def _publish(publisher: Any, message: PointCloud2, count: int, rate: float) -> None:
    """Publish ``count`` clouds on a fixed schedule; a late one does not delay the others."""
    took: list[float] = []
    start = time.monotonic()
    for index in range(count):
        time.sleep(max(0.0, start + index / rate - time.monotonic()))
        message.header.frame_id = str(index)
        begin = time.monotonic_ns()
        message.header.stamp = _stamp(begin)
        publisher.publish(message)
        took.append(1e-6 * (time.monotonic_ns() - begin))
    emit_event(sent=count, publish_ms=statistics.median(took), checksum=zlib.crc32(message.data))


def cloud_subscriber(options: Mapping[str, Any]) -> None:
    """Emit the time of every cloud from before publish() to the entry of the callback."""
    with _spinning('cloud_subscriber') as (node, executor):

        def received(topic: str, message: PointCloud2) -> None:
            latency = 1e-6 * (time.monotonic_ns() - _nanoseconds(message.header.stamp))
            checked = topic == 'latency'
            emit_event(
                topic=topic, number=int(message.header.frame_id), latency_ms=latency,
                checksum=zlib.crc32(message.data) if checked else None, size=len(message.data),
            )  # fmt: skip

        for topic, reliability in CLOUD_TOPICS.items():
            profile = QoSProfile(depth=SUBSCRIBER_QUEUE, reliability=reliability)
            callback = partial(received, topic)
            node.create_subscription(PointCloud2, f'cloud_{topic}', callback, profile)
        emit_event(ready=True)
        Commands().serve(lambda words: None, partial(executor.spin_once, 0.05))


class _Camera:
    """Publishes bgr8 images and camera infos on a fixed schedule while it is started."""

    def __init__(self, node: Node, namespace: str, size: tuple[int, int]) -> None:
        width, height = size
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        self._header = Header(frame_id='camera')
        self._image = fill_image(Image(), pixels, 'bgr8', self._header)
        model = CameraModel(width, height, 0.9 * width, 0.9 * width, width / 2, height / 2)
        self._info = camera_info_message(model, self._header)
        self._infos = node.create_publisher(CameraInfo, f'{namespace}/camera_info', 1)
        self._images = node.create_publisher(Image, f'{namespace}/image', 1)
        self._rate, self._begin, self._sent = 0.0, 0.0, 0

    def execute(self, words: list[str]) -> None:
        """Execute ``match``, ``start RATE`` or ``stop``."""
        if words[0] == 'match':
            emit_event(matched=_matched([self._infos, self._images], 1))
        elif words[0] == 'start':
            self._rate, self._begin, self._sent = float(words[1]), time.monotonic(), 0
        else:
            self._rate = 0.0
            emit_event(sent=self._sent)

    def idle(self) -> None:
        """Publish the next image if it is due."""
        due = self._begin + self._sent / self._rate if self._rate else float('inf')
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, _IDLE))
            return
        self._header.stamp = _stamp(time.time_ns())
        self._infos.publish(self._info)
        self._images.publish(self._image)
        self._sent += 1


def camera(options: Mapping[str, Any]) -> None:
    """Run a camera: ``match``, ``start RATE``, ``stop``."""
    with _spinning('camera') as (node, _):
        made = _Camera(node, options['namespace'], options['size'])
        Commands().serve(made.execute, made.idle)


class _Subscriber:
    """Subscriptions to the outputs of several nodes, created and destroyed on command."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._subscriptions: list[Any] = []

    def execute(self, words: list[str]) -> None:
        """Execute ``unsubscribe``, or ``subscribe TIMING NAMESPACE...``."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        if words[0] == 'subscribe':
            for namespace in words[2:]:
                self._subscribe_to_node(namespace, timing=words[1] == 'timing')
        emit_event(subscriptions=len(self._subscriptions))

    def _subscribe_to_node(self, namespace: str, *, timing: bool) -> None:
        for name, (topic, kind) in OUTPUTS.items():
            callback = partial(_emit_latency, namespace, name)
            self._subscribe(kind, f'{namespace}/hydranet/{topic}', callback)
        if timing:
            callback = partial(_emit_timing, namespace)
            self._subscribe(DiagnosticStatus, f'{namespace}/hydranet/timing', callback)

    def _subscribe(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        made = self._node.create_subscription(kind, topic, callback, SUBSCRIBER_QUEUE)
        self._subscriptions.append(made)


def _emit_latency(namespace: str, name: str, message: Any) -> None:
    stamp = _nanoseconds(message.header.stamp)
    latency = 1e-6 * (time.time_ns() - stamp)
    emit_event(node=namespace, output=name, stamp=stamp, latency_ms=latency)


def _emit_timing(namespace: str, message: DiagnosticStatus) -> None:
    values = {item.key: float(item.value) for item in message.values}
    emit_event(node=namespace, output='timing', at=time.monotonic(), **values)


def subscriber(options: Mapping[str, Any]) -> None:
    """Emit the age of every result at the entry of its callback."""
    with _spinning('subscriber') as (node, executor):
        Commands().serve(_Subscriber(node).execute, partial(executor.spin_once, 0.05))


class _TracedNode(HydranetNode):
    """A node that emits how much Python allocates for each frame."""

    def _on_image(self, *arguments: Any) -> None:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        super()._on_image(*arguments)
        kept, peak = tracemalloc.get_traced_memory()
        emit_event(allocated_kb=(peak - before) / 1024, kept_kb=(kept - before) / 1024)


def node(options: Mapping[str, Any]) -> None:
    """
    Run the node in this process.

    ``executor`` is ``single`` or ``events``; ``traced`` counts allocations; ``skip_late`` false
    processes images however long they waited; ``parameters`` are those of the node.
    """
    if not options.get('skip_late', True):
        latest_image.FRESH_PERIODS = latest_image.LATE_PERIODS
    rclpy.init(args=options.get('arguments'))
    parameters = [Parameter(name, value=value) for name, value in options['parameters'].items()]
    kind = _TracedNode if options.get('traced') else HydranetNode
    made = kind(parameter_overrides=parameters)
    executor = _executor(options.get('executor', 'single'))
    if options.get('traced'):
        tracemalloc.start()
    try:
        with until_shutdown():
            executor.add_node(made)
            executor.spin()
    finally:
        made.destroy_node()
        rclpy.try_shutdown()


def _executor(name: str) -> Any:
    if name == 'single':
        return SingleThreadedExecutor()
    from rclpy.experimental.events_executor import EventsExecutor

    return EventsExecutor()


ROLES: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    'cloud-publisher': cloud_publisher,
    'cloud-subscriber': cloud_subscriber,
    'camera': camera,
    'subscriber': subscriber,
    'node': node,
}


def main() -> None:
    """Run the role given on the command line."""
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.get('keep_freed_memory', True):
        keep_freed_memory()
    role = sys.argv[1]
    print(apply_dds_profile(asynchronous=role == 'node'), flush=True)
    ROLES[role](options)


if __name__ == '__main__':
    main()
