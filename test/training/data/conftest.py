"""Small data sets that several test files read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    """Return a plain folder of four images with the labels 0, 1, 2 and 3."""
    for name in ('images', 'labels'):
        (tmp_path / name).mkdir()
    for index in range(4):
        image = np.full((4, 6, 3), index, np.uint8)
        cv2.imwrite(str(tmp_path / f'images/{index}.png'), image)
        cv2.imwrite(str(tmp_path / f'labels/{index}.png'), image[..., 0])
    return tmp_path


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    """Return a CamVid set of one image whose labels are the ids 0 to 11."""
    for name in ('images', 'labels'):
        (tmp_path / 'train' / name).mkdir(parents=True)
    image = np.zeros((4, 12, 3), np.uint8)
    image[..., 2] = 200
    cv2.imwrite(str(tmp_path / 'train/images/a.jpg'), image)
    labels = np.tile(np.arange(12, dtype=np.uint8), (4, 1))
    cv2.imwrite(str(tmp_path / 'train/labels/a.png'), labels)
    return tmp_path


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Return rendered scenes of one frame: a road 10 m away."""
    cv2.imwrite(str(tmp_path / '000.jpg'), np.zeros((4, 6, 3), np.uint8))
    cv2.imwrite(str(tmp_path / '000.labels.png'), np.full((4, 6), 2, np.uint8))
    cv2.imwrite(str(tmp_path / '000.depth.png'), np.full((4, 6), 2560, np.uint16))
    manifest = {'depth_scale': 256, 'frames': [{'name': '000', 'fx': 280.5}]}
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    return tmp_path
