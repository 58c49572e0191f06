"""A bag is processed offline: every image has its results, with its stamp and timestamp."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from bag_tools import Recorded, image, info, make_message, write_bag
from model_factory import make_model

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.process import BagCounts, process_bag
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.errors import BagError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.outputs import OUTPUTS
from hydranet_ros.perception.pipeline import Perception, PerceptionSettings
from hydranet_ros.resources import config_file

DEMO = config_file('demo_street')


@pytest.fixture
def perception(tiny_model) -> Perception:
    return Perception(Engine(tiny_model))


def test_every_image_has_its_mask_depth_and_cloud(tmp_path: Path, perception):
    assert process_bag(DEMO, tmp_path / 'out', perception) == BagCounts(done=60, failed=0)
    store = typestore()
    stamps: dict[str, list] = {}
    with BagReader(DEMO) as reader:
        recorded = [m.timestamp for m in reader.messages(['/camera/image/compressed'])]
    with BagReader(tmp_path / 'out') as reader:
        for message in reader.messages():
            value = store.deserialize_cdr(message.data, message.message_type)
            stamp = value.header.stamp.sec * 10**9 + value.header.stamp.nanosec
            stamps.setdefault(message.topic, []).append((stamp, message.timestamp))
            assert value.header.frame_id == 'camera_optical'
            assert (value.height, value.width) == (360, 640)
    expected = [(1_700_000_000 * 10**9 + i * 10**8, recorded[i]) for i in range(60)]
    assert stamps == {
        '/hydranet/segmentation/mask': expected,
        '/hydranet/depth/image': expected,
        '/hydranet/points': expected,
    }


def test_topics_types_and_encodings_are_those_of_the_node(tmp_path: Path, perception):
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0)])
    process_bag(source, tmp_path / 'out', perception)
    store = typestore()
    with BagReader(tmp_path / 'out') as reader:
        messages = list(reader.messages())
    specs = [spec for spec in OUTPUTS.values() if spec.in_bag]
    assert [(m.topic, m.message_type) for m in messages] == [
        (f'/hydranet/{spec.name}', spec.message_type) for spec in specs
    ]
    mask, depth, points = (store.deserialize_cdr(m.data, m.message_type) for m in messages)
    assert (mask.encoding, mask.data.size) == ('mono8', 48)
    assert depth.encoding == '32FC1'
    np.testing.assert_allclose(depth.data.view(np.float32), 1.0, rtol=1e-6)
    assert (points.point_step, points.data.size) == (16, 48 * 16)


def read_results(path: Path) -> tuple[dict[int, float], list[int]]:
    """Return the median of every depth image by stamp, and the stamps of the clouds."""
    store = typestore()
    depths, clouds = {}, []
    with BagReader(path) as reader:
        for message in reader.messages(['/hydranet/depth/image', '/hydranet/points']):
            value = store.deserialize_cdr(message.data, message.message_type)
            if message.topic == '/hydranet/points':
                clouds.append(value.header.stamp.sec)
            else:
                depth = np.median(value.data.view(np.float32))
                depths[value.header.stamp.sec] = pytest.approx(float(depth), rel=1e-5)
    return depths, clouds


def process(tmp_path: Path, perception: Perception, items: Iterable[Recorded]):
    counts = process_bag(write_bag(tmp_path / 'in', items), tmp_path / 'out', perception)
    assert counts.failed == 0
    return read_results(tmp_path / 'out')


def test_depth_is_scaled_by_the_camera_of_each_image(tmp_path, perception, capsys):
    """The camera zooms: the depth of each image is 1 m * fx / 100, the model's focal length."""
    pairs = [(image(stamp), info(stamp, 100.0 * (stamp + 1))) for stamp in range(6)]
    depths, clouds = process(tmp_path, perception, [item for pair in pairs for item in pair])
    assert depths == {stamp: stamp + 1.0 for stamp in range(6)}
    assert clouds == list(range(6))
    assert capsys.readouterr().err == ''


def test_images_before_the_first_camera_info_have_its_camera(tmp_path, perception):
    items = [*(image(stamp) for stamp in range(20)), info(500, 300.0), image(20)]
    depths, clouds = process(tmp_path, perception, items)
    assert depths == dict.fromkeys(range(21), 3.0)
    assert clouds == list(range(21))


def test_a_bag_without_camera_info_has_no_clouds_and_one_warning(tmp_path, perception, capsys):
    depths, clouds = process(tmp_path, perception, [image(0), image(1), image(2)])
    assert depths == {0: 1.0, 1: 1.0, 2: 1.0} and clouds == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('hydranet: warning: ')
    assert 'no usable camera info on /cam/camera_info' in line


def test_a_bag_with_unusable_camera_infos_has_one_warning(tmp_path, perception, capsys):
    _, clouds = process(tmp_path, perception, [info(0, 0.0), image(0)])
    assert clouds == []
    lines = capsys.readouterr().err.splitlines()
    assert [('warning' in line, 'not calibrated' in line) for line in lines] == [
        (True, False), (False, True),
    ]  # fmt: skip


def test_the_settings_of_perception_apply(tmp_path, tiny_model):
    perception = Perception(Engine(tiny_model), PerceptionSettings(max_depth=0.5, cloud_stride=2))
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0)])
    process_bag(source, tmp_path / 'out', perception)
    store = typestore()
    with BagReader(tmp_path / 'out') as reader:
        found = {m.topic: store.deserialize_cdr(m.data, m.message_type) for m in reader.messages()}
    assert np.isnan(found['/hydranet/depth/image'].data.view(np.float32)).all()
    assert (found['/hydranet/points'].height, found['/hydranet/points'].width) == (3, 4)


