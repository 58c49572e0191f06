"""The benchmark of the export's options: its sums, and a whole small run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from conftest import ROOT, benchmark

from hydranet_ros.inference.engine import Prediction
from hydranet_ros.network.checkpoints import save_checkpoint
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.sample import Sample

SCRIPT = ROOT / 'benchmarks' / 'export_options.py'


@pytest.fixture(scope='module')
def options() -> ModuleType:
    return benchmark('export_options')


def test_labels_and_metres_are_compared_with_the_defaults(options: ModuleType):
    """A file of half the internal resolution counts metres for half the focal length."""
    image = np.zeros((2, 2, 3), np.uint8)
    truth = np.array([[0, 1], [1, 255]], np.uint8)
    labels = np.array([[0, 1], [0, 0]], np.uint8)
    default = Prediction(labels=truth % 2, depth=np.full((2, 2), 10, np.float32))
    found = Prediction(labels=labels, depth=np.full((2, 2), 5.5, np.float32))
    tally = options.Tally(2, to_default=2.0)
    tally.add(Sample('one', image, labels=truth), found, default)
    assert tally.row() == '50.00% | 10.00% | 50.0%'


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_command_prints_a_row_for_each_option(options: ModuleType, tmp_path: Path):
    torch.manual_seed(1)
    network = build_hydranet(HydraNetConfig(num_classes=6)).eval()
    save_checkpoint(network, tmp_path / 'one.ckpt')
    pictures = tmp_path / 'set' / 'images'
    pictures.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(4):
        picture = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (160, 128))
        cv2.imwrite(str(pictures / f'{index}.png'), picture)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / 'one.ckpt'), f'folder:{tmp_path / "set"}',
         '--limit', '2', '--rounds', '2'],
        capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith('| ')]
    assert [row.split(' | ')[0][2:] for row in rows[1:]] == list(options.options(None))
    assert rows[1].split(' | ')[1:3] == ['0.00%', '0.00%'], 'the default is what all are held to'
