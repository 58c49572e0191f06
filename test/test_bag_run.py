"""Bag in, bag out: every frame, each result with its image's stamp."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hydranet_ros.bag import BagReader, BagWriter, typestore
from hydranet_ros.bag_run import process_bag
from hydranet_ros.engine import Engine
from hydranet_ros.errors import BagError
from hydranet_ros.perception import Perception
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


def bag_with_images(path: Path, encodings: list[str]) -> Path:
    with BagWriter(path) as bag:
        kinds = bag.store.types
        for index, encoding in enumerate(encodings):
            stamp = kinds['builtin_interfaces/msg/Time'](sec=index, nanosec=0)
            bag.write_message(
                '/cam/image',
                kinds['sensor_msgs/msg/Image'](
                    header=kinds['std_msgs/msg/Header'](stamp=stamp, frame_id='c'), height=6,
                    width=8, encoding=encoding, is_bigendian=0, step=24,
                    data=np.full(144, 200, np.uint8),
                ),
                index,
            )  # fmt: skip
    return path


def test_a_bad_image_costs_only_itself_and_no_camera_only_the_cloud(tmp_path, perception, capsys):
    source = bag_with_images(tmp_path / 'in', ['rgb8', 'rainbow9', 'bgr8'])
    counts = process_bag(source, tmp_path / 'out', perception)
    assert (counts.done, counts.failed) == (2, 1)
    assert "'rainbow9' is not supported" in capsys.readouterr().err
    with BagReader(tmp_path / 'out') as reader:
        found = {item.topic: item.msgcount for item in reader.connections}
    assert found == {'/hydranet/segmentation/mask': 2, '/hydranet/depth/image': 2}


def test_a_bag_without_the_images_is_refused_with_its_topics(tmp_path, perception):
    with pytest.raises(BagError, match=r"no images on '/none'.*/camera/image/compressed"):
        process_bag(DEMO, tmp_path / 'out', perception, image_topic='/none')
