"""The demo end to end: two processes, DDS, and results for a person to view."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import pytest
from command import hydranet

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from hydranet_ros.bags.messages import stamp_of, typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.images.video import VideoReader


@pytest.fixture(scope='module')
def demo(tmp_path_factory, tiny_model) -> tuple[Path, str]:
    """Run the demo; return its output folder and what it printed."""
    out = tmp_path_factory.mktemp('demo')
    done = hydranet('demo', '-o', out, '--frames', '14', '--model', tiny_model, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr + (out / 'node.log').read_text()
    return out, done.stdout


def test_it_prints_frames_stages_and_age(demo):
    for word in ('in', 'out', 'dropped', 'engine', 'publish', 'total', 'age', 'median', 'p95'):
        assert word in demo[1]


def test_the_contact_sheet_has_three_rows(demo):
    sheet = cv2.imread(str(demo[0] / 'demo.png'))
    assert sheet.shape == (20 + 30 + 3 * 280 + 46, 2460, 3)
    assert sheet.std() > 20


def test_video_and_gif_have_the_same_frames(demo):
    counts = []
    for name in ('demo.mp4', 'demo.gif'):
        with VideoReader(demo[0] / name) as reader:
            counts.append(len(list(reader)))
    assert counts[0] == counts[1] >= 3


def test_the_messages_in_the_bag_belong_together(demo):
    store = typestore()
    stamps: dict[str, set] = {}
    with BagReader(demo[0] / 'results') as reader:
        for message in reader.messages():
            value = store.deserialize_cdr(message.data, message.message_type)
            stamps.setdefault(message.topic, set()).add(stamp_of(value))
    assert {'/hydranet/segmentation/mask', '/hydranet/segmentation/overlay', '/hydranet/points',
            '/hydranet/depth/image', '/hydranet/depth/color', '/hydranet/depth/camera_info',
            '/camera/image/compressed'} <= set(stamps)  # fmt: skip
    masks, points = stamps['/hydranet/segmentation/mask'], stamps['/hydranet/points']
    assert points <= stamps['/camera/image/compressed']
    assert points <= masks
    assert len(masks - points) <= 1, 'only the last frame may be incomplete'


def test_no_process_of_it_keeps_running(demo, tiny_model):
    listed = subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True).stdout
    assert f'model:={tiny_model.resolve()}' not in listed


def test_a_bad_bag_is_one_error(tmp_path: Path):
    done = hydranet('demo', '-o', tmp_path / 'out', '--bag', tmp_path / 'none')
    assert done.returncode == 2
    assert 'is not a rosbag2' in done.stderr and 'Traceback' not in done.stderr
