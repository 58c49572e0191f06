"""Bags, images and videos become messages with the right times, topics and contents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from bag_tools import IMAGE_TOPIC, INFO_TOPIC, image, info, write_bag, write_words
from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Writer
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.camera.conventions import camera_from_info
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError, MediaError
from hydranet_ros.images.files import write_image
from hydranet_ros.images.video import VideoWriter
from hydranet_ros.ros.conversions import image_to_rgb
from hydranet_ros.ros.message_sources import (
    TopicType,
    bag_messages,
    bag_topics,
    image_messages,
    image_topics,
    is_bag,
)
from hydranet_ros.ros.play_options import PlayOptions

START = 7_000_000_123
CAMERA = CameraModel(8, 6, 10.0, 11.0, 4.0, 3.0, 'plumb_bob')


def write_images(folder: Path, count: int = 4) -> Path:
    """Write ``count`` images f0.png, f1.png, ... of 8x6 pixels with the values 0, 50, ..."""
    folder.mkdir()
    for index in range(count):
        write_image(folder / f'f{index}.png', np.full((6, 8, 3), 50 * index, np.uint8))
        write_image(folder / f'f{index}.depth.png', np.zeros((6, 8), np.uint16))
    return folder


def times(messages, count: int | None = None) -> list[int]:
    return [item.time for item, _ in zip(messages, range(count or 10**6))]


@pytest.mark.parametrize('name', ['a.mcap', 'a.db3'])
def test_a_folder_or_a_file_of_a_rosbag2_is_a_bag(tmp_path, name):
    assert is_bag(tmp_path / name)
    assert is_bag(write_words(tmp_path / 'bag'))


@pytest.mark.parametrize('name', ['', 'a.png', 'a.mp4', 'mcap'])
def test_anything_else_is_no_bag(tmp_path, name):
    assert not is_bag(tmp_path / name)


def test_the_topics_of_a_bag_have_their_message_classes(tmp_path):
    topics = bag_topics(write_bag(tmp_path / 'bag', [image(1), info(1, 100.0)]))
    assert topics == {IMAGE_TOPIC: TopicType(Image), INFO_TOPIC: TopicType(CameraInfo)}


def test_a_topic_of_a_late_joiner_is_latched(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        word = bag.store.types['std_msgs/msg/String'](data='x')
        bag.write_message('/latched', word, 1, latched=True)
        bag.write_message('/volatile', word, 2)
    expected = {'/latched': TopicType(String, True), '/volatile': TopicType(String, False)}
    assert bag_topics(tmp_path / 'bag') == expected
    messages = bag_messages(tmp_path / 'bag', pytest.fail)
    assert {item.topic: item.type for item in messages} == expected


def test_the_messages_of_a_bag_are_those_that_were_recorded(tmp_path):
    path = write_words(tmp_path / 'bag', 3)
    messages = list(bag_messages(path, pytest.fail))
    assert [item.time for item in messages] == [10**9, 10**9 + 1, 10**9 + 2]
    assert {item.topic for item in messages} == {'/words'}
    words = [deserialize_message(item.data, String).data for item in messages]
    assert words == ['word 0', 'word 1', 'word 2']
    with BagReader(path) as reader:
        assert [item.data for item in reader.messages()] == [item.data for item in messages]


def write_odd_types(path: Path, *kinds: str) -> Path:
    """Write a bag with one message of each type name, and one std_msgs/msg/String on /words."""
    store = typestore()
    word = store.serialize_cdr(store.types['std_msgs/msg/String'](data='x'), 'std_msgs/msg/String')
    with Writer(path, version=8) as bag:
        for index, kind in enumerate(kinds):
            odd = bag.add_connection(f'/odd{index}', kind, msgdef='string data', rihs01='RIHS01_0')
            bag.write(odd, index, word)
        good = bag.add_connection('/words', 'std_msgs/msg/String', typestore=store)
        bag.write(good, 9, word)
    return path


ODD = ['missing_msgs/msg/Word', 'String', 'std_msgs/String', 'a/b/c/d', '/msg/',
       '../msg/String', 'std_msgs/msg/__name__']  # fmt: skip


def test_types_that_are_not_installed_or_malformed_are_skipped_with_one_warning(tmp_path):
    path = write_odd_types(tmp_path / 'bag', *ODD)
    assert bag_topics(path) == {'/words': TopicType(String)}
    warnings: list[str] = []
    assert [item.topic for item in bag_messages(path, warnings.append)] == ['/words']
    assert warnings == [
        f'Skipped types whose packages are not installed: {", ".join(sorted(ODD))}.'
    ]


def test_a_bag_without_an_installed_type_is_an_error(tmp_path):
    with BagWriter(tmp_path / 'empty'):
        pass
    with pytest.raises(BagError, match='empty has no message of an installed type'):
        bag_topics(tmp_path / 'empty')


def test_a_path_without_a_bag_is_an_error(tmp_path):
    with pytest.raises(BagError, match='is not a rosbag2'):
        list(bag_messages(tmp_path / 'none', pytest.fail))


def test_the_topics_of_images_have_a_camera_info_only_with_intrinsics():
    options = PlayOptions(topic='/front/image')
    assert image_topics(options) == {'/front/image': TopicType(Image)}
    options = PlayOptions(topic='/front/image', camera=CAMERA)
    assert image_topics(options) == {
        '/front/image': TopicType(Image), '/front/camera_info': TopicType(CameraInfo),
    }  # fmt: skip


def test_a_folder_becomes_images_in_order_at_the_rate(tmp_path):
    options = PlayOptions(topic='/front/image', fps=20.0, pattern='f?.png', frame_id='left')
    messages = list(image_messages(write_images(tmp_path / 'p'), options, START))
    assert [item.time for item in messages] == [START + index * 50_000_000 for index in range(4)]
    assert {(item.topic, item.type) for item in messages} == {('/front/image', TopicType(Image))}
    images = [deserialize_message(item.data, Image) for item in messages]
    assert [int(image_to_rgb(item)[0, 0, 0]) for item in images] == [0, 50, 100, 150]
    for item, message in zip(messages, images):
        assert message.header.frame_id == 'left'
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == item.time


def test_without_a_rate_images_are_played_at_10_hz(tmp_path):
    folder = write_images(tmp_path / 'p', 3)
    options = PlayOptions(pattern='f?.png')
    expected = [START, START + 100_000_000, START + 200_000_000]
    assert times(image_messages(folder, options, START)) == expected


def test_a_camera_info_precedes_each_image_with_the_same_header(tmp_path):
    options = PlayOptions(camera=CAMERA.scaled(16, 12), pattern='f?.png')
    messages = list(image_messages(write_images(tmp_path / 'p', 2), options, START))
    assert [item.topic for item in messages] == ['/camera/camera_info', '/camera/image'] * 2
    found = [deserialize_message(item.data, item.type.message_class) for item in messages]
    for camera_info, message in (found[:2], found[2:]):
        assert camera_info.header == message.header
        assert camera_from_info(camera_info) == CAMERA, 'scaled to the size of the image'
    assert times(messages) == [START, START, START + 100_000_000, START + 100_000_000]


def test_a_single_image_is_one_message(tmp_path):
    write_image(tmp_path / 'a.png', np.full((6, 8, 3), 9, np.uint8))
    (message,) = image_messages(tmp_path / 'a.png', PlayOptions(pattern='none'), START)
    assert (message.time, message.topic) == (START, '/camera/image')


@pytest.mark.parametrize(('fps', 'period'), [(0.0, 0.04), (10.0, 0.1)])
@pytest.mark.parametrize('name', ['film.mp4', 'film.MP4'])
def test_a_video_has_its_own_rate_or_the_given_one(tmp_path, fps, period, name):
    with VideoWriter(tmp_path / 'film.mp4', 25) as writer:
        for value in (10, 100, 200):
            writer.write(np.full((48, 64, 3), value, np.uint8))
    (tmp_path / 'film.mp4').rename(tmp_path / name)
    found = times(image_messages(tmp_path / name, PlayOptions(fps=fps), START))
    assert found == pytest.approx([START + index * period * 1e9 for index in range(3)], abs=1e6)


@pytest.mark.parametrize(('count', 'fps', 'period'), [(1, 50.0, 20), (3, 50.0, 20), (1, 0.0, 100)])
def test_a_loop_repeats_the_images_and_the_time_continues(tmp_path, count, fps, period):
    options = PlayOptions(loop=True, fps=fps, pattern='f?.png')
    folder = write_images(tmp_path / 'p', count)
    messages = [item for item, _ in zip(image_messages(folder, options, START), range(7))]
    expected = [START + index * period * 1_000_000 for index in range(7)]
    assert [item.time for item in messages] == expected
    values = [image_to_rgb(deserialize_message(item.data, Image))[0, 0, 0] for item in messages]
    assert values == [50 * (index % count) for index in range(7)]


def test_a_folder_without_images_is_an_error_even_in_a_loop(tmp_path):
    with pytest.raises(MediaError, match='has no image'):
        list(image_messages(tmp_path, PlayOptions(loop=True), START))
