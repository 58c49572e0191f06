"""Bags are read in the order of recording; damage is one error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bag_tools import write_words
from rosbags.rosbag2 import StoragePlugin, Writer

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.reader import BagReader, is_latched
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.errors import BagError
from hydranet_ros.images.jpeg import decode_compressed
from hydranet_ros.resources import config_file

DEMO = config_file('demo_street')


def test_messages_have_topic_type_timestamp_and_data(tmp_path: Path):
    store = typestore()
    with BagReader(write_words(tmp_path / 'bag')) as reader:
        messages = list(reader.messages())
    assert [m.timestamp for m in messages] == [10**9 + i for i in range(5)]
    words = [store.deserialize_cdr(m.data, m.message_type).data for m in messages]
    assert words == [f'word {i}' for i in range(5)]
    assert {(m.topic, m.message_type) for m in messages} == {('/words', 'std_msgs/msg/String')}
    assert all(type(m.data) is bytes for m in messages)


@pytest.mark.parametrize('storage', [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_both_storages_are_read_from_the_folder_or_its_file(tmp_path: Path, storage):
    """ROS 2 Humble records sqlite3."""
    store = typestore()
    with Writer(tmp_path / 'old', version=8, storage_plugin=storage) as writer:
        topic = writer.add_connection('/words', 'std_msgs/msg/String', typestore=store)
        message = store.types['std_msgs/msg/String'](data='hello')
        writer.write(topic, 5, store.serialize_cdr(message, 'std_msgs/msg/String'))
    (file,) = (p for p in (tmp_path / 'old').iterdir() if p.suffix in ('.db3', '.mcap'))
    for path in (tmp_path / 'old', file):
        with BagReader(path) as reader:
            assert reader.path == tmp_path / 'old'
            (found,) = reader.messages()
        assert (found.topic, found.timestamp) == ('/words', 5)
        assert store.deserialize_cdr(found.data, found.message_type).data == 'hello'


def test_messages_of_the_given_topics_only():
    with BagReader(DEMO) as reader:
        assert {m.topic for m in reader.messages(['/odom'])} == {'/odom'}
        both = {m.topic for m in reader.messages(['/odom', '/camera/camera_info'])}
        assert both == {'/odom', '/camera/camera_info'}
        assert list(reader.messages(['/none'])) == []


def test_the_demo_bag_has_images_camera_ground_truth_and_odometry():
    store = typestore()
    with BagReader(DEMO) as reader:
        topics = {item.topic: item.msgtype for item in reader.connections}
        first = next(reader.messages(['/camera/image/compressed']))
        depth = next(reader.messages(['/ground_truth/depth']))
        timestamps = [m.timestamp for m in reader.messages()]
    assert topics == {
        '/camera/image/compressed': 'sensor_msgs/msg/CompressedImage',
        '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
        '/ground_truth/labels': 'sensor_msgs/msg/CompressedImage',
        '/ground_truth/depth': 'sensor_msgs/msg/CompressedImage',
        '/odom': 'nav_msgs/msg/Odometry',
    }
    image = decode_compressed(store.deserialize_cdr(first.data, first.message_type).data)
    assert image.shape == (360, 640, 3)
    header = store.deserialize_cdr(depth.data, depth.message_type).header
    assert header.frame_id == 'camera_optical'
    assert timestamps == sorted(timestamps)
    assert timestamps[-1] - timestamps[0] == 5_900_000_000


def test_only_transient_local_topics_are_latched(tmp_path: Path):
    with BagWriter(tmp_path / 'bag') as bag:
        make = bag.store.types['std_msgs/msg/String']
        bag.write_message('/latched', make(data='x'), 1, latched=True)
        bag.write_message('/plain', make(data='x'), 1)
    with BagReader(tmp_path / 'bag') as reader:
        found = {item.topic: is_latched(item) for item in reader.connections}
    assert found == {'/latched': True, '/plain': False}


def test_a_folder_without_metadata_is_not_a_bag(tmp_path: Path):
    (tmp_path / 'a.mcap').touch()
    for path in (tmp_path, tmp_path / 'a.mcap', tmp_path / 'none.mcap', tmp_path / 'none'):
        with pytest.raises(BagError, match='is not a rosbag2: .*metadata.yaml is missing'):
            BagReader(path)


def test_a_bag_is_named_by_its_folder_or_an_existing_storage_file(tmp_path: Path):
    bag = write_words(tmp_path / 'bag.mcap')
    with BagReader(bag) as reader:
        assert reader.path == bag
    for name in ('none.mcap', 'metadata.yaml'):
        with pytest.raises(BagError, match=f'{name} is not a rosbag2'):
            BagReader(bag / name)


def test_damaged_metadata_are_one_error(tmp_path: Path):
    (tmp_path / 'metadata.yaml').write_text('a: [')
    with pytest.raises(BagError, match='cannot be opened'):
        BagReader(tmp_path)


def test_a_truncated_bag_is_one_error(tmp_path: Path):
    path = tmp_path / 'bag'
    shutil.copytree(DEMO, path)
    file = path / 'demo_street.mcap'
    file.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(BagError, match='bag'), BagReader(path) as reader:
        list(reader.messages())


def test_the_messages_before_the_damage_are_yielded_and_counted(tmp_path: Path):
    path = tmp_path / 'bag'
    shutil.copytree(DEMO, path)
    file = path / 'demo_street.mcap'
    data = file.read_bytes()
    middle = len(data) // 2
    file.write_bytes(data[:middle] + bytes(1000) + data[middle + 1000 :])
    found = []
    with BagReader(path) as reader, pytest.raises(BagError) as error:
        for message in reader.messages():
            found.append(message.topic)
    assert 50 < len(found) < 252
    assert f'bag is damaged after message {len(found)}: ' in str(error.value)


def test_an_error_of_the_consumer_is_not_an_error_of_the_bag(tmp_path: Path):
    with BagReader(write_words(tmp_path / 'bag')) as reader:
        messages = reader.messages()
        next(messages)
        with pytest.raises(BagError, match='^mine$'):
            messages.throw(BagError('mine'))


def test_an_abandoned_iteration_is_not_an_error(tmp_path: Path):
    with BagReader(write_words(tmp_path / 'bag')) as reader:
        messages = reader.messages()
        next(messages)
        messages.close()
