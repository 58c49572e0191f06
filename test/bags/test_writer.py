"""Written bags are readable by ROS 2 Humble and later, also after the disk was full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from bag_tools import write_words

from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter, margin, remove_bag
from hydranet_ros.errors import BagError
from hydranet_ros.resources import config_file

DEMO = config_file('demo_street')


def test_an_existing_folder_is_not_overwritten(tmp_path: Path):
    path = write_words(tmp_path / 'bag')
    with pytest.raises(BagError, match='bag cannot be created.*Choose a folder that does not'):
        BagWriter(path)
    with BagReader(path) as reader:
        assert len(list(reader.messages())) == 5


def test_missing_parent_folders_are_created(tmp_path: Path):
    write_words(tmp_path / 'a' / 'b' / 'bag', count=1)
    assert (tmp_path / 'a' / 'b' / 'bag' / 'metadata.yaml').is_file()


def test_a_closed_bag_cannot_be_written(tmp_path: Path):
    bag = BagWriter(tmp_path / 'bag')
    bag.close()
    bag.close()
    with pytest.raises(BagError, match='is closed already'):
        bag.write('/words', 'std_msgs/msg/String', 0, b'')


def test_messages_of_one_topic_share_a_connection(tmp_path: Path):
    with BagReader(write_words(tmp_path / 'bag')) as reader:
        (connection,) = reader.connections
    assert connection.msgcount == 5


def test_data_are_compressed(tmp_path: Path):
    with BagWriter(tmp_path / 'bag') as bag:
        make = bag.store.types['std_msgs/msg/String']
        bag.write_message('/words', make(data='x' * 1_000_000), 0)
    (file,) = (tmp_path / 'bag').glob('*.mcap')
    assert file.stat().st_size < 100_000


@pytest.mark.parametrize(
    ('free', 'kept'), [(0, 1), (64 * 2**20, 1), (64 * 2**20 + 1, 16), (2**40, 16)]
)
def test_a_small_disk_has_a_small_margin(free: int, kept: int):
    assert margin(free) == kept * 2**20


FILL = """
import sys
from pathlib import Path
from hydranet_ros.bags.writer import BagWriter
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
def test_a_full_disk_closes_the_bag_which_stays_readable(tmp_path: Path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip('a test cannot mount a small disk on this machine')
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


@pytest.mark.parametrize('content', [(), ('metadata.yaml', 'a.mcap')])
def test_a_bag_and_an_empty_folder_are_removed(tmp_path: Path, content):
    folder = tmp_path / 'bag'
    folder.mkdir()
    for name in content:
        (folder / name).touch()
    remove_bag(folder)
    assert not folder.exists()
    remove_bag(folder)


def test_a_folder_that_is_not_a_bag_is_not_removed(tmp_path: Path):
    (tmp_path / 'thesis.tex').touch()
    remove_bag(tmp_path)
    assert (tmp_path / 'thesis.tex').is_file()


def test_latched_topics_are_transient_local(tmp_path: Path):
    with BagWriter(tmp_path / 'bag') as bag:
        make = bag.store.types['std_msgs/msg/String']
        bag.write_message('/latched', make(data='x'), 1, latched=True)
    with BagReader(tmp_path / 'bag') as reader:
        profile = reader.connections[0].ext.offered_qos_profiles[0]
    assert profile.durability.name == 'TRANSIENT_LOCAL'


def scalar(node: Any, kind: type = str) -> Any:
    """Convert a scalar as yaml-cpp does, which rejects a list or map as "bad conversion"."""
    if not isinstance(node, str):
        raise ValueError(f'bad conversion of {node!r}')
    if kind is bool:
        return {'true': True, 'false': False}[node]
    return kind(node)


def read_as_humble(bag: Path) -> dict[str, tuple[str, int, list[dict[str, Any]]]]:
    """
    Parse metadata.yaml by the rules of Humble and Iron.

    The rules are in rosbag2_storage's ``BagMetadata`` (metadata_io.cpp, yaml.hpp) and, for the
    profiles inside ``offered_qos_profiles``, of rosbag2_transport's ``Rosbag2QoS`` (qos.cpp).

    :return: type, message count and QoS profiles of each topic.
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
