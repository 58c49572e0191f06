"""Each image of a bag gets the camera that took it; bad messages are reported and skipped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from bag_tools import IMAGE_TOPIC, INFO_TOPIC, Recorded, image, info, make_message, write_bag

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.pairing import CAMERAS_KEPT, LOOK_AHEAD, CameraPairing, first_camera
from hydranet_ros.bags.reader import BagMessage, BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError

STORE = typestore()
FIRST = CameraModel(8, 6, 50.0, 50.0, 4.0, 3.0)


def pairing(first: CameraModel | None = FIRST, **options) -> CameraPairing:
    return CameraPairing(STORE, INFO_TOPIC, first, **options)


def pair(
    tmp_path: Path, items: Iterable[Recorded], pairs: CameraPairing | None = None
) -> list[tuple[int, float | None]]:
    """Return the stamp of each image and the focal length of its camera."""
    with BagReader(write_bag(tmp_path / 'in', items)) as reader:
        found = list((pairs or pairing()).pair(reader.messages()))
    return [(item.header.stamp.sec, item.camera and item.camera.fx) for item in found]


def test_the_camera_info_of_the_stamp_counts_before_and_after_the_image(tmp_path: Path):
    items = [info(1, 10.0), image(1), image(2), info(2, 20.0), info(3, 30.0), image(3)]
    assert pair(tmp_path, items) == [(1, 10.0), (2, 20.0), (3, 30.0)]


def test_the_camera_info_may_be_recorded_four_images_later_but_not_five(tmp_path: Path):
    images = [image(stamp) for stamp in range(1, 6)]
    items = [info(9, 90.0), *images[:4], info(1, 10.0), images[4]]
    assert pair(tmp_path, items)[0] == (1, 10.0)
    items = [info(9, 90.0), *images, info(1, 10.0)]
    assert pair(tmp_path / 'late', items)[0] == (1, 90.0)


def test_an_image_waits_although_a_later_one_has_its_camera_info(tmp_path: Path):
    items = [info(9, 90.0), image(1), image(2), info(2, 20.0), info(1, 10.0)]
    assert pair(tmp_path, items) == [(1, 10.0), (2, 20.0)]


def test_without_an_equal_stamp_the_newest_camera_info_before_the_image_counts(tmp_path: Path):
    items = [info(100, 10.0), image(1), info(200, 20.0), image(2), image(3), info(300, 30.0)]
    assert pair(tmp_path, items) == [(1, 10.0), (2, 20.0), (3, 20.0)]


def test_images_before_any_camera_info_have_the_first_camera(tmp_path: Path):
    items = [*(image(stamp) for stamp in range(20)), info(500, 30.0), image(20)]
    found = pair(tmp_path, items)
    assert found == [*((stamp, FIRST.fx) for stamp in range(20)), (20, 30.0)]


def test_a_second_camera_info_with_the_same_stamp_replaces_the_first(tmp_path: Path):
    assert pair(tmp_path, [info(1, 10.0), info(1, 20.0), image(1)]) == [(1, 20.0)]


def test_nanoseconds_are_part_of_the_stamp(tmp_path: Path):
    with BagWriter(tmp_path / 'in') as bag:
        types = bag.store.types
        for timestamp, item in enumerate([info(1, 10.0), info(2, 20.0), image(1)]):
            message = make_message(types, item)
            message.header.stamp.nanosec = 8 if item.fx is None else 7
            bag.write_message(item.topic, message, timestamp)
    with BagReader(tmp_path / 'in') as reader:
        (found,) = pairing().pair(reader.messages())
    assert found.camera.fx == 20.0


@pytest.mark.parametrize('more', [0, 1])
def test_the_last_64_camera_infos_are_kept(tmp_path: Path, more: int):
    assert CAMERAS_KEPT == 64
    infos = [info(stamp, 100.0 + stamp) for stamp in range(64 + more)]
    (found,) = pair(tmp_path, [*infos, image(0)])
    assert found == (0, 100.0 if more == 0 else 100.0 + 64)


def test_at_most_four_images_wait_for_a_camera_info(tmp_path: Path):
    assert LOOK_AHEAD == 4
    source = write_bag(tmp_path / 'in', [info(500, 100.0), *(image(i) for i in range(50))])
    read: list[BagMessage] = []
    with BagReader(source) as reader:
        messages = (read.append(message) or message for message in reader.messages())
        pairs = pairing().pair(messages)
        ahead = [len(read) - 1 - number for number, _ in enumerate(pairs, start=1)]
    assert ahead == [4] * 46 + [3, 2, 1, 0]


def test_no_image_waits_if_the_bag_has_no_camera_info(tmp_path: Path):
    source = write_bag(tmp_path / 'in', [image(i) for i in range(5)])
    read: list[BagMessage] = []
    with BagReader(source) as reader:
        messages = (read.append(message) or message for message in reader.messages())
        pairs = pairing(None).pair(messages)
        assert [(len(read), item.camera) for item in pairs] == [(n, None) for n in range(1, 6)]


def test_an_image_has_its_pixels_header_and_timestamp(tmp_path: Path):
    with BagWriter(tmp_path / 'in') as bag:
        message = make_message(bag.store.types, image(5))
        message.data = np.arange(144, dtype=np.uint8)
        bag.write_message(IMAGE_TOPIC, message, 77)
    with BagReader(tmp_path / 'in') as reader:
        (found,) = pairing().pair(reader.messages())
    np.testing.assert_array_equal(found.image, np.arange(144).reshape(6, 8, 3))
    assert (found.header.stamp.sec, found.header.stamp.nanosec) == (5, 7)
    assert (found.header.frame_id, found.timestamp) == ('c', 77)


def test_the_camera_is_scaled_to_the_size_of_the_image(tmp_path: Path):
    pairs = pairing(CameraModel(16, 18, 50.0, 60.0, 8.0, 9.0))
    with BagReader(write_bag(tmp_path / 'in', [image(1)])) as reader:
        (found,) = pairs.pair(reader.messages())
    assert found.camera == CameraModel(8, 6, 25.0, 20.0, 4.0, 3.0)


def test_an_uncalibrated_camera_is_no_camera_and_is_reported_once(tmp_path: Path, capsys):
    items = [item for stamp in range(3) for item in (info(stamp, 0.0), image(stamp))]
    pairs = pairing()
    assert pair(tmp_path, items, pairs) == [(0, None), (1, None), (2, None)]
    assert pairs.failed == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('hydranet: camera info 1: ') and 'not calibrated' in line


def test_another_error_of_a_camera_info_is_reported_too(tmp_path: Path, capsys):
    items = [info(1, 0.0), info(2, -1.0), info(3, -1.0), info(4, 0.0), image(1)]
    pair(tmp_path, items)
    lines = capsys.readouterr().err.splitlines()
    numbers = [line.split(':')[1].strip() for line in lines]
    assert numbers == ['camera info 1', 'camera info 2', 'camera info 4']


def test_an_image_in_an_unknown_encoding_is_reported_and_counted(tmp_path: Path, capsys):
    pairs = pairing()
    items = [image(0), image(1, 'rainbow9'), image(2)]
    assert [stamp for stamp, _ in pair(tmp_path, items, pairs)] == [0, 2]
    assert (pairs.images, pairs.failed) == (3, 1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('hydranet: image 2: ') and "'rainbow9' is not supported" in line


@pytest.mark.parametrize(('max_pixels', 'count'), [(48, 1), (47, 0)])
def test_an_image_above_the_limit_is_counted(tmp_path: Path, capsys, max_pixels, count):
    pairs = pairing(max_pixels=max_pixels)
    assert len(pair(tmp_path, [image(0)], pairs)) == count
    assert pairs.failed == 1 - count
    assert ('8x6 = 48 pixels' in capsys.readouterr().err) == (count == 0)


def write_truncated(path: Path, items: Iterable[Recorded], *truncated: int) -> Path:
    """Write a bag in which some messages have only their first 40 bytes."""
    with BagWriter(path) as bag:
        for timestamp, item in enumerate(items):
            message = make_message(bag.store.types, item)
            data = bytes(bag.store.serialize_cdr(message, message.__msgtype__))
            end = 40 if timestamp in truncated else len(data)
            bag.write(item.topic, message.__msgtype__, timestamp, data[:end])
    return path


def test_messages_that_cannot_be_decoded_are_skipped_and_counted(tmp_path: Path, capsys):
    items = [info(0, 100.0), image(0), info(1, 100.0), image(1)] * 2
    pairs = pairing()
    with BagReader(write_truncated(tmp_path / 'in', items, 2, 5)) as reader:
        assert len(list(pairs.pair(reader.messages()))) == 3
    assert (pairs.images, pairs.failed) == (4, 2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(': 40 bytes cannot be decoded')[0] for line in lines] == [
        'hydranet: camera info 2', 'hydranet: image 3',
    ]  # fmt: skip


def test_the_images_before_the_damage_of_a_bag_are_yielded(tmp_path: Path):
    def damaged(messages: Iterable[BagMessage]) -> Iterable[BagMessage]:
        yield from messages
        raise BagError('damaged')

    source = write_bag(tmp_path / 'in', [info(9, 90.0), image(1), image(2)])
    found = []
    with BagReader(source) as reader, pytest.raises(BagError, match='damaged'):
        for item in pairing().pair(damaged(reader.messages())):
            found.append(item.header.stamp.sec)
    assert found == [1, 2]


def test_the_first_camera_is_that_of_the_first_usable_camera_info(tmp_path: Path):
    items = [image(0), info(1, 0.0), info(2, 20.0), info(3, 30.0)]
    with BagReader(write_truncated(tmp_path / 'in', [info(0, 5.0), *items], 0)) as reader:
        assert first_camera(reader, STORE, INFO_TOPIC).fx == 20.0
        assert first_camera(reader, STORE, '/none') is None


def test_a_bag_without_a_usable_camera_info_has_no_first_camera(tmp_path: Path):
    with BagReader(write_bag(tmp_path / 'in', [info(0, 0.0), image(0)])) as reader:
        assert first_camera(reader, STORE, INFO_TOPIC) is None


def test_a_damaged_bag_has_no_first_camera(tmp_path: Path):
    source = write_bag(tmp_path / 'in', [info(0, 10.0)])
    (file,) = source.glob('*.mcap')
    with BagReader(source) as reader:
        data = bytearray(file.read_bytes())
        data[60:110] = bytes(50)
        file.write_bytes(data)
        assert first_camera(reader, STORE, INFO_TOPIC) is None
