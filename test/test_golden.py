"""
What the shipped model says of a fixed picture does not change unnoticed.

``HYDRANET_ACCEPT=1`` writes the expectation anew, for a change that is meant.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from hydranet_ros.inference.engine import Engine
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.images.files import read_image
from hydranet_ros.perception.pipeline import Output, Perception

GOLDEN = ROOT / 'test' / 'golden' / 'street.npz'
PICTURE = ROOT / 'test' / 'golden' / 'street.png'
STEP = 4


@pytest.fixture(scope='module')
def result():
    model = ROOT / 'models' / 'street' / 'street.onnx'
    if not model.is_file():
        pytest.skip('models/street/street.onnx is not there')
    image = read_image(PICTURE)
    camera = CameraModel(image.shape[1], image.shape[0], 186.0, 186.0, 159.5, 89.5)
    perception = Perception(Engine(model))
    return perception.process(image, camera, wanted=frozenset({Output.MASK, Output.DEPTH}))


def test_labels_and_depth_are_the_accepted_ones(result):
    labels, depth = result.labels[::STEP, ::STEP], result.depth[::STEP, ::STEP]
    if os.environ.get('HYDRANET_ACCEPT'):
        np.savez_compressed(GOLDEN, labels=labels, depth=depth.astype(np.float16))
    assert GOLDEN.is_file(), 'no expectation yet: run once with HYDRANET_ACCEPT=1'
    golden = np.load(GOLDEN)
    assert (labels != golden['labels']).mean() < 0.005
    known = np.isfinite(depth) & np.isfinite(golden['depth'])
    assert known.mean() > 0.3
    np.testing.assert_allclose(depth[known], golden['depth'][known], rtol=0.02)


def test_the_picture_is_understood(result):
    """Independent of the accepted file: the road is below, the sky above, near is below far."""
    height = result.labels.shape[0]
    assert (result.labels[-20:] == 2).mean() > 0.5
    assert (result.labels[:20] == 0).mean() > 0.3
    rows = [np.nanmedian(result.depth[int(height * part)]) for part in (0.95, 0.75, 0.6)]
    assert rows[0] < rows[1] < rows[2]


def test_a_real_road_goes_on_towards_the_horizon(data_dir: Path):
    """The depth of the road in KITTI's example grows from row to row; one photograph."""
    model = ROOT / 'models' / 'street' / 'street.onnx'
    if not model.is_file():
        pytest.skip('models/street/street.onnx is not there')
    image = read_image(data_dir / 'kitti' / '000099.png')
    truth = read_image(data_dir / 'kitti' / 'segm_gt_000099.png')
    road = (truth == (128, 64, 128)).all(-1)
    depth = Perception(Engine(model)).process(image, wanted=frozenset({Output.DEPTH})).depth
    assert depth is not None
    upwards = [row for row in range(360, 190, -10) if road[row].sum() > 20]
    assert len(upwards) >= 12
    medians = [np.nanmedian(depth[row][road[row]]) for row in upwards]
    assert (np.diff(medians) > 0).all(), medians
    assert 4 < medians[0] < 9 and medians[-1] > 25
