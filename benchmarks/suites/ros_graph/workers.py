"""
The processes around the node in the benchmark ``graph``: camera, listener, clouds in and out.

``python -m benchmarks.suites.graph_workers ROLE [JSON]``; commands come as lines on stdin, facts
go out on stdout (see :mod:`benchmarks.suites.processes`). Which Fast DDS profile a process gets
is decided by the environment, as for every process of the package.
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

from benchmarks.suites.processes import Commands, say_fact
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.ros import freshness
from hydranet_ros.ros.ending import until_told_to_end
from hydranet_ros.ros.messages import fill_image
from hydranet_ros.ros.node import HydranetNode
from hydranet_ros.ros.outputs import QUEUE
from hydranet_ros.ros.player import camera_info_message
from hydranet_ros.ros.profile import apply_dds_profile, keep_large_blocks

CLOUD_BYTES = 465_750 * 16
# Latency is asked of a reliable subscriber; what is lost, of both kinds, at the camera's rate.
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
_MATCH_LIMIT = 30.0


@contextmanager
def _spinning(name: str) -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    rclpy.init()
    node = Node(name)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        with until_told_to_end():
            yield node, executor
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def _stamp(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def _nanoseconds(stamp: Time) -> int:
    return stamp.sec * 10**9 + stamp.nanosec


def _at_rate(count: int, rate: float, work: Callable[[], None]) -> None:
    """Call ``work`` on a fixed schedule; what is late does not shift the rest."""
    begin = time.monotonic()
    for index in range(count):
        time.sleep(max(0.0, begin + index / rate - time.monotonic()))
        work()


def _matched(publishers: list[Any], wanted: int) -> bool:
    until = time.monotonic() + _MATCH_LIMIT
    while any(item.get_subscription_count() < wanted for item in publishers):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def send_cloud(options: Mapping[str, Any]) -> None:
    """Publish clouds: ``match N`` waits for N subscribers, ``send TOPIC COUNT RATE``."""
    data = np.random.default_rng(1).integers(0, 256, CLOUD_BYTES, np.uint8)
    message = PointCloud2(height=1, width=CLOUD_BYTES // 16, point_step=16)
    message.data = array('B', data.tobytes())
    with _spinning('cloud_sender') as (node, _):
        publishers = {
            name: node.create_publisher(PointCloud2, f'cloud_{name}', QUEUE)
            for name in CLOUD_TOPICS
        }

        def work(words: list[str]) -> None:
            if words[0] == 'match':
                say_fact(matched=_matched(list(publishers.values()), int(words[1])))
            else:
                _send(publishers[words[1]], message, int(words[2]), float(words[3]))

        Commands().serve(work, partial(time.sleep, 0.002))


def _send(publisher: Any, message: PointCloud2, count: int, rate: float) -> None:
    took: list[float] = []

    def publish() -> None:
        message.header.frame_id = str(len(took))
        begin = time.monotonic_ns()
        message.header.stamp = _stamp(begin)
        publisher.publish(message)
        took.append(1e-6 * (time.monotonic_ns() - begin))

    _at_rate(count, rate, publish)
    say_fact(sent=count, publish_ms=statistics.median(took), checksum=zlib.crc32(message.data))


def receive_cloud(options: Mapping[str, Any]) -> None:
    """Say of every cloud how long it took from before publish() to the entry of the callback."""
    with _spinning('cloud_receiver') as (node, executor):

        def hear(topic: str, message: PointCloud2) -> None:
            latency = 1e-6 * (time.monotonic_ns() - _nanoseconds(message.header.stamp))
            whole = topic == 'latency'
            say_fact(
                topic=topic, number=int(message.header.frame_id), latency_ms=latency,
                checksum=zlib.crc32(message.data) if whole else None, size=len(message.data),
            )  # fmt: skip

        for topic, reliability in CLOUD_TOPICS.items():
            profile = QoSProfile(depth=SUBSCRIBER_QUEUE, reliability=reliability)
            node.create_subscription(PointCloud2, f'cloud_{topic}', partial(hear, topic), profile)
        say_fact(ready=True)
        Commands().serve(lambda words: None, partial(executor.spin_once, 0.05))


def camera(options: Mapping[str, Any]) -> None:
    """Publish ``bgr8`` images and camera infos: ``match``, ``run SECONDS RATE``."""
    width, height = options['size']
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    header = Header(frame_id='camera')
    image = fill_image(Image(), pixels, 'bgr8', header)
    model = CameraModel(width, height, 0.9 * width, 0.9 * width, width / 2, height / 2)
    info = camera_info_message(model, header)
    with _spinning('camera') as (node, _):
        infos = node.create_publisher(CameraInfo, f'{options["namespace"]}/camera_info', 1)
        images = node.create_publisher(Image, f'{options["namespace"]}/image', 1)

        def publish() -> None:
            header.stamp = _stamp(time.time_ns())
            infos.publish(info)
            images.publish(image)

        def work(words: list[str]) -> None:
            if words[0] == 'match':
                say_fact(matched=_matched([infos, images], 1))
                return
            count = max(1, round(float(words[1]) * float(words[2])))
            _at_rate(count, float(words[2]), publish)
            say_fact(sent=count)

        Commands().serve(work, partial(time.sleep, 0.002))


class _Listener:
    """Subscriptions to the outputs of several nodes, which come and go."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._subscriptions: list[Any] = []

    def work(self, words: list[str]) -> None:
        """``deaf`` ends all subscriptions, ``hear TIMING NAMESPACE...`` starts new ones."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        if words[0] == 'hear':
            for space in words[2:]:
                self._hear_node(space, timing=words[1] == 'timing')
        say_fact(subscriptions=len(self._subscriptions))

    def _hear_node(self, space: str, *, timing: bool) -> None:
        for name, (topic, kind) in OUTPUTS.items():
            self._hear(kind, f'{space}/hydranet/{topic}', partial(_say_latency, space, name))
        if timing:
            self._hear(DiagnosticStatus, f'{space}/hydranet/timing', partial(_say_timing, space))

    def _hear(self, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        made = self._node.create_subscription(kind, topic, callback, SUBSCRIBER_QUEUE)
        self._subscriptions.append(made)


def _say_latency(space: str, name: str, message: Any) -> None:
    stamp = _nanoseconds(message.header.stamp)
    say_fact(node=space, output=name, stamp=stamp, latency_ms=1e-6 * (time.time_ns() - stamp))


def _say_timing(space: str, message: DiagnosticStatus) -> None:
    values = {item.key: float(item.value) for item in message.values}
    say_fact(node=space, output='timing', at=time.monotonic(), **values)


def listener(options: Mapping[str, Any]) -> None:
    """Say of every result how old it is when its callback is entered."""
    with _spinning('listener') as (node, executor):
        Commands().serve(_Listener(node).work, partial(executor.spin_once, 0.05))


class _TracedNode(HydranetNode):
    """Says what each frame allocates between the callback's entry and its end."""

    def _on_image(self, *arguments: Any) -> None:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        super()._on_image(*arguments)
        kept, peak = tracemalloc.get_traced_memory()
        say_fact(allocated_kb=(peak - before) / 1024, kept_kb=(kept - before) / 1024)


def node(options: Mapping[str, Any]) -> None:
    """
    Run the node inside this process.

    ``executor`` is ``single`` or ``events``, ``traced`` counts allocations, ``patient`` is false
    for a node that takes any image that lies there, ``parameters`` are the node's.
    """
    if not options.get('patient', True):
        freshness.SHARE = freshness.LATE
    rclpy.init(args=options.get('arguments'))
    parameters = [Parameter(name, value=value) for name, value in options['parameters'].items()]
    kind = _TracedNode if options.get('traced') else HydranetNode
    made = kind(parameter_overrides=parameters)
    executor = _executor(options.get('executor', 'single'))
    if options.get('traced'):
        tracemalloc.start()
    try:
        with until_told_to_end():
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
    'send-cloud': send_cloud,
    'receive-cloud': receive_cloud,
    'camera': camera,
    'listener': listener,
    'node': node,
}


def main() -> None:
    """Run the role of the command line."""
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.get('keep_large_blocks', True):
        keep_large_blocks()
    role = sys.argv[1]
    print(apply_dds_profile(asynchronous=role == 'node'), flush=True)
    ROLES[role](options)


if __name__ == '__main__':
    main()
