"""Real images through the real processes: player, node, DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from hydranet_ros.camera.conventions import OPTICAL_FRAME
from hydranet_ros.images.files import read_image
from hydranet_ros.ros.conversions import fill_image
from hydranet_ros.ros.dds_profile import PUBLICATION_MODE

HYDRANET = [sys.executable, '-m', 'hydranet_ros']
RESULTS = {
    'mask': (Image, '/hydranet/segmentation/mask'),
    'depth': (Image, '/hydranet/depth/image'),
    'points': (PointCloud2, '/hydranet/points'),
}
PERIOD = 1.0


class Stream:
    """The node as a process, and its results by stamp."""

    def __init__(self, ros, environment: dict[str, str], log: Path) -> None:
        self.ros, self.environment, self.log = ros, environment, log
        self.received = {
            name: ros.collect(kind, topic, 50) for name, (kind, topic) in RESULTS.items()
        }
        self.images = ros.client.create_publisher(Image, '/camera/image', 1)
        self.infos = ros.client.create_publisher(CameraInfo, '/camera/camera_info', 1)

    def wait_until_ready(self) -> None:
        wait_for(lambda: 'active:' in self.log.read_text(), 40, self.log.read_text)
        # The node computes nothing until it has discovered the subscribers of its results.
        topics = [topic for _, topic in RESULTS.values()]
        wait_for(lambda: all(map(self.ros.client.count_publishers, topics)), 40)

    def stamps(self, name: str) -> set[tuple[int, int]]:
        return {(m.header.stamp.sec, m.header.stamp.nanosec) for m in self.received[name]}

    def send(self, pixels: np.ndarray, second: int, focal: float) -> None:
        """Publish an image until all its results have been received."""
        header = Header(frame_id=OPTICAL_FRAME)
        header.stamp.sec, header.stamp.nanosec = second, 5
        height, width = pixels.shape[:2]
        image = fill_image(Image(), pixels, 'rgb8', header)
        info = CameraInfo(
            header=header, height=height, width=width, distortion_model='plumb_bob', d=[0.0] * 5,
            k=[focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0],
        )  # fmt: skip
        sent = [-PERIOD]

        def processed() -> bool:
            if time.monotonic() - sent[0] > PERIOD:
                self.infos.publish(info)
                self.images.publish(image)
                sent[0] = time.monotonic()
            return all((second, 5) in self.stamps(name) for name in RESULTS)

        wait_for(processed, 60, self.log.read_text)

    def check(self, size: tuple[int, int], stamps: set[tuple[int, int]]) -> None:
        """Check that every image has its results, on its grid and in its frame."""
        for name, messages in self.received.items():
            assert self.stamps(name) == stamps
            assert {(m.height, m.width) for m in messages} == {size}
            assert {m.header.frame_id for m in messages} == {OPTICAL_FRAME}
        depth = np.frombuffer(self.received['depth'][0].data, np.float32)
        assert np.isfinite(depth).mean() > 0.2


@pytest.fixture
def stream(ros, tmp_path: Path) -> Iterator[Stream]:
    """Return a stream to ``hydranet run street``."""
    if not (ROOT / 'models' / 'street' / 'street.onnx').is_file():
        pytest.skip('models/street/street.onnx does not exist')
    # The player publishes synchronously even if the user sets asynchronous publication.
    environment = {
        **os.environ, 'ROS_DOMAIN_ID': str(ros.domain), PUBLICATION_MODE: 'ASYNCHRONOUS',
    }  # fmt: skip
    log = tmp_path / 'node.log'
    with log.open('w') as handle:
        node = subprocess.Popen(
            [*HYDRANET, 'run', 'street', '--ros-args', '-r', 'image:=/camera/image'],
            stdout=handle, stderr=handle, env=environment, cwd=ROOT,
        )  # fmt: skip
        made = Stream(ros, environment, log)
        try:
            made.wait_until_ready()
            yield made
        finally:
            node.send_signal(signal.SIGINT)
            node.wait(10)


def indoor_frames(data_dir: Path) -> list[Path]:
    return sorted((data_dir / 'sevenscenes').glob('*.color.jpg'))


def test_every_frame_of_a_real_indoor_sequence_has_its_results(stream, data_dir: Path):
    for second, path in enumerate(indoor_frames(data_dir)[:8], start=1):
        stream.send(read_image(path), second, focal=585.0)
    stream.check((480, 640), {(second, 5) for second in range(1, 9)})


def test_a_real_street_that_is_played_has_its_results(stream, data_dir: Path):
    infos = stream.ros.collect(CameraInfo, '/camera/camera_info')
    subprocess.run(
        [*HYDRANET, 'play', str(data_dir / 'kitti' / '000099.png'), '--wait', '40', '--delay', '4',
         '--intrinsics', '707,707,602,183'],
        check=True, env=stream.environment, cwd=ROOT, timeout=120,
    )  # fmt: skip
    wait_for(lambda: infos and all(stream.received.values()), 60, stream.log.read_text)
    stamp = infos[0].header.stamp
    stream.check((370, 1226), {(stamp.sec, stamp.nanosec)})


@pytest.mark.slow
def test_all_two_hundred_frames_have_their_results(stream, data_dir: Path):
    frames = indoor_frames(data_dir)
    for second, path in enumerate(frames, start=1):
        stream.send(read_image(path), second, focal=585.0)
    stream.check((480, 640), {(second, 5) for second in range(1, len(frames) + 1)})
