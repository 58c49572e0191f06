"""A camera and a subscriber that start the node, time it, and look at its memory."""

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

from benchmarks.suites.material import picture
from hydranet_ros.errors import BenchError
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.ros.demo import free_domain
from hydranet_ros.ros.ending import until_told_to_end
from hydranet_ros.ros.messages import fill_image
from hydranet_ros.ros.player import camera_info_message
from hydranet_ros.ros.profile import apply_dds_profile, keep_large_blocks

TOPICS = {'segmentation/mask': Image, 'depth/image': Image, 'points': PointCloud2}
_PERIOD = 1 / 30
_FRAMES_AT_WORK = 20
_SETTLE = 1.0
_STOP_LIMIT = 20.0


@dataclass
class Start:
    """
    One start; times in seconds since the process was made.

    :param loaded: when the node said that its model is loaded
    :param active: when it said that it listens
    :param first: when the first message of each topic was heard
    :param processor: processor seconds the process had used when the last topic was heard
    :param rss: MB after some frames
    :param read_mb: MB that the process had read from disk by then
    """

    loaded: float = 0.0
    active: float = 0.0
    first: dict[str, float] = field(default_factory=dict)
    processor: float = 0.0
    rss: float = 0.0
    read_mb: float = 0.0

    @property
    def first_result(self) -> float:
        """Return when the last of the topics had been heard."""
        return max(self.first.values())


class Starter:
    """
    Holds the camera and the subscriber; a context manager.

    :param model: model file instead of the preset's own
    :param limit: seconds that a start may take
    """

    def __init__(self, model: Path | None = None, limit: float = 120.0) -> None:
        self._model = model
        self._limit = limit
        self._stack = ExitStack()
        self._heard: dict[str, list[float]] = {}
        self._sending = False

    def __enter__(self) -> Starter:
        keep_large_blocks()
        apply_dds_profile()
        self._domain = self._stack.enter_context(free_domain())
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=self._domain)
        self._stack.callback(context.try_shutdown)
        self._node = Node('bench_camera', context=context)
        self._stack.callback(self._node.destroy_node)
        self._make_camera()
        for topic, kind in TOPICS.items():
            self._node.create_subscription(kind, f'/hydranet/{topic}', self._hear(topic), 5)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(self._node)
        thread = threading.Thread(target=_spin, args=(executor, context), daemon=True)
        thread.start()
        self._stack.callback(thread.join, 5)
        self._stack.callback(executor.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _make_camera(self) -> None:
        header = Header(frame_id='camera')
        info = camera_info_message(CameraModel(640, 480, 500.0, 500.0, 320.0, 240.0), header)
        image = fill_image(Image(), picture(480, 640), 'rgb8', header)
        infos = self._node.create_publisher(CameraInfo, 'camera_info', 1)
        images = self._node.create_publisher(Image, 'image', 1)

        def tick() -> None:
            if self._sending:
                image.header.stamp = info.header.stamp = self._node.get_clock().now().to_msg()
                infos.publish(info)
                images.publish(image)

        self._node.create_timer(_PERIOD, tick)

    def _hear(self, topic: str) -> Callable[[Any], None]:
        def heard(_: Any) -> None:
            self._heard.setdefault(topic, []).append(time.monotonic())

        return heard

    def to_first_result(self, changed: Mapping[str, str] | None = None) -> Start:
        """
        Start the node while the camera sends; stop it after some frames.

        :param changed: environment variables of the node
        :raises BenchError: if nothing comes, or it does not end cleanly
        """
        self._heard.clear()
        self._sending = True
        start = Start()
        try:
            with self._running(changed or {}) as node:
                node.wait(lambda: len(self._heard) == len(TOPICS))
                start.processor = processor_seconds(node.pid)
                start.first = {topic: self._heard[topic][0] - node.begin for topic in TOPICS}
                node.wait(lambda: len(self._heard['points']) >= _FRAMES_AT_WORK)
                start.rss, start.read_mb = rss_mb(node.pid), read_mb(node.pid)
                start.loaded, start.active = node.said(' loaded on '), node.said('active: ')
        finally:
            self._sending = False
        return start

    def at_rest(self) -> float:
        """
        Start the node without an image; return the MB it holds once it listens.

        :raises BenchError: if it does not come to listen
        """
        self._sending = False
        with self._running({}) as node:
            node.wait(lambda: node.said('active: ') > 0)
            time.sleep(_SETTLE)
            return rss_mb(node.pid)

    def _running(self, changed: Mapping[str, str]) -> _Running:
        return _Running(self._command(), self._environment(changed), self._limit)

    def _command(self) -> list[str]:
        command = [sys.executable, '-m', 'hydranet_ros', 'run', 'street']
        if self._model is not None:
            command += ['--ros-args', '-p', f'model:={self._model}']
        return command

    def _environment(self, changed: Mapping[str, str]) -> dict[str, str]:
        return {
            **os.environ, 'ROS_DOMAIN_ID': str(self._domain), 'PYTHONUNBUFFERED': '1',
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', **changed,
        }  # fmt: skip


def _spin(executor: SingleThreadedExecutor, context: rclpy.Context) -> None:
    with until_told_to_end(context):
        executor.spin()


class _Running:
    """The node's process, and when it said what."""

    def __init__(
        self, command: list[str], environment: dict[str, str], limit: float
    ) -> None:  # fmt: skip
        self._limit = limit
        self._lines: list[tuple[float, str]] = []
        self.begin = time.monotonic()
        self._process = subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> _Running:
        return self

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append((time.monotonic(), line.rstrip()))

    def said(self, text: str) -> float:
        """Return after how many seconds a line with this text came; 0 if none has."""
        return next((when - self.begin for when, line in self._lines if text in line), 0.0)

    def wait(self, condition: Callable[[], bool]) -> None:
        """
        Wait until a condition holds.

        :raises BenchError: with what the node said, if it ends or takes too long
        """
        until = time.monotonic() + self._limit
        while not condition():
            if self._process.poll() is not None or time.monotonic() > until:
                raise BenchError(f'The node gave no result. It said: {self._last_words()}')
            time.sleep(0.005)

    def _last_words(self) -> str:
        return ' / '.join(line for _, line in self._lines[-4:]) or 'nothing'

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(5)
        assert self._process.stderr is not None
        self._process.stderr.close()
        if status and kind is None:
            raise BenchError(f'The node ended with status {status}: {self._last_words()}')


def processor_seconds(pid: int) -> float:
    """Return the processor time, user and system, that a process has used."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def rss_mb(pid: int) -> float:
    """Return the memory a process holds, in 10^6 bytes."""
    for line in Path(f'/proc/{pid}/status').read_text(encoding='ascii').splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) * 1024 / 1e6
    raise BenchError(f'Process {pid} holds no memory: it has ended.')


def read_mb(pid: int) -> float:
    """Return what a process has made the kernel read from disk, in 10^6 bytes."""
    for line in Path(f'/proc/{pid}/io').read_text(encoding='ascii').splitlines():
        if line.startswith('read_bytes:'):
            return int(line.split()[1]) / 1e6
    return 0.0
