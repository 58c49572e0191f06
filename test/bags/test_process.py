"""Bag in, bag out: every frame, each result with its image's stamp."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hydranet_ros.bags.process import _Run, process_bag
from hydranet_ros.bags.storage import BagMessage, BagReader, BagWriter, typestore
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import BagError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.resources import config_file

DEMO = config_file('demo_street')


@pytest.fixture
def perception(tiny_model) -> Perception:
    return Perception(Engine(tiny_model))


def test_every_image_has_its_mask_depth_and_cloud(tmp_path: Path, perception):
    counts = process_bag(DEMO, tmp_path / 'out', perception)
    assert (counts.done, counts.failed) == (60, 0)
    store = typestore()
    stamps: dict[str, list] = {}
    with BagReader(tmp_path / 'out') as reader:
        for message in reader.messages():
            value = store.deserialize_cdr(message.data, message.kind)
            stamps.setdefault(message.topic, []).append(
                value.header.stamp.sec * 10**9 + value.header.stamp.nanosec
            )
            assert value.header.frame_id == 'camera_optical'
            assert (value.height, value.width) == (360, 640)
    expected = [1_700_000_000 * 10**9 + i * 10**8 for i in range(60)]
    assert stamps == {
        '/hydranet/segmentation/mask': expected,
        '/hydranet/depth/image': expected,
        '/hydranet/points': expected,
    }


@dataclass(frozen=True)
class Shot:
    """What to write: an image or, where ``fx`` is given, a camera info."""

    stamp: int
    fx: float | None = None
    encoding: str = 'rgb8'


def image(stamp: int, encoding: str = 'rgb8') -> Shot:
    return Shot(stamp, encoding=encoding)


def info(stamp: int, fx: float) -> Shot:
    return Shot(stamp, fx)


def make(kinds: dict[str, Any], shot: Shot) -> Any:
    """Return the message: 8 x 6 pixels, red 0, whose depth the test model gives as 1 m."""
    stamp = kinds['builtin_interfaces/msg/Time'](sec=shot.stamp, nanosec=7)
    header = kinds['std_msgs/msg/Header'](stamp=stamp, frame_id='c')
    if shot.fx is None:
        return kinds['sensor_msgs/msg/Image'](
            header=header, height=6, width=8, encoding=shot.encoding, is_bigendian=0, step=24,
            data=np.zeros(144, np.uint8),
        )  # fmt: skip
    roi = kinds['sensor_msgs/msg/RegionOfInterest'](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    k = np.array([shot.fx, 0, 4, 0, shot.fx, 3, 0, 0, 1])
    return kinds['sensor_msgs/msg/CameraInfo'](
        header=header, height=6, width=8, distortion_model='plumb_bob', d=np.zeros(5), k=k,
        r=np.eye(3).ravel(), p=np.zeros(12), binning_x=0, binning_y=0, roi=roi,
    )  # fmt: skip


def write_bag(path: Path, shots: Iterable[Shot]) -> Path:
    with BagWriter(path) as bag:
        for moment, shot in enumerate(shots):
            topic = '/cam/image' if shot.fx is None else '/cam/camera_info'
            bag.write_message(topic, make(bag.store.types, shot), moment)
    return path


def read_results(path: Path) -> tuple[dict[int, float], list[int]]:
    """Return every depth image's median by its image's stamp, and the stamps of the clouds."""
    store = typestore()
    depths, clouds = {}, []
    with BagReader(path) as reader:
        for message in reader.messages(['/hydranet/depth/image', '/hydranet/points']):
            value = store.deserialize_cdr(message.data, message.kind)
            if message.topic == '/hydranet/points':
                clouds.append(value.header.stamp.sec)
            else:
                depth = np.median(value.data.view(np.float32))
                depths[value.header.stamp.sec] = pytest.approx(float(depth), rel=1e-5)
    return depths, clouds


def run(tmp_path: Path, perception: Perception, shots: Iterable[Shot]):
    counts = process_bag(write_bag(tmp_path / 'in', shots), tmp_path / 'out', perception)
    assert counts.failed == 0
    return read_results(tmp_path / 'out')


def test_an_image_recorded_before_the_camera_info_of_its_stamp_is_scaled_by_it(
    tmp_path, perception, capsys
):
    """The camera zooms: the depth of each image is 1 m * fx / 100, the model's focal length."""
    pairs = [(image(stamp), info(stamp, 100.0 * (stamp + 1))) for stamp in range(6)]
    shots = [shot for pair in pairs for shot in pair]
    depths, clouds = run(tmp_path, perception, shots)
    assert depths == {stamp: stamp + 1.0 for stamp in range(6)}
    assert clouds == list(range(6))
    assert 'warning' not in capsys.readouterr().err


def test_a_camera_info_a_few_images_later_is_still_found(tmp_path, perception):
    shots = [info(9, 900.0), image(1), image(2), image(3), info(1, 100.0), info(2, 200.0),
             info(3, 300.0)]  # fmt: skip
    depths, _ = run(tmp_path, perception, shots)
    assert depths == {1: 1.0, 2: 2.0, 3: 3.0}


def test_without_an_equal_stamp_the_newest_camera_info_before_the_image_counts(
    tmp_path, perception
):
    shots = [info(100, 100.0), image(1), info(200, 200.0), image(2), image(3), info(300, 300.0)]
    depths, clouds = run(tmp_path, perception, shots)
    assert depths == {1: 1.0, 2: 2.0, 3: 2.0}
    assert clouds == [1, 2, 3]


