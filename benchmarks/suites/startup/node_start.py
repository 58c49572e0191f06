"""Start the node as a process beside a camera and a subscriber; measure times and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from benchmarks.harness.inputs import make_image
from benchmarks.harness.processes import cpu_seconds
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BenchError
from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.conversions import camera_info_message, fill_image
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.domains import free_domain
from hydranet_ros.ros.shutdown import until_shutdown

TOPICS = {'segmentation/mask': Image, 'depth/image': Image, 'points': PointCloud2}
_PERIOD = 1 / 30
_FRAMES_AT_WORK = 20
_SETTLE = 1.0
_TIMEOUT = 300.0
_STOP_TIMEOUT = 60.0
_LOADED, _ACTIVE, _FAILED = ' loaded on ', 'active: ', 'did not start'
_LOG_LINES = 4


@dataclass
class Start:
    """
    One start of the node; seconds since its process was created.

    :param loaded: when the node logged that its model is loaded.
    :param active: when it logged that it is active.
    :param first: when the first message arrived, by topic.
    :param cpu: CPU seconds used until the first message of the last topic.
    :param memory: resident memory after some frames, in 10^6 bytes.
    :param read: bytes read from disk until then, in 10^6.
    """

    loaded: float = 0.0
    active: float = 0.0
    first: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0
    memory: float = 0.0
    read: float = 0.0

    @property
    def first_result(self) -> float:
        """Return when a message of every topic had arrived."""
        return max(self.first.values())


class NodeStarter:
    """
    Camera and subscriber that start the node; a context manager.

    :param model: model file instead of the preset's own.
    :param timeout: longest time of a start, in seconds.
    """

    def __init__(self, model: Path | None = None, timeout: float = _TIMEOUT) -> None:
        self._model = model
        self._timeout = timeout
        self._stack = ExitStack()
        self._received: dict[str, list[float]] = {}
        self._sending = False

    def __enter__(self) -> NodeStarter:
        keep_freed_memory()
        apply_dds_profile()
        self._domain = self._stack.enter_context(free_domain())
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=self._domain)
        self._stack.callback(context.try_shutdown)
        self._node = Node('bench_camera', context=context)
        self._stack.callback(self._node.destroy_node)
        self._create_camera()
        for topic, message_type in TOPICS.items():
            self._node.create_subscription(
                message_type, f'/hydranet/{topic}', self._callback(topic), 5
            )
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(self._node)
        thread = threading.Thread(target=_spin, args=(executor, context), daemon=True)
        thread.start()
        self._stack.callback(thread.join, 5)
        self._stack.callback(executor.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _create_camera(self) -> None:
        header = Header(frame_id='camera')
        info = camera_info_message(CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0), header)
        image = fill_image(Image(), make_image(480, 640), 'rgb8', header)
        infos = self._node.create_publisher(CameraInfo, 'camera_info', 1)
        images = self._node.create_publisher(Image, 'image', 1)

        def tick() -> None:
            if self._sending:
                image.header.stamp = info.header.stamp = self._node.get_clock().now().to_msg()
                infos.publish(info)
                images.publish(image)

        self._node.create_timer(_PERIOD, tick)

    def _callback(self, topic: str) -> Callable[[Any], None]:
        def received(_: Any) -> None:
            self._received.setdefault(topic, []).append(time.monotonic())

        return received

    def first_result(
        self, variables: Mapping[str, str] | None = None, checkout: Path | None = None
    ) -> Start:
        """
        Start the node while the camera publishes; stop it after some frames.

        :param variables: additional environment variables of the node.
        :param checkout: checkout to start; ``None`` for the installed package.
        :raises BenchError: if nothing is published, or the node does not end cleanly.
        """
        self._received.clear()
        self._sending = True
        start = Start()
        try:
            with self._start(variables or {}, checkout) as node:
                node.wait(lambda: len(self._received) == len(TOPICS))
                start.cpu = cpu_seconds(node.pid)
                start.first = {topic: self._received[topic][0] - node.begin for topic in TOPICS}
                node.wait(lambda: len(self._received['points']) >= _FRAMES_AT_WORK)
                start.memory, start.read = resident_mb(node.pid), read_mb(node.pid)
                start.loaded, start.active = node.logged_at(_LOADED), node.logged_at(_ACTIVE)
        finally:
            self._sending = False
        return start

    def memory_at_rest(self, checkout: Path | None = None) -> float:
        """
        Start the node without images; return its resident memory in 10^6 bytes.

        :param checkout: checkout to start; ``None`` for the installed package.
        :raises BenchError: if it does not become active.
        """
        self._sending = False
        with self._start({}, checkout) as node:
            node.wait(lambda: node.logged_at(_ACTIVE) > 0)
            time.sleep(_SETTLE)
            return resident_mb(node.pid)

    def _start(self, variables: Mapping[str, str], checkout: Path | None) -> _NodeProcess:
        environment = self._environment(variables)
        if checkout is not None:
            environment['PYTHONPATH'] = str(checkout)
        return _NodeProcess(self._command(), environment, self._timeout, checkout)

    def _command(self) -> list[str]:
        command = [sys.executable, '-m', 'hydranet_ros', 'run', 'street', '--ros-args']
        command += ['-p', 'provider:=cpu']
        if self._model is not None:
            command += ['-p', f'model:={self._model}']
        return command

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            **os.environ, 'ROS_DOMAIN_ID': str(self._domain), 'PYTHONUNBUFFERED': '1',
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', **variables,
        }  # fmt: skip


def _spin(executor: SingleThreadedExecutor, context: rclpy.Context) -> None:
    with until_shutdown(context):
        executor.spin()


class _NodeProcess:
    """Process of the node, with the time of each line of its log."""

    def __init__(
        self, command: list[str], environment: dict[str, str], timeout: float,
        folder: Path | None,
    ) -> None:  # fmt: skip
        self._timeout = timeout
        self._lines: list[tuple[float, str]] = []
        self.begin = time.monotonic()
        self._process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            cwd=folder,
        )  # fmt: skip
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> _NodeProcess:
        return self

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append((time.monotonic(), line.rstrip()))

    def logged_at(self, text: str) -> float:
        """Return the seconds after which a line with this text was logged; 0 if none was."""
        return next((when - self.begin for when, line in self._lines if text in line), 0.0)

    def wait(self, condition: Callable[[], bool]) -> None:
        """
        Wait until a condition holds.

        :raises BenchError: with the last log lines, if the node fails, ends, or the time is over.
        """
        until = time.monotonic() + self._timeout
        while not condition():
            if self._process.poll() is not None or self.logged_at(_FAILED):
                self._process.terminate()
                self._reader.join(_STOP_TIMEOUT)
                raise BenchError(f'The node failed. Last lines of its log: {self._tail()}')
            if time.monotonic() > until:
                raise BenchError(
                    f'No result after {self._timeout:.0f} s. Last lines of its log: {self._tail()}'
                )
            time.sleep(0.005)

    def _tail(self) -> str:
        return ' / '.join(line for _, line in self._lines[-_LOG_LINES:]) or 'none'

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(5)
        assert self._process.stderr is not None
        self._process.stderr.close()
        if status and kind is None:
            raise BenchError(f'The node ended with status {status}: {self._tail()}')


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in 10^6 bytes."""
    for line in Path(f'/proc/{pid}/status').read_text(encoding='ascii').splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchError(f'Process {pid} has no memory; it has ended.')


def read_mb(pid: int) -> float:
    """Return the 10^6 bytes that a process has read from disk."""
    for line in Path(f'/proc/{pid}/io').read_text(encoding='ascii').splitlines():
        if line.startswith('read_bytes:'):
            return int(line.split()[1]) / 1e6
    return 0.0
