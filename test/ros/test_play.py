"""The player as a process: its camera, its output, its status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import write_image
from hydranet_ros.images.video import VideoWriter
from hydranet_ros.ros.play import _camera

INTRINSICS = (100.0, 110.0, 32.0, 24.0)
PLAY = """
import sys
from pathlib import Path
from hydranet_ros.ros import play
if sys.argv[2] == 'early':
    play.shutdown_requested = lambda: True
intrinsics = (100.0, 110.0, 32.0, 24.0) if sys.argv[2] == 'camera' else None
play.play_main(
    Path(sys.argv[1]), rate=0.0, loop=False, clock=0.0, fps=0.0, topic='/front/image',
    pattern='*.png', frame_id='left', intrinsics=intrinsics, wait=0.0, delay=0.0, subscribers=1,
    ros_args=['play', '--ros-args', '-r', '/front/image:=/left/image'],
)
import os, rclpy, signal
os.kill(os.getpid(), signal.SIGINT)
print('ended', rclpy.ok())
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, size in (('b.png', (6, 8)), ('a.png', (48, 64)), ('a.jpg', (10, 10))):
        write_image(tmp_path / name, np.zeros((*size, 3), np.uint8))
    return tmp_path


@pytest.fixture
def play(domain_id, folder):
    """Return a function that plays the folder in a process of its own."""

    def play(mode: str, source: Path = folder) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, '-c', PLAY, str(source), mode], capture_output=True, text=True,
            timeout=120, cwd=ROOT, env={**os.environ, 'ROS_DOMAIN_ID': str(domain_id)},
        )  # fmt: skip

    return play


def test_the_number_of_messages_of_each_topic_is_printed(play):
    done = play('camera')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.splitlines() == [
        '     2 /front/camera_info', '     2 /front/image', 'ended False',
    ]  # fmt: skip


def test_without_intrinsics_there_is_no_camera_info(play):
    assert play('plain').stdout.splitlines() == ['     2 /front/image', 'ended False']


def test_a_signal_before_rclpy_handles_signals_ends_the_process(play):
    done = play('early')
    assert (done.returncode, done.stdout, done.stderr) == (0, 'ended False\n', '')


def test_an_error_is_raised_after_the_teardown(play, tmp_path):
    done = play('plain', tmp_path / 'none')
    assert done.returncode == 1
    assert 'none does not exist' in done.stderr


def test_the_camera_has_the_size_of_the_first_image_that_matches(folder):
    expected = CameraModel(64, 48, *INTRINSICS)
    assert _camera(folder, '*.png', INTRINSICS) == expected
    assert _camera(folder / 'a.png', 'none', INTRINSICS) == expected
    assert _camera(folder, '*.jpg', INTRINSICS) == CameraModel(10, 10, *INTRINSICS)


@pytest.mark.parametrize('name', ['film.mp4', 'film.MP4'])
def test_the_camera_of_a_video_has_the_size_of_its_frames(tmp_path, name):
    with VideoWriter(tmp_path / 'film.mp4', 10) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    (tmp_path / 'film.mp4').rename(tmp_path / name)
    assert _camera(tmp_path / name, '*', INTRINSICS) == CameraModel(64, 48, *INTRINSICS)


def test_a_source_without_images_is_an_error(tmp_path):
    with pytest.raises(MediaError):
        _camera(tmp_path, '*', INTRINSICS)
