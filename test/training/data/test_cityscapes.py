"""Cityscapes: labels, depth from disparity, missing files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dataset_tools import LABEL_IDS, opened, write, write_image

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset

STEM = 'aachen/aachen_000000_000019'


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    def path(folder: str, ending: str) -> Path:
        return tmp_path / folder / 'train' / f'{STEM}_{ending}'

    write_image(path('leftImg8bit', 'leftImg8bit.png'), LABEL_IDS.shape)
    write(path('gtFine', 'gtFine_labelIds.png'), LABEL_IDS)
    write(path('gtFine', 'gtFine_labelTrainIds.png'), np.full_like(LABEL_IDS, 13))
    disparity = np.full(LABEL_IDS.shape, 1 + 256 * 20, np.uint16)
    disparity[0, :3] = 0, 1, 257
    write(path('disparity', 'disparity.png'), disparity)
    camera = {'intrinsic': {'fx': 2000.0, 'fy': 2100.0}, 'extrinsic': {'baseline': 0.25}}
    path('camera', 'camera.json').parent.mkdir(parents=True)
    path('camera', 'camera.json').write_text(json.dumps(camera))
    return tmp_path


def test_depth_is_computed_from_disparity_and_the_camera_file(cityscapes: Path) -> None:
    (sample,) = opened('cityscapes', cityscapes)
    assert sample.name == 'aachen_000000_000019'
    assert sample.depth is not None
    assert sample.depth[1, 1] == 25, '0.25 m · 2000 px / 20 px'
    assert sample.depth[0, :3].tolist() == [0, 0, 500], 'p = 0 and d = 0 are unknown, d = 1 is not'
    assert np.isfinite(sample.depth).all()
    assert sample.focal_length == 2000
    assert sample.labels is not None
    assert sample.labels[0, 1] == 2


def test_the_variant_selects_the_label_files_and_their_map(cityscapes: Path) -> None:
    (sample,) = opened('cityscapes', cityscapes, variant='labelTrainIds')
    assert sample.labels is not None
    assert (sample.labels == 5).all(), 'train id 13 is car, label id 13 would be a fence'
    with pytest.raises(DatasetError, match='allowed: labelIds, labelTrainIds'):
        opened('cityscapes', cityscapes, variant='color')


def test_a_folder_may_be_missing_but_not_a_file_of_it(cityscapes: Path) -> None:
    camera = cityscapes / f'camera/train/{STEM}_camera.json'
    text = camera.read_text()
    camera.write_text(text.replace('baseline', 'base'))
    with pytest.raises(DatasetError, match=r'camera\.json is damaged.*extrinsic\.baseline'):
        check_dataset(opened('cityscapes', cityscapes), 6)
    camera.write_text(text.replace('0.25', '0'))
    with pytest.raises(DatasetError, match='both must be positive'):
        check_dataset(opened('cityscapes', cityscapes), 6)
    camera.unlink()
    with pytest.raises(DatasetError, match=r'camera\.json is missing'):
        check_dataset(opened('cityscapes', cityscapes), 6)
    (cityscapes / 'camera').rename(cityscapes / 'away')
    with pytest.raises(DatasetError, match='camera/train is missing'):
        opened('cityscapes', cityscapes)
    (cityscapes / 'disparity').rename(cityscapes / 'gone')
    (sample,) = opened('cityscapes', cityscapes)
    assert (sample.depth, sample.focal_length) == (None, 0)
    (cityscapes / f'gtFine/train/{STEM}_gtFine_labelIds.png').unlink()
    with pytest.raises(DatasetError, match=r'labelIds\.png is missing'):
        check_dataset(opened('cityscapes', cityscapes), 6)
    with pytest.raises(DatasetError, match="no split 'training'; allowed: train, val, test"):
        opened('cityscapes', cityscapes, split='training')
