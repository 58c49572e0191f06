"""Batches: reproducible, mixed by weight, in order over several workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from train_tools import write_recipe

from hydranet_ros.training.augmentation import View
from hydranet_ros.training.batches import BatchSource, BatchStream, to_batch
from hydranet_ros.training.config import load_config
from hydranet_ros.training.data.catalog import open_dataset


@pytest.fixture
def make_source(training_sets: Path, tmp_path: Path):
    """Return a function that makes a source of batches from a changed recipe."""

    def make(rank: int = 0, **changes: object) -> BatchSource:
        config = load_config(write_recipe(tmp_path, **changes))
        sets = [open_dataset(item, {'DATA': training_sets}) for item in config.data]
        return BatchSource(sets, config, rank)

    return make


def equal(one, two) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two))


def test_views_are_stacked_with_channels_first_normals() -> None:
    normals = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    view = View(
        np.zeros((2, 4, 3), np.uint8), np.ones((2, 4), np.uint8), np.ones((2, 4), np.float32),
        normals,
    )  # fmt: skip
    batch = to_batch([view, view], [(0, 6), (6, 12)])
    assert batch.image.shape == (2, 2, 4, 3)
    assert torch.equal(batch.normals[1], torch.from_numpy(normals).permute(2, 0, 1))
    assert batch.channels.tolist() == [[0, 6], [6, 12]]


def test_a_batch_depends_only_on_seed_number_and_rank(make_source) -> None:
    source = make_source()
    one = source.batch(3)
    assert equal(one, source.batch(3))
    assert equal(one, make_source().batch(3))
    assert not torch.equal(one.image, source.batch(4).image)
    assert not torch.equal(one.image, make_source(rank=1).batch(3).image)
    assert not torch.equal(one.image, make_source(seed=9).batch(3).image)


def test_a_mixed_batch_has_the_share_of_each_source(make_source) -> None:
    with_depth = (make_source().batch(3).depth.flatten(1).amax(1) > 0).sum().item()
    assert with_depth == 2, 'half of the four images are scenes'


def test_a_share_that_is_not_whole_is_drawn_at_random(make_source) -> None:
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'weight': 3},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'weight': 1}]  # fmt: skip
    stage = {'steps': 1, 'batch': 2, 'augmentation': {'crop': [8, 8]}}
    source = make_source(data=rows, stages=[stage])
    rng = np.random.default_rng(0)
    counts = [sum(source._sources(2, number, rng)) for number in range(400)]
    assert set(counts) == {0, 1}, 'of two images, 1.5 are CamVid'
    assert np.mean(counts) == pytest.approx(0.5, abs=0.1)


def test_alternating_batches_follow_the_weights(make_source) -> None:
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'weight': 1},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'weight': 3}]  # fmt: skip
    source = make_source(data=rows, mixing='alternating')
    order = [source._source_of(number) for number in range(40)]
    assert order.count(0) == 10
    assert all(sorted(order[i : i + 4]) == [0, 1, 1, 1] for i in range(0, 40, 4))
    scenes = source.batch(order.index(1))
    assert (scenes.depth.flatten(1).amax(1) > 0).all(), 'all images of a batch are of one source'


def test_depth_beyond_the_limit_is_unknown(make_source) -> None:
    near = make_source(losses={'depth_limit': 30, 'focal_length': 300}).batch(0).depth
    far = make_source(losses={'depth_limit': 160, 'focal_length': 300}).batch(0).depth
    assert near.max() <= 30 < far.max()
    assert torch.equal(near, torch.where(far <= 30, far, 0))


def test_a_stage_begins_after_the_steps_of_the_one_before(make_source) -> None:
    stages = [{'steps': 2, 'batch': n, 'augmentation': {'crop': [8, 8 * n]}} for n in (1, 2)]
    source = make_source(stages=stages, accumulate=2)
    shapes = [tuple(source.batch(number).labels.shape) for number in (0, 3, 4)]
    assert shapes == [(1, 8, 8), (1, 8, 8), (2, 8, 16)], 'two batches make a step'


def test_workers_keep_the_order_of_the_batches(make_source) -> None:
    source = make_source()
    loader = torch.utils.data.DataLoader(BatchStream(source, 2, 7), batch_size=None, num_workers=2)
    found = list(loader)
    assert len(found) == 5
    assert all(equal(batch, source.batch(2 + index)) for index, batch in enumerate(found))
