"""Readers: access, selection, cache, pickling."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from operator import getitem
from pathlib import Path

import numpy as np
import pytest
from dataset_tools import opened, write

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset
from hydranet_ros.training.data.reader import Cached, Frame, FrameReader, Picked, Refocused


def test_a_reader_is_a_sequence_of_samples(labeled: Path) -> None:
    samples = opened('folder', labeled)
    assert [sample.name for sample in samples] == ['0', '1', '2', '3']
    assert samples[-1].name == '3'
    assert [sample.name for sample in samples[1:3]] == ['1', '2']
    assert [sample.name for sample in samples[::-2][:1]] == ['3']
    assert samples.image_path(1) == labeled / 'images/1.png'
    with pytest.raises(IndexError):
        samples[4]


def test_a_sample_is_decoded_only_on_access(labeled: Path) -> None:
    for path in labeled.rglob('*.png'):
        path.write_bytes(b'damaged')
    samples = opened('folder', labeled)
    assert len(samples) == 4
    with pytest.raises(DatasetError, match=r'2\.png cannot be decoded'):
        samples[2]


def test_a_cache_reads_each_sample_once(labeled: Path) -> None:
    samples = opened('folder', labeled, cache=True)
    first = samples[0]
    check_dataset(samples, 4)
    for path in labeled.rglob('*.png'):
        path.unlink()
    assert samples[0] is first
    assert (samples[3].image == 3).all(), 'the check fills the cache'
    with pytest.raises(DatasetError, match='is missing'):
        pickle.loads(pickle.dumps(samples))[0]


@pytest.mark.parametrize('options', [{}, {'cache': True, 'limit': 3, 'focal_length': 5.0}])
def test_a_reader_works_in_another_process(labeled: Path, options: dict) -> None:
    samples = opened('folder', labeled, classes='kitti6', **options)
    with ProcessPoolExecutor(1, get_context('spawn')) as pool:
        sample = pool.submit(getitem, samples, 2).result()
    assert np.unique(sample.labels).tolist() == [2]


def test_a_selection_and_a_focal_length_apply_to_samples_and_checks(labeled: Path) -> None:
    samples = Refocused(Picked(opened('folder', labeled), (2, 0)), 300.0)
    assert [(item.name, item.focal_length) for item in samples] == [('2', 300.0), ('0', 300.0)]
    checked = samples.check(0)
    assert (checked.name, checked.focal_length) == ('2', 300.0)
    assert samples.describe(0) == str(labeled / 'labels/2.png')
    assert samples.image_path(1) == labeled / 'images/0.png'


def test_a_check_reads_the_annotations_but_not_the_image(labeled: Path) -> None:
    data = bytearray((labeled / 'images/1.png').read_bytes())
    data[-20] ^= 0xFF  # damages the compressed pixels, not the header
    (labeled / 'images/1.png').write_bytes(bytes(data))
    samples = opened('folder', labeled)
    checked = samples.check(1)
    assert checked.image.shape == (4, 6, 3)
    assert (checked.labels == 1).all()


def test_stored_values_besides_zero_may_mean_unknown_depth(tmp_path: Path) -> None:
    paths = tmp_path / 'a.png', tmp_path / 'a.depth.png'
    write(paths[0], np.zeros((1, 3, 3), np.uint8))
    write(paths[1], np.array([[0, 500, 9]], np.uint16))
    frames = (Frame('a', paths[0], depth=paths[1]),)
    (sample,) = FrameReader(frames, depth_scale=100, unknown_depth=(9,))
    assert sample.depth.tolist() == [[0, 5, 0]]


def test_a_frame_without_annotations_is_described_by_its_image(tmp_path: Path) -> None:
    samples = FrameReader((Frame('a', tmp_path / 'a.png'),))
    assert samples.describe(0) == str(tmp_path / 'a.png')


def test_a_cache_of_a_cache_is_pickled_without_its_samples(labeled: Path) -> None:
    samples = Cached(opened('folder', labeled, cache=True))
    assert samples[1] is samples[1]
    assert len(pickle.dumps(samples)) < 100_000
