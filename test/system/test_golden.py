"""
The predictions of the included model on a fixed image do not change unnoticed.

``HYDRANET_ACCEPT=1`` replaces the expected predictions, for an intended change.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.images.files import read_image
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception

GOLDEN = ROOT / 'test' / 'golden' / 'street.npz'
IMAGE = ROOT / 'test' / 'golden' / 'street.png'
MODEL = ROOT / 'models' / 'street' / 'street.onnx'
STEP = 4
SKY, ROAD = 0, 2


@pytest.fixture(scope='module')
def perception() -> Perception:
    if not MODEL.is_file():
        pytest.skip('models/street/street.onnx does not exist')
    return Perception(Engine(MODEL))


@pytest.fixture(scope='module')
def result(perception):
    image = read_image(IMAGE)
    camera = CameraModel(image.shape[1], image.shape[0], 186.0, 186.0, 159.5, 89.5)
    return perception.process(image, camera, wanted=frozenset({Output.MASK, Output.DEPTH}))


def test_labels_and_depth_are_the_accepted_ones(result):
    labels, depth = result.labels[::STEP, ::STEP], result.depth[::STEP, ::STEP]
    if os.environ.get('HYDRANET_ACCEPT'):
        np.savez_compressed(GOLDEN, labels=labels, depth=depth.astype(np.float16))
    assert GOLDEN.is_file(), 'no accepted predictions yet: run once with HYDRANET_ACCEPT=1'
    golden = np.load(GOLDEN)
    assert (labels != golden['labels']).mean() < 0.005
    known = np.isfinite(depth) & np.isfinite(golden['depth'])
    assert known.mean() > 0.3
    np.testing.assert_allclose(depth[known], golden['depth'][known], rtol=0.02)


def test_the_road_is_below_the_sky_and_depth_increases_upward(result):
    """Independent of the accepted predictions."""
    height = result.labels.shape[0]
    assert (result.labels[-20:] == ROAD).mean() > 0.5
    assert (result.labels[:20] == SKY).mean() > 0.3
    rows = [np.nanmedian(result.depth[int(height * part)]) for part in (0.95, 0.75, 0.6)]
    assert rows[0] < rows[1] < rows[2]


def test_a_real_road_gets_farther_from_row_to_row(perception, data_dir: Path):
    """The road of the example image of KITTI, by its ground truth."""
    image = read_image(data_dir / 'kitti' / '000099.png')
    truth = read_image(data_dir / 'kitti' / 'segm_gt_000099.png')
    road = (truth == (128, 64, 128)).all(-1)
    depth = perception.process(image, wanted=frozenset({Output.DEPTH})).depth
    upward = [row for row in range(360, 190, -10) if road[row].sum() > 20]
    assert len(upward) >= 12
    medians = [np.nanmedian(depth[row][road[row]]) for row in upward]
    assert (np.diff(medians) > 0).all(), medians
    assert 4 < medians[0] < 9 and medians[-1] > 25