def test_images_before_the_first_camera_info_take_it_however_late_it_comes(tmp_path, perception):
    shots = [*(image(stamp) for stamp in range(20)), info(500, 300.0), image(20)]
    depths, clouds = run(tmp_path, perception, shots)
    assert depths == dict.fromkeys(range(21), 3.0)
    assert clouds == list(range(21))


def test_at_most_four_images_are_held_while_a_camera_info_is_awaited(tmp_path):
    source = write_bag(tmp_path / 'in', [info(500, 100.0), *(image(i) for i in range(50))])
    taken: list[BagMessage] = []
    with BagReader(source) as reader, BagWriter(tmp_path / 'out') as writer:
        messages = (taken.append(message) or message for message in reader.messages())
        run = _Run(writer, '/cam/camera_info', CameraModel(8, 6, 100.0, 100.0, 4.0, 3.0))
        ahead = [len(taken) - 1 - number for number, _ in enumerate(run.frames(messages), start=1)]
    assert ahead == [4] * 46 + [4, 3, 2, 1, 0][1:]


def test_a_bag_without_camera_info_is_processed_with_one_warning(tmp_path, perception, capsys):
    depths, clouds = run(tmp_path, perception, [image(0), image(1), image(2)])
    assert depths == {0: 1.0, 1: 1.0, 2: 1.0} and clouds == []
    (line,) = capsys.readouterr().err.splitlines()
    assert 'warning' in line and 'no usable camera info on /cam/camera_info' in line


def test_an_uncalibrated_camera_is_reported_once(tmp_path, perception, capsys):
    shots = [shot for stamp in range(3) for shot in (info(stamp, 0.0), image(stamp))]
    _, clouds = run(tmp_path, perception, shots)
    assert clouds == []
    assert capsys.readouterr().err.count('not calibrated') == 1


def test_a_bad_image_costs_only_itself_and_no_camera_only_the_cloud(tmp_path, perception, capsys):
    source = write_bag(tmp_path / 'in', [image(0), image(1, 'rainbow9'), image(2, 'bgr8')])
    counts = process_bag(source, tmp_path / 'out', perception)
    assert (counts.done, counts.failed) == (2, 1)
    (line,) = (line for line in capsys.readouterr().err.splitlines() if 'warning' not in line)
    assert line.startswith('hydranet: image 2: ') and "'rainbow9' is not supported" in line
    with BagReader(tmp_path / 'out') as reader:
        found = {item.topic: item.msgcount for item in reader.connections}
    assert found == {'/hydranet/segmentation/mask': 2, '/hydranet/depth/image': 2}


def test_messages_that_cannot_be_decoded_cost_only_themselves(tmp_path, perception, capsys):
    with BagWriter(tmp_path / 'in') as bag:
        for moment, shot in enumerate([info(0, 100.0), image(0), info(1, 100.0), image(1)] * 2):
            message = make(bag.store.types, shot)
            data = bytes(bag.store.serialize_cdr(message, message.__msgtype__))
            topic = '/cam/image' if shot.fx is None else '/cam/camera_info'
            cut = 40 if moment in (2, 5) else len(data)
            bag.write(topic, message.__msgtype__, moment, data[:cut])
    counts = process_bag(tmp_path / 'in', tmp_path / 'out', perception)
    assert (counts.done, counts.failed) == (3, 2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(': 40 bytes cannot be decoded')[0] for line in lines] == [
        'hydranet: camera info 2', 'hydranet: image 3',
    ]  # fmt: skip


def test_no_damage_of_a_message_ends_the_run(tmp_path, perception):
    """One byte of each message is changed, or the message is cut."""
    random = np.random.default_rng(5)
    with BagWriter(tmp_path / 'in') as bag:
        for moment in range(120):
            shot = info(moment, 100.0) if moment % 2 else image(moment)
            message = make(bag.store.types, shot)
            data = bytearray(bag.store.serialize_cdr(message, message.__msgtype__))
            place = int(random.integers(4, min(len(data), 80)))
            if moment % 3:
                data[place] = int(random.integers(256))
            else:
                del data[place:]
            topic = '/cam/image' if shot.fx is None else '/cam/camera_info'
            bag.write(topic, message.__msgtype__, moment, bytes(data))
        bag.write_message('/cam/image', make(bag.store.types, image(999)), 999)
    counts = process_bag(tmp_path / 'in', tmp_path / 'out', perception)
    assert counts.failed > 40
    assert 999 in read_results(tmp_path / 'out')[0]


def test_another_type_on_the_camera_info_topic_costs_only_the_cameras(
    tmp_path, perception, capsys
):
    with BagWriter(tmp_path / 'in') as bag:
        kinds = bag.store.types
        for stamp in range(3):
            word = kinds['std_msgs/msg/String'](data='no camera')
            bag.write_message('/cam/camera_info', word, 2 * stamp)
            bag.write_message('/cam/image', make(kinds, image(stamp)), 2 * stamp + 1)
    counts = process_bag(tmp_path / 'in', tmp_path / 'out', perception)
    assert (counts.done, counts.failed) == (3, 3)
    lines = capsys.readouterr().err.splitlines()
    assert sum('has a std_msgs/msg/String' in line for line in lines) == 1
    assert read_results(tmp_path / 'out') == ({0: 1.0, 1: 1.0, 2: 1.0}, [])


def test_a_bag_without_the_images_is_refused_with_its_topics(tmp_path, perception):
    with pytest.raises(BagError, match=r"no images on '/none'.*/camera/image/compressed"):
        process_bag(DEMO, tmp_path / 'out', perception, image_topic='/none')
