"""The experiment ``augmentation`` with one call per measurement."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from benchmarks.experiments import augmentation
from hydranet_ros.errors import BenchError
from hydranet_ros.training.adverse import CORRUPTIONS


def test_every_corruption_is_measured_at_every_size():
    found = augmentation.corruption_times(augmentation.synthetic_street(), repeats=1)
    assert list(found) == list(CORRUPTIONS)
    assert all(list(row) == ['352x224', '480x360', '1226x370'] for row in found.values())
    table = augmentation.as_markdown('corruption', found)
    assert len(table.splitlines()) == 2 + len(CORRUPTIONS)


def test_the_sheet_shows_all_corruptions(tmp_path: Path):
    image = augmentation.synthetic_street(90, 120)
    augmentation.write_sheet(image, tmp_path / 'sheet.png')
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (90 * len(CORRUPTIONS), 360, 3)


def test_a_missing_image_is_an_error(tmp_path: Path):
    with pytest.raises(BenchError, match='cannot be read'):
        augmentation.read_image(tmp_path / 'missing.jpg')
