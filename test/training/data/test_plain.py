"""CamVid, scenes, colored labels and plain folders."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_tools import opened

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return three images: all annotations, only depth, none."""
    for name in ('images', 'labels', 'depth', 'normals'):
        (tmp_path / name).mkdir()
    for name in 'abc':
        cv2.imwrite(str(tmp_path / f'images/{name}.png'), np.full((4, 6, 3), 7, np.uint8))
    cv2.imwrite(str(tmp_path / 'labels/a.png'), np.full((4, 6), 3, np.uint8))
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'depth/{name}.png'), np.full((4, 6), 1500, np.uint16))
    floor = np.full((4, 6, 3), (255, 127, 127), np.uint8)  # blue 255: y = -1, up
    floor[0] = 127
    cv2.imwrite(str(tmp_path / 'normals/a.png'), floor)
    return tmp_path


def test_camvid_maps_eleven_classes_to_six(camvid: Path) -> None:
    (sample,) = opened('camvid', camvid)
    assert sample.labels is not None
    assert sample.labels[0].tolist() == [0, 1, 255, 2, 3, 4, 255, 255, 5, 255, 255, 255]
    assert sample.depth is None
    assert sample.image[0, 0, 0] > 150 > sample.image[0, 0, 2], 'images are RGB'


def test_scenes_have_metric_depth_and_a_focal_length(scenes: Path) -> None:
    (sample,) = opened('scenes', scenes)
    assert sample.depth is not None
    assert sample.depth.dtype == np.float32
    assert (sample.depth == 10).all()
    assert sample.focal_length == 280.5


def test_scenes_of_rooms_use_the_class_table_of_the_manifest(scenes: Path) -> None:
    cv2.imwrite(str(scenes / '000.labels.png'), np.full((4, 6), 21, np.uint8))
    with pytest.raises(DatasetError, match=r'000\.labels\.png has the ids 21'):
        opened('scenes', scenes)[0]
    manifest = json.loads((scenes / 'manifest.json').read_text())
    (scenes / 'manifest.json').write_text(json.dumps({**manifest, 'classes': 'nyud40'}))
    (sample,) = opened('scenes', scenes)
    assert sample.labels is not None
    assert (sample.labels == 21).all()


def test_an_image_of_a_folder_may_have_any_annotations(folder: Path) -> None:
    samples = opened('folder', folder, depth_scale=1000)
    assert [(s.labels is None, s.depth is None, s.normals is None) for s in samples] == [
        (False, False, False),
        (True, False, True),
        (True, True, True),
    ]
    first = samples[0]
    assert first.labels is not None
    assert first.depth is not None
    assert first.normals is not None
    assert (first.labels == 3).all(), 'without a map ids are unchanged'
    assert (first.depth == 1.5).all()
    np.testing.assert_allclose(first.normals[1, 0], [0, -1, 0], atol=0.01)
    assert (first.normals[0] == 0).all(), 'medium gray is unknown'


def test_the_manifest_of_a_folder_defines_scale_camera_and_classes(folder: Path) -> None:
    images = {'b': {'focal_length': 300.0, 'depth': 'teacher'}, 'c': {'focal_length': None}}
    manifest = {
        'depth_scale': 500, 'focal_length': 200, 'classes': 'cityscapes19_kitti6',
        'images': images, 'teacher': 'x',
    }  # fmt: skip
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    samples = opened('folder', folder)
    assert [sample.focal_length for sample in samples] == [200, 300, 200]
    assert samples[1].depth is not None
    assert (samples[1].depth == 3).all()
    assert samples[0].labels is not None
    assert (samples[0].labels == 255).all(), 'wall is not one of the six'
    (merged, _, _) = opened('folder', folder, merge=('wall',), focal_length=99)
    assert merged.labels is not None
    assert (merged.labels == 1).all()
    assert merged.focal_length == 99


@pytest.mark.parametrize('text', ['[]', '{"depth_scale": "x"}', '{"images": [1]}', '{'])
def test_a_damaged_manifest_of_a_folder_is_an_error(folder: Path, text: str) -> None:
    (folder / 'manifest.json').write_text(text)
    with pytest.raises(DatasetError, match=r'manifest\.json is (damaged|not valid JSON)'):
        opened('folder', folder, depth_scale=1000)


