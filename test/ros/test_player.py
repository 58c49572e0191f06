"""The player sends what a source holds, unchanged, in order and in time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import Writer
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError, MediaError
from hydranet_ros.images.files import write_image
from hydranet_ros.resources import config_file
from hydranet_ros.ros.conversions import image_to_rgb
from hydranet_ros.ros.dds_profile import PUBLICATION_MODE
from hydranet_ros.ros.player import PlayOptions, play_source

DEMO = config_file('demo_street')


@pytest.fixture
def play(ros):
    """Return a function that plays a source in this process."""
    node = ros.add(Node('player', context=ros.context))

    def play(source: Path, **options):
        defaults = {'wait': 10.0, 'delay': 0.5, 'rate': 10.0}
        return play_source(node, source, PlayOptions(**{**defaults, **options}), ros.context.ok)

    return play


def test_a_bags_messages_go_out_as_they_are(ros, play):
    heard = ros.collect(CompressedImage, '/camera/image/compressed', 100)
    infos = ros.collect(CameraInfo, '/camera/camera_info', 100)
    sent = play(DEMO)
    wait_for(lambda: len(heard) == 60 and len(infos) == 60)
    assert sent['/camera/image/compressed'] == 60
    store = typestore()
    with BagReader(DEMO) as reader:
        for message, got in zip(reader.messages(['/camera/image/compressed']), heard):
            original = store.deserialize_cdr(message.data, message.message_type)
            assert got.header.stamp.nanosec == original.header.stamp.nanosec
            assert bytes(got.data) == original.data.tobytes()


def test_the_original_timing_is_kept_times_the_rate(ros, play):
    """5.9 s of bag at four times the speed; a busy machine may only make it longer."""
    ros.collect(CameraInfo, '/camera/camera_info', 100)
    started = time.monotonic()
    play(DEMO, rate=4.0, delay=0.0)
    took = time.monotonic() - started
    assert 1.4 < took < 4.0


def test_the_clock_runs_with_the_bag(ros, play):
    ticks = ros.collect(Clock, '/clock', 1000)
    ros.collect(CameraInfo, '/camera/camera_info', 100)
    play(DEMO, clock=10.0, rate=4.0)
    wait_for(lambda: len(ticks) > 25)
    times = [tick.clock.sec + 1e-9 * tick.clock.nanosec for tick in ticks]
    assert times == sorted(times)
    assert times[0] == pytest.approx(1_700_000_000, abs=0.1)
    assert times[-1] - times[0] == pytest.approx(5.9, abs=0.2)


def folder_of_pictures(folder: Path, count: int = 4) -> Path:
    folder.mkdir()
    for index in range(count):
        write_image(folder / f'f{index}.png', np.full((6, 8, 3), 50 * index, np.uint8))
        write_image(folder / f'f{index}.depth.png', np.zeros((6, 8), np.uint16))
    return folder


def test_pictures_go_out_in_order_with_their_camera(ros, play, tmp_path):
    images = ros.collect(Image, '/camera/image', 100)
    infos = ros.collect(CameraInfo, '/camera/camera_info', 100)
    camera = CameraModel(8, 6, 10.0, 10.0, 4.0, 3.0)
    sent = play(
        folder_of_pictures(tmp_path / 'p'), fps=20, rate=1, pattern='f?.png', camera=camera
    )
    assert sent == {'/camera/image': 4, '/camera/camera_info': 4}
    wait_for(lambda: len(images) == 4 and len(infos) == 4)
    assert [int(image_to_rgb(m)[0, 0, 0]) for m in images] == [0, 50, 100, 150]
    assert [m.header for m in images] == [m.header for m in infos]
    stamps = [m.header.stamp.sec + 1e-9 * m.header.stamp.nanosec for m in images]
    np.testing.assert_allclose(np.diff(stamps), 0.05, atol=1e-6)
    assert infos[0].k[0] == 10.0


@pytest.mark.parametrize('mode', ['SYNCHRONOUS', 'ASYNCHRONOUS'])
@pytest.mark.parametrize('status', [0, 2], ids=['well', 'badly'])
def test_a_player_that_ends_does_not_take_its_last_image_with_it(ros, tmp_path, status, mode):
    policies = (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE)
    heard = [
        ros.collect(Image, '/camera/image', QoSProfile(depth=1, reliability=policy))
        for policy in policies
    ]
    picture = np.zeros((1080, 1920, 3), np.uint8)
    write_image(tmp_path / '1.png', picture)
    if status:
        (tmp_path / '2.png').write_text('no picture')
    done = subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', 'play', str(tmp_path),
         '--wait', '20', '--subscribers', '2', '--delay', '1'],
        timeout=60, env={**os.environ, 'ROS_DOMAIN_ID': str(ros.domain), PUBLICATION_MODE: mode},
    )  # fmt: skip
    assert done.returncode == status
    wait_for(lambda: all(heard), what=lambda: f'heard {[len(item) for item in heard]}')
    assert all(len(item[0].data) == picture.nbytes for item in heard)


@pytest.mark.parametrize('count', [1, 4])
def test_a_loop_goes_on_in_time_until_it_is_told_to_stop(ros, tmp_path, count):
    images = ros.collect(Image, '/camera/image', 100)
    node = ros.add(Node('player', context=ros.context))
    going = [True]
    options = PlayOptions(loop=True, fps=50, wait=10, delay=0.3, pattern='f?.png')
    source = folder_of_pictures(tmp_path / 'p', count)
    thread = threading.Thread(
        target=play_source, args=(node, source, options, lambda: going[0]), daemon=True
    )
    thread.start()
    wait_for(lambda: len(images) > 8)
    going[0] = False
    thread.join(10)
    assert not thread.is_alive()
    stamps = [m.header.stamp.sec + 1e-9 * m.header.stamp.nanosec for m in images]
    np.testing.assert_allclose(np.diff(stamps), 0.02, atol=1e-6)


def test_a_type_that_is_not_installed_is_left_out_with_one_warning(ros, play, tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        kinds = bag.store.types
        sized = kinds['std_msgs/msg/String'](data='x')
        bag.write_message('/words', sized, 1)
        stamp = kinds['builtin_interfaces/msg/Time'](sec=0, nanosec=0)
        header = kinds['std_msgs/msg/Header'](stamp=stamp, frame_id='')
        goal = kinds['stereo_msgs/msg/DisparityImage']
        roi = kinds['sensor_msgs/msg/RegionOfInterest'](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        image = kinds['sensor_msgs/msg/Image'](
            header=header, height=0, width=0, encoding='', is_bigendian=0, step=0,
            data=np.zeros(0, np.uint8),
        )  # fmt: skip
        bag.write_message(
            '/disparity',
            goal(header=header, image=image, f=0.0, t=0.0, valid_window=roi, min_disparity=0.0,
                 max_disparity=0.0, delta_d=0.0), 2,
        )  # fmt: skip
    words = ros.collect(String, '/words')
    assert play(tmp_path / 'bag') == {'/words': 1}
    wait_for(lambda: words)


@pytest.mark.parametrize(
    'kind',
    ['String', 'std_msgs/String', 'a/b/c/d', '/msg/', '../msg/String', 'std_msgs/msg/__name__'],
)
def test_a_malformed_type_name_is_left_out_with_one_warning(ros, play, tmp_path, log, kind):
    store = typestore()
    word = store.serialize_cdr(store.types['std_msgs/msg/String'](data='x'), 'std_msgs/msg/String')
    with Writer(tmp_path / 'bag', version=8) as bag:
        good = bag.add_connection('/words', 'std_msgs/msg/String', typestore=store)
        bad = bag.add_connection('/odd', kind, msgdef='string data', rihs01='RIHS01_0')
        bag.write(bad, 1, word)
        bag.write(good, 2, word)
    words = ros.collect(String, '/words')
    assert play(tmp_path / 'bag') == {'/words': 1}
    wait_for(lambda: words)
    assert log().count(f'not installed: {kind}.') == 1


def test_what_cannot_be_played_is_named(ros, play, tmp_path):
    with pytest.raises(MediaError, match='does not exist'):
        play(tmp_path / 'none')
    with pytest.raises(MediaError, match='has no image'):
        play(tmp_path, wait=0.0)
    with pytest.raises(MediaError, match='No subscriber within 0.2 s'):
        play(folder_of_pictures(tmp_path / 'p'), wait=0.2)
    with BagWriter(tmp_path / 'empty'):
        pass
    with pytest.raises(BagError):
        play(tmp_path / 'empty')
