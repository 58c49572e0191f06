"""Bags are read and written whole; damage and full disks are named and cost little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hydranet_ros.bag import BagReader, BagWriter, typestore
from hydranet_ros.encodings import decode_compressed
from hydranet_ros.errors import BagError
from hydranet_ros.resources import config_file

DEMO = config_file('demo_street')


def write(path: Path, count: int = 5) -> Path:
    with BagWriter(path) as bag:
        make = bag.store.types['std_msgs/msg/String']
        for index in range(count):
            bag.write_message('/words', make(data=f'word {index}'), 10**9 + index)
    return path


def test_what_was_written_is_read(tmp_path: Path):
    path = write(tmp_path / 'bag')
    store = typestore()
    with BagReader(path) as reader:
        messages = list(reader.messages())
    assert [m.time for m in messages] == [10**9 + i for i in range(5)]
    words = [store.deserialize_cdr(m.data, m.kind).data for m in messages]
    assert words == [f'word {i}' for i in range(5)]
    assert {(m.topic, m.kind) for m in messages} == {('/words', 'std_msgs/msg/String')}


def test_the_demo_bag_has_images_camera_truth_and_odometry():
    store = typestore()
    with BagReader(DEMO) as reader:
        topics = {item.topic: item.msgtype for item in reader.connections}
        first = next(reader.messages(['/camera/image/compressed']))
        depth = next(reader.messages(['/ground_truth/depth']))
    assert topics == {
        '/camera/image/compressed': 'sensor_msgs/msg/CompressedImage',
        '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
        '/ground_truth/labels': 'sensor_msgs/msg/CompressedImage',
        '/ground_truth/depth': 'sensor_msgs/msg/CompressedImage',
        '/odom': 'nav_msgs/msg/Odometry',
    }
    image = decode_compressed(store.deserialize_cdr(first.data, first.kind).data)
    assert image.shape == (360, 640, 3)
    assert store.deserialize_cdr(depth.data, depth.kind).header.frame_id == 'camera_optical'


def test_a_bag_is_not_written_over(tmp_path: Path):
    path = write(tmp_path / 'bag')
    with pytest.raises(BagError, match='does not exist'):
        BagWriter(path)


def test_what_is_no_bag_is_refused_by_name(tmp_path: Path):
    with pytest.raises(BagError, match='metadata.yaml is missing'):
        BagReader(tmp_path)


def test_a_truncated_bag_gives_what_can_be_read_or_one_error(tmp_path: Path):
    path = tmp_path / 'bag'
    shutil.copytree(DEMO, path)
    file = path / 'demo_street.mcap'
    file.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(BagError, match='bag'), BagReader(path) as reader:
        list(reader.messages())


FILL = """
import sys
from pathlib import Path
from hydranet_ros.bag import BagWriter
from hydranet_ros.errors import BagError
import os
bag = BagWriter(Path(sys.argv[1]) / 'bag')
make = bag.store.types['std_msgs/msg/String']
count = 0
try:
    while count < 10000:
        bag.write_message('/words', make(data=os.urandom(50000).hex()), count)
        count += 1
except BagError as err:
    print(count, err)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason='mounting a small disk needs root')
def test_a_full_disk_ends_the_bag_which_stays_readable(tmp_path: Path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip('this machine does not let a test mount a small disk')
    try:
        done = subprocess.run(
            [sys.executable, '-c', FILL, str(disk)], capture_output=True, text=True, timeout=100
        )
        assert 'The disk is full' in done.stdout, done.stderr
        count = int(done.stdout.split()[0])
        assert count > 10
        with BagReader(disk / 'bag') as reader:
            assert sum(1 for _ in reader.messages()) == count
    finally:
        subprocess.run(['umount', str(disk)], check=True)


def test_messages_of_some_topics_only(tmp_path: Path):
    with BagReader(DEMO) as reader:
        kinds = {m.topic for m in reader.messages(['/odom'])}
        assert kinds == {'/odom'}
        assert reader.duration == pytest.approx(5.9, abs=0.01)


def test_latched_topics_are_marked(tmp_path: Path):
    with BagWriter(tmp_path / 'bag') as bag:
        make = bag.store.types['std_msgs/msg/String']
        bag.write_message('/latched', make(data='x'), 1, latched=True)
    with BagReader(tmp_path / 'bag') as reader:
        profile = reader.connections[0].ext.offered_qos_profiles[0]
    assert profile.durability.name == 'TRANSIENT_LOCAL'


def test_a_bag_of_the_older_storage_is_read_too(tmp_path: Path):
    """ROS 2 Humble records sqlite3."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    store = typestore()
    with Writer(tmp_path / 'old', version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        topic = writer.add_connection('/words', 'std_msgs/msg/String', typestore=store)
        message = store.types['std_msgs/msg/String'](data='hello')
        writer.write(topic, 5, store.serialize_cdr(message, 'std_msgs/msg/String'))
    with BagReader(tmp_path / 'old') as reader:
        (found,) = reader.messages()
    assert (found.topic, found.time) == ('/words', 5)
    assert store.deserialize_cdr(found.data, found.kind).data == 'hello'
