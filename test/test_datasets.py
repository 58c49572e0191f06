"""Loaders: what they read, and how exactly they say what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.datasets import class_pixels, load, load_camvid, load_scenes


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
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
    cv2.imwrite(str(tmp_path / '000.jpg'), np.zeros((4, 6, 3), np.uint8))
    cv2.imwrite(str(tmp_path / '000.labels.png'), np.full((4, 6), 2, np.uint8))
    cv2.imwrite(str(tmp_path / '000.depth.png'), np.full((4, 6), 2560, np.uint16))
    manifest = {'depth_scale': 256, 'frames': [{'name': '000', 'fx': 280.5}]}
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    return tmp_path


def test_camvid_maps_eleven_classes_to_six(camvid: Path) -> None:
    (sample,) = load_camvid(camvid)
    assert sample.labels is not None
    assert sample.labels[0].tolist() == [0, 1, 255, 2, 3, 4, 255, 255, 5, 255, 255, 255]
    assert sample.depth is None
    assert sample.image[0, 0, 0] > 150 > sample.image[0, 0, 2], 'images are RGB'


def test_scenes_carry_metres_and_focal_length(scenes: Path) -> None:
    (sample,) = load_scenes(scenes)
    assert sample.depth is not None
    assert sample.depth.dtype == np.float32
    assert (sample.depth == 10).all()
    assert sample.focal_length == 280.5


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='images holds no'):
        load('camvid', tmp_path)
    with pytest.raises(DatasetError, match='manifest.json is missing'):
        load('scenes', tmp_path)
    with pytest.raises(DatasetError, match='holds no segm_gt'):
        load('coloured', tmp_path)


def test_a_missing_annotation_is_named(camvid: Path, scenes: Path) -> None:
    (camvid / 'train/labels/a.png').unlink()
    with pytest.raises(DatasetError, match=r'a\.png is missing'):
        load_camvid(camvid)
    (scenes / '000.depth.png').unlink()
    with pytest.raises(DatasetError, match=r'000\.depth\.png is missing'):
        load_scenes(scenes)


def test_a_file_that_is_no_image_is_named(camvid: Path) -> None:
    (camvid / 'train/images/a.jpg').write_bytes(b'not an image')
    with pytest.raises(DatasetError, match=r'a\.jpg cannot be decoded'):
        load_camvid(camvid)


def test_unequal_sizes_are_refused(camvid: Path) -> None:
    cv2.imwrite(str(camvid / 'train/labels/a.png'), np.zeros((4, 5), np.uint8))
    with pytest.raises(DatasetError, match=r'\(4, 12\).*\(4, 5\)'):
        load_camvid(camvid)


def test_eight_bit_depth_is_refused(scenes: Path) -> None:
    cv2.imwrite(str(scenes / '000.depth.png'), np.zeros((4, 6), np.uint8))
    with pytest.raises(DatasetError, match='uint8.*uint16'):
        load_scenes(scenes)


@pytest.mark.parametrize(
    'text', ['{', '[]', '{"frames": []}', '{"depth_scale": 1, "frames": [{}]}']
)
def test_a_damaged_manifest_is_named(scenes: Path, text: str) -> None:
    (scenes / 'manifest.json').write_text(text)
    with pytest.raises(DatasetError, match='manifest.json is damaged'):
        load_scenes(scenes)


def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='allowed: camvid, scenes, coloured'):
        load('cityscapes', tmp_path)


def test_real_camvid_has_all_six_classes(data_dir: Path) -> None:
    samples = load_camvid(data_dir / 'camvid', 'val')
    assert len(samples) == 101
    assert samples[0].image.shape == (360, 480, 3)
    assert (class_pixels(samples, 6) > 100_000).all()


def test_the_real_kitti_example_is_labelled_in_its_colours(data_dir: Path) -> None:
    (sample,) = load('coloured', data_dir / 'kitti')
    assert sample.labels is not None
    assert set(np.unique(sample.labels)) <= {0, 1, 2, 3, 4, 5, 255}
    assert (sample.labels != 255).mean() > 0.8
