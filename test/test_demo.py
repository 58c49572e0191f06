"""The demo end to end: two processes, DDS, and results that a person can look at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.images.video import VideoReader

ROOT = Path(__file__).resolve().parent.parent


def demo(out: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', 'demo', '-o', str(out), *arguments],
        capture_output=True, text=True, timeout=150, cwd=ROOT,
    )  # fmt: skip


@pytest.fixture(scope='module')
def shown(tmp_path_factory, tiny_model) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp('demo')
    done = demo(out, '--frames', '14', '--model', str(tiny_model))
    assert done.returncode == 0, done.stdout + done.stderr + (out / 'node.log').read_text()
    return out, done.stdout


def test_it_prints_frames_stages_and_age(shown):
    _, text = shown
    for word in ('in', 'out', 'dropped', 'engine', 'publish', 'total', 'age', 'median', 'p95'):
        assert word in text


def test_the_sheet_is_a_picture_with_three_moments(shown):
    sheet = cv2.imread(str(shown[0] / 'demo.png'))
    assert sheet.shape[0] > 800 and sheet.shape[1] > 2000
    assert sheet.std() > 20


def test_video_and_gif_hold_every_frame(shown):
    counts = []
    for name in ('demo.mp4', 'demo.gif'):
        with VideoReader(shown[0] / name) as reader:
            counts.append(len(list(reader)))
    assert counts[0] == counts[1] >= 14


def test_the_bag_of_results_can_be_read_and_its_messages_belong_together(shown):
    store = typestore()
    stamps: dict[str, set] = {}
    with BagReader(shown[0] / 'results') as reader:
        for message in reader.messages():
            value = store.deserialize_cdr(message.data, message.message_type)
            stamp = (value.header.stamp.sec, value.header.stamp.nanosec)
            stamps.setdefault(message.topic, set()).add(stamp)
    assert {'/hydranet/segmentation/mask', '/hydranet/segmentation/overlay', '/hydranet/points',
            '/hydranet/depth/image', '/hydranet/depth/color', '/hydranet/depth/camera_info',
            '/camera/image/compressed'} <= set(stamps)  # fmt: skip
    assert stamps['/hydranet/points'] <= stamps['/camera/image/compressed']
    masks = stamps['/hydranet/segmentation/mask']
    assert stamps['/hydranet/points'] <= masks
    assert len(masks - stamps['/hydranet/points']) <= 1, 'only the last may be cut off'


def test_nothing_of_it_goes_on_running(shown):
    listed = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True).stdout
    assert f'model:={shown[0]}' not in listed
    assert 'hydranet_ros run street' not in listed or 'use_sim_time:=true' not in listed


def test_a_bad_bag_is_one_error(tmp_path: Path):
    done = demo(tmp_path / 'out', '--bag', str(tmp_path / 'none'))
    assert done.returncode == 2
    assert 'is no rosbag2' in done.stderr and 'Traceback' not in done.stderr


def test_a_cloud_is_drawn_where_it_is():
    """One red point 10 m ahead, 2 m to the right."""
    from hydranet_ros.perception.cloud_views import view_from_above, view_from_behind
    from hydranet_ros.perception.point_cloud import POINT_DTYPE

    cloud = np.zeros((1, 2), POINT_DTYPE)
    cloud['x'], cloud['y'], cloud['z'], cloud['r'] = 2.0, 1.0, (10.0, np.nan), 255
    above = view_from_above(cloud, (270, 480))
    red = np.argwhere((above == (255, 0, 0)).all(-1))
    scale = (480 - 30) / 40
    np.testing.assert_allclose(red.mean(0), (135 + 2 * scale, 20 + 10 * scale), atol=2)
    behind = view_from_behind(cloud, (270, 480))
    assert np.argwhere((behind == (255, 0, 0)).all(-1)).mean(0)[1] > 240
