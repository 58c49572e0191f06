"""Real photographs through the real processes: player, node, DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from hydranet_ros.ros.dds_profile import PUBLICATION_MODE


@pytest.fixture
def stream(ros, tmp_path: Path):
    """Return a function that plays pictures at 2 Hz to ``hydranet run street``."""
    if not (ROOT / 'models' / 'street' / 'street.onnx').is_file():
        pytest.skip('models/street/street.onnx is not there')
    # Not even a user who has all of ROS publish asynchronously loses the player's last image.
    environment = {
        **os.environ, 'ROS_DOMAIN_ID': str(ros.domain), PUBLICATION_MODE: 'ASYNCHRONOUS',
    }  # fmt: skip

    def stream(source: Path, count: int, *arguments: str) -> dict[str, list]:
        topics = {
            'info': (CameraInfo, '/camera/camera_info'),
            'mask': (Image, '/hydranet/segmentation/mask'),
            'depth': (Image, '/hydranet/depth/image'),
            'points': (PointCloud2, '/hydranet/points'),
        }
        heard = {name: ros.hear(kind, topic, 50) for name, (kind, topic) in topics.items()}
        results = [topic for name, (_, topic) in topics.items() if name != 'info']
        hydranet = [sys.executable, '-m', 'hydranet_ros']
        node_log = tmp_path / 'node.log'
        with node_log.open('w') as log:
            node = subprocess.Popen(
                [*hydranet, 'run', 'street', '--ros-args', '-r', 'image:=/camera/image'],
                stdout=log, stderr=log, env=environment, cwd=ROOT,
            )  # fmt: skip
            try:
                wait_for(lambda: 'active:' in node_log.read_text(), 40)
                # A node that has not found its listeners yet computes nothing for them.
                wait_for(lambda: all(map(ros.client.count_publishers, results)), 40)
                subprocess.run(
                    [*hydranet, 'play', str(source), '--fps', '2', '--wait', '20', '--delay', '4',
                     *arguments],
                    check=True, env=environment, cwd=ROOT, timeout=60 + count,
                )  # fmt: skip
                wait_for(lambda: all(len(v) == count for v in heard.values()), 30,
                         lambda: f'{count} results of each kind; got '
                         f'{({name: len(v) for name, v in heard.items()})}; the node said:\n'
                         f'{node_log.read_text()}')  # fmt: skip
            finally:
                node.send_signal(signal.SIGINT)
                node.wait(10)
        return heard

    return stream


def linked(folder: Path, sources: list[Path]) -> Path:
    folder.mkdir()
    for path in sources:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def check(heard: dict[str, list], size: tuple[int, int]) -> None:
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in heard['info']]
    assert len(set(stamps)) == len(stamps)
    for name in ('mask', 'depth', 'points'):
        assert [(m.header.stamp.sec, m.header.stamp.nanosec) for m in heard[name]] == stamps
        assert {(m.height, m.width) for m in heard[name]} == {size}
        assert {m.header.frame_id for m in heard[name]} == {'camera_optical'}
    depth = np.frombuffer(heard['depth'][0].data, np.float32)
    assert np.isfinite(depth).mean() > 0.2


def test_every_frame_of_a_real_indoor_sequence_is_answered(stream, data_dir, tmp_path):
    frames = sorted((data_dir / 'sevenscenes').glob('*.color.jpg'))[:8]
    heard = stream(linked(tmp_path / 'frames', frames), 8, '--intrinsics', '585,585,320,240')
    check(heard, (480, 640))


def test_every_frame_of_a_real_street_is_answered(stream, data_dir, tmp_path):
    frames = linked(tmp_path / 'frames', [data_dir / 'kitti' / '000099.png'])
    heard = stream(frames, 1, '--intrinsics', '707,707,602,183')
    check(heard, (370, 1226))


@pytest.mark.slow
def test_all_two_hundred_frames_are_answered(stream, data_dir, tmp_path):
    frames = sorted((data_dir / 'sevenscenes').glob('*.color.jpg'))
    heard = stream(
        linked(tmp_path / 'frames', frames), len(frames), '--intrinsics', '585,585,320,240'
    )
    check(heard, (480, 640))
