"""The experiment ``export_options``: its comparison, and a small run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from conftest import ROOT

from benchmarks.experiments import export_options as experiment
from hydranet_ros.inference.engine import Prediction
from hydranet_ros.network.checkpoints import save_checkpoint
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.sample import Sample


def test_labels_and_depth_are_compared_with_those_of_the_default():
    """Depth of half the internal resolution refers to half the focal length."""
    image = np.zeros((2, 2, 3), np.uint8)
    truth = np.array([[0, 1], [1, 255]], np.uint8)
    labels = np.array([[0, 1], [0, 0]], np.uint8)
    default = Prediction(labels=truth % 2, depth=np.full((2, 2), 10, np.float32))
    found = Prediction(labels=labels, depth=np.full((2, 2), 5.5, np.float32))
    comparison = experiment.Comparison(2, depth_factor=2.0)
    comparison.add(Sample('one', image, labels=truth), found, default)
    assert comparison.cells() == ('50.00%', '10.00%', '50.0%')


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_prints_a_row_for_each_option(tmp_path: Path):
    torch.manual_seed(1)
    network = build_hydranet(HydraNetConfig(num_classes=6)).eval()
    save_checkpoint(network, tmp_path / 'one.ckpt')
    images_folder = tmp_path / 'set' / 'images'
    images_folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(4):
        image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (160, 128))
        cv2.imwrite(str(images_folder / f'{index}.png'), image)
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.experiments.export_options',
         str(tmp_path / 'one.ckpt'), f'folder:{tmp_path / "set"}', '--limit', '2',
         '--rounds', '2'],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith('| ')]
    assert [row.split(' | ')[0][2:] for row in rows[2:]] == list(experiment.export_options(None))
    assert rows[2].split(' | ')[1:3] == ['0.00%', '0.00%'], 'the default equals itself'