@pytest.mark.parametrize(
    ('tasks', 'topics'),
    [(('segmentation',), {'/hydranet/segmentation/mask'}),
     (('depth',), {'/hydranet/depth/image', '/hydranet/points'})],
)  # fmt: skip
def test_a_model_writes_what_it_has(tmp_path, tasks, topics):
    perception = Perception(Engine(make_model(tmp_path / 'm.onnx', tasks=tasks)))
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0)])
    assert process_bag(source, tmp_path / 'out', perception) == BagCounts(1, 0)
    with BagReader(tmp_path / 'out') as reader:
        assert {item.topic for item in reader.connections} == topics


def test_messages_that_fail_are_counted_and_the_others_processed(tmp_path, perception):
    items = [info(0, 100.0), image(0), image(1, 'rainbow9'), image(2, 'bgr8')]
    source = write_bag(tmp_path / 'in', items)
    assert process_bag(source, tmp_path / 'out', perception) == BagCounts(done=2, failed=1)
    assert list(read_results(tmp_path / 'out')[0]) == [0, 2]


def test_no_damage_of_a_message_ends_the_run(tmp_path, perception):
    """One byte of each message is changed, or the message is truncated."""
    random = np.random.default_rng(5)
    with BagWriter(tmp_path / 'in') as bag:
        for timestamp in range(120):
            item = info(timestamp, 100.0) if timestamp % 2 else image(timestamp)
            message = make_message(bag.store.types, item)
            data = bytearray(bag.store.serialize_cdr(message, message.__msgtype__))
            place = int(random.integers(4, min(len(data), 80)))
            if timestamp % 3:
                data[place] = int(random.integers(256))
            else:
                del data[place:]
            bag.write(item.topic, message.__msgtype__, timestamp, bytes(data))
        bag.write_message('/cam/image', make_message(bag.store.types, image(999)), 999)
    counts = process_bag(tmp_path / 'in', tmp_path / 'out', perception)
    assert counts.failed > 40
    assert 999 in read_results(tmp_path / 'out')[0]


def test_another_type_on_the_camera_info_topic_costs_only_the_cameras(
    tmp_path, perception, capsys
):
    with BagWriter(tmp_path / 'in') as bag:
        types = bag.store.types
        for stamp in range(3):
            word = types['std_msgs/msg/String'](data='not a camera')
            bag.write_message('/cam/camera_info', word, 2 * stamp)
            bag.write_message('/cam/image', make_message(types, image(stamp)), 2 * stamp + 1)
    counts = process_bag(tmp_path / 'in', tmp_path / 'out', perception)
    assert counts == BagCounts(done=3, failed=3)
    lines = capsys.readouterr().err.splitlines()
    assert sum('has the type std_msgs/msg/String' in line for line in lines) == 1
    assert read_results(tmp_path / 'out') == ({0: 1.0, 1: 1.0, 2: 1.0}, [])


def write_topics(path: Path, *topics: str) -> Path:
    """Write an image to each topic, or a camera info if its name ends in camera_info."""
    with BagWriter(path) as bag:
        for stamp, topic in enumerate(topics):
            item = info(stamp, 100.0) if topic.endswith('camera_info') else image(stamp)
            bag.write_message(topic, make_message(bag.store.types, item), stamp)
    return path


@pytest.mark.parametrize(
    ('topics', 'chosen'),
    [
        (('/b/image', '/a/image'), 1),
        (('/b/image', '/a/image', '/b/camera_info'), 0),
        (('/b/left', '/b/right', '/b/camera_info'), 0),
    ],
)
def test_the_first_image_topic_with_a_camera_info_is_the_default(
    tmp_path, perception, topics, chosen
):
    process_bag(write_topics(tmp_path / 'in', *topics), tmp_path / 'out', perception)
    assert list(read_results(tmp_path / 'out')[0]) == [chosen]


def test_the_topic_can_be_chosen(tmp_path, perception):
    source = write_topics(tmp_path / 'in', '/b/image', '/a/image', '/b/camera_info')
    process_bag(source, tmp_path / 'out', perception, image_topic='/a/image')
    assert list(read_results(tmp_path / 'out')[0]) == [1]


@pytest.mark.parametrize('topic', ['/none', '/camera/camera_info'])
def test_a_topic_without_images_is_an_error_with_the_topics(tmp_path, perception, topic):
    with pytest.raises(BagError, match=rf"no images on '{topic}'.*/camera/image/compressed"):
        process_bag(DEMO, tmp_path / 'out', perception, image_topic=topic)


def test_a_bag_without_images_is_an_error_with_its_topics(tmp_path, perception):
    source = write_topics(tmp_path / 'in', '/cam/camera_info')
    with pytest.raises(BagError, match=r"in has no images; topics: \['/cam/camera_info'\]"):
        process_bag(source, tmp_path / 'out', perception)


def test_the_results_before_the_damage_of_a_bag_are_written(tmp_path, perception):
    source = tmp_path / 'in'
    shutil.copytree(DEMO, source)
    file = source / 'demo_street.mcap'
    data = bytearray(file.read_bytes())
    for start in range(len(data) // 4, len(data) * 3 // 4, 20_000):
        data[start : start + 100] = bytes(100)
    file.write_bytes(data)
    with pytest.raises(BagError, match='damaged after message'):
        process_bag(source, tmp_path / 'out', perception)
    with BagReader(tmp_path / 'out') as reader:
        counts = {item.msgcount for item in reader.connections}
    assert len(counts) == 1 and 5 < min(counts) < 60


@pytest.mark.parametrize(('max_pixels', 'done'), [(48, 1), (47, 0)])
def test_images_above_the_limit_are_counted(tmp_path, perception, max_pixels, done):
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0)])
    counts = process_bag(source, tmp_path / 'out', perception, max_pixels=max_pixels)
    assert counts == BagCounts(done, 1 - done)