def test_a_merge_without_a_class_map_is_an_error(folder: Path) -> None:
    with pytest.raises(DatasetError, match='merge needs a class map; add classes=NAME'):
        opened('folder', folder, depth_scale=1000, merge=('wall',))


def test_depth_without_a_scale_is_an_error(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r'depth has no scale: give depth_scale=N'):
        opened('folder', folder)


def test_an_annotation_without_an_image_is_an_error(folder: Path) -> None:
    (folder / 'images/b.png').unlink()
    with pytest.raises(DatasetError, match=r'depth/b\.png has no image of the same name'):
        opened('folder', folder, depth_scale=1000)


def test_two_images_with_one_name_are_an_error(folder: Path) -> None:
    cv2.imwrite(str(folder / 'images/a.jpg'), np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'a\.jpg and .*a\.png share a name'):
        opened('folder', folder, depth_scale=1000)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='train/images is missing'):
        opened('camvid', tmp_path)
    (tmp_path / 'val/images').mkdir(parents=True)
    with pytest.raises(DatasetError, match=r'val/images has no \*\.jpg'):
        opened('camvid', tmp_path, split='val')
    with pytest.raises(DatasetError, match=r'manifest\.json is missing'):
        opened('scenes', tmp_path)
    with pytest.raises(DatasetError, match='has no segm_gt'):
        opened('colored', tmp_path)
    with pytest.raises(DatasetError, match='images has no image'):
        opened('folder', tmp_path)


@pytest.mark.parametrize('kind', ['labels', 'depth'])
def test_a_missing_annotation_of_scenes_is_named(scenes: Path, kind: str) -> None:
    (scenes / f'000.{kind}.png').unlink()
    with pytest.raises(DatasetError, match=rf'000\.{kind}\.png is missing'):
        check_dataset(opened('scenes', scenes), 6)


def test_a_missing_label_image_of_camvid_is_named(camvid: Path) -> None:
    (camvid / 'train/labels/a.png').unlink()
    with pytest.raises(DatasetError, match=r'a\.png is missing'):
        check_dataset(opened('camvid', camvid), 6)


def test_an_id_outside_the_class_map_is_an_error(camvid: Path) -> None:
    cv2.imwrite(str(camvid / 'train/labels/a.png'), np.full((4, 12), 37, np.uint8))
    with pytest.raises(DatasetError, match=r'labels/a\.png has the ids 37.*camvid_kitti6.*0-11'):
        check_dataset(opened('camvid', camvid), 6)


@pytest.mark.parametrize(
    'text',
    [
        '{', '[]', '{"frames": []}', '{"depth_scale": 1, "frames": [{}]}',
        '{"depth_scale": 1, "frames": []}',
        '{"depth_scale": 0, "frames": [{"name": "000", "fx": 1}]}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_of_scenes_is_an_error(scenes: Path, text: str) -> None:
    (scenes / 'manifest.json').write_text(text)
    with pytest.raises(DatasetError, match=r'manifest\.json is (damaged|not valid JSON)'):
        opened('scenes', scenes)


def test_real_camvid_has_all_six_classes(data_dir: Path) -> None:
    samples = opened('camvid', data_dir / 'camvid', split='val')
    assert len(samples) == 101
    assert samples[0].image.shape == (360, 480, 3)
    contents = check_dataset(samples, 6)
    assert contents.labels == 101
    assert (contents.class_pixels > 100_000).all()


def test_real_camvid_has_367_training_images(data_dir: Path) -> None:
    assert len(opened('camvid', data_dir / 'camvid')) == 367


def test_the_colors_of_the_real_kitti_example_are_class_ids(data_dir: Path) -> None:
    (sample,) = opened('colored', data_dir / 'kitti')
    assert sample.labels is not None
    assert set(np.unique(sample.labels)) <= {0, 1, 2, 3, 4, 5, 255}
    assert (sample.labels != 255).mean() > 0.8
