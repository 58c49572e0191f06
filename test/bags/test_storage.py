"""Bags are read and written whole; damage and full disks are named and cost little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydranet_ros.bags.storage import BagReader, BagWriter, typestore
from hydranet_ros.errors import BagError
from hydranet_ros.images.encodings import decode_compressed
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
from hydranet_ros.bags.storage import BagWriter
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


def scalar(node: Any, kind: type = str) -> Any:
    """Convert a scalar as yaml-cpp does; a list or a map is its "bad conversion"."""
    if not isinstance(node, str):
        raise ValueError(f'bad conversion of {node!r}')
    if kind is bool:
        return {'true': True, 'false': False}[node]
    return kind(node)


def read_as_humble(bag: Path) -> dict[str, tuple[str, int, list[dict[str, Any]]]]:
    """
    Parse metadata.yaml by the rules of Humble and Iron.

    They are those of rosbag2_storage's ``BagMetadata`` (metadata_io.cpp, yaml.hpp) and, for the
    profiles inside ``offered_qos_profiles``, of rosbag2_transport's ``Rosbag2QoS`` (qos.cpp).

    :returns: topic to type, message count and QoS profiles.
    """
    text = (bag / 'metadata.yaml').read_text()
    info = yaml.load(text, yaml.BaseLoader)['rosbag2_bagfile_information']
    assert scalar(info['version'], int) >= 4  # older ones have fewer fields
    assert scalar(info['storage_identifier']) == 'mcap'
    assert scalar(info['compression_format']) == scalar(info['compression_mode']) == ''
    assert custom_data(info['custom_data']) == {}
    files = [scalar(item['path']) for item in info['files']]
    assert files == [scalar(item) for item in info['relative_file_paths']]
    for part in (info, *info['files']):
        assert scalar(part['duration']['nanoseconds'], int) >= 0
        assert scalar(part['starting_time']['nanoseconds_since_epoch'], int) >= 0
        assert scalar(part['message_count'], int) >= 0
    topics = {}
    for item in info['topics_with_message_count']:
        topic = item['topic_metadata']
        assert scalar(topic['serialization_format']) == 'cdr'
        assert scalar(topic['type_description_hash']).startswith('RIHS01_')
        profiles = yaml.load(scalar(topic['offered_qos_profiles']), yaml.BaseLoader)
        topics[scalar(topic['name'])] = (
            scalar(topic['type']), scalar(item['message_count'], int),
            [qos_profile(profile) for profile in profiles or ()],
        )  # fmt: skip
    return topics


def custom_data(node: Any) -> dict[str, str]:
    return {} if node in ('', 'null', '~') else {scalar(k): scalar(v) for k, v in node.items()}


def qos_profile(node: Any) -> dict[str, Any]:
    numbers = ('history', 'depth', 'reliability', 'durability', 'liveliness')
    profile = {name: scalar(node[name], int) for name in numbers}
    for name in ('deadline', 'lifespan', 'liveliness_lease_duration'):
        profile[name] = (scalar(node[name]['sec'], int), scalar(node[name]['nsec'], int))
    name = 'avoid_ros_namespace_conventions'
    return {**profile, name: scalar(node[name], bool)}


def test_humble_reads_the_metadata_of_a_written_bag(tmp_path: Path):
    with BagWriter(tmp_path / 'bag') as bag:
        make = bag.store.types['std_msgs/msg/String']
        bag.write_message('/words', make(data='x'), 1)
        bag.write_message('/words', make(data='y'), 2)
        bag.write_message('/latched', make(data='x'), 3, latched=True)
    keep_last, reliable, transient_local, unset = 1, 1, 1, (0, 0)  # rmw/types.h
    latched = {
        'history': keep_last, 'depth': 1, 'reliability': reliable, 'durability': transient_local,
        'deadline': unset, 'lifespan': unset, 'liveliness': 0, 'liveliness_lease_duration': unset,
        'avoid_ros_namespace_conventions': False,
    }  # fmt: skip
    assert read_as_humble(tmp_path / 'bag') == {
        '/words': ('std_msgs/msg/String', 2, []),
        '/latched': ('std_msgs/msg/String', 1, [latched]),
    }


def test_humble_reads_the_metadata_of_an_empty_bag(tmp_path: Path):
    with BagWriter(tmp_path / 'bag'):
        pass
    assert read_as_humble(tmp_path / 'bag') == {}


def test_humble_reads_the_metadata_of_the_demo_bag():
    topics = read_as_humble(DEMO)
    assert topics['/camera/image/compressed'] == ('sensor_msgs/msg/CompressedImage', 60, [])
    assert sum(count for _, count, _ in topics.values()) == 252
