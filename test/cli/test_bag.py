"""``hydranet bag`` as a user calls it: a process, its bag, its exit status."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_tools import image, info, make_message, write_bag
from command import hydranet
from conftest import ROOT

from hydranet_ros.bags.messages import typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.bags.writer import BagWriter

UNLABELED = 255


def read_first(bag: Path) -> dict:
    """Return the first message of each topic."""
    store, found = typestore(), {}
    with BagReader(bag) as reader:
        for message in reader.messages():
            value = store.deserialize_cdr(message.data, message.message_type)
            found.setdefault(message.topic, value)
    return found


def test_the_results_are_in_a_new_bag(tmp_path: Path, tiny_model):
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0), image(1)])
    done = hydranet('bag', source, '-o', tmp_path / 'out', '--model', tiny_model)
    assert done.returncode == 0, done.stderr
    assert 'Processed 2 images; 0 messages failed.' in done.stdout
    assert set(read_first(tmp_path / 'out')) == {
        '/hydranet/segmentation/mask', '/hydranet/depth/image', '/hydranet/points',
    }  # fmt: skip


def test_all_options_take_effect(tmp_path: Path, tiny_model):
    """The confidence of the test model is the green channel, here half 0, half 200."""
    with BagWriter(tmp_path / 'in') as bag:
        for timestamp, topic in enumerate(('/a/image', '/b/image')):
            message = make_message(bag.store.types, image(timestamp))
            message.data = message.data.copy()
            message.data[1:72:3] = 200
            bag.write_message(topic, message, timestamp)
            camera = make_message(bag.store.types, info(timestamp, 100.0))
            bag.write_message(topic.replace('image', 'camera_info'), camera, timestamp)
    done = hydranet(
        'bag', tmp_path / 'in', '-o', tmp_path / 'out', '--model', tiny_model,
        '--topic', '/b/image', '--min-confidence', '0.5', '--max-depth', '0.5', '--stride', '2',
        '--provider', 'cpu', '--threads', '1',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = read_first(tmp_path / 'out')
    mask = found['/hydranet/segmentation/mask']
    assert mask.header.stamp.sec == 1
    labels = mask.data.reshape(6, 8)
    assert (labels[:3] != UNLABELED).all() and (labels[3:] == UNLABELED).all()
    assert np.isnan(found['/hydranet/depth/image'].data.view(np.float32)).all()
    assert (found['/hydranet/points'].height, found['/hydranet/points'].width) == (3, 4)


def test_messages_that_fail_give_status_1(tmp_path: Path, tiny_model):
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0), image(1)])
    done = hydranet('bag', source, '-o', tmp_path / 'out', '--model', tiny_model,
                    '--max-pixels', '47')  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert 'Processed 0 images; 2 messages failed.' in done.stdout
    assert done.stderr.count('max_pixels allows 47') == 2 and 'Traceback' not in done.stderr


def test_an_existing_output_is_an_error(tmp_path: Path, tiny_model):
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0)])
    done = hydranet('bag', source, '-o', source, '--model', tiny_model)
    assert done.returncode == 2
    assert 'Choose a folder that does not exist' in done.stderr


def test_a_fallback_model_is_a_warning(tmp_path: Path):
    if not (ROOT / 'models' / 'street' / 'street.onnx').is_file():
        pytest.skip('models/street/street.onnx does not exist')
    source = write_bag(tmp_path / 'in', [info(0, 100.0), image(0)])
    done = hydranet('bag', source, '-o', tmp_path / 'out', '--preset', 'kitti',
                    HYDRANET_MODELS=str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('hydranet: warning: ') == 1 and 'street.onnx' in done.stderr
