"""NYUDv2 as image files: list files, and the "sync" frames of BTS."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_tools import opened

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Return the frames 000001 and 000002 with list files, as in hydranets-data."""
    for folder in ('rgb', 'masks', 'depth', 'normals'):
        (tmp_path / folder).mkdir()
    for number in (1, 2):
        name = f'{number:06d}.png'
        cv2.imwrite(str(tmp_path / 'rgb' / name), np.full((4, 5, 3), number, np.uint8))
        cv2.imwrite(str(tmp_path / 'masks' / name), np.full((4, 5), 39, np.uint8))
        depth = np.full((4, 5), 12500, np.uint16)
        depth[0] = 0
        cv2.imwrite(str(tmp_path / 'depth' / name), depth)
        cv2.imwrite(str(tmp_path / 'normals' / name), np.full((4, 5, 3), (127, 0, 127), np.uint8))
    train = ['rgb/000001.png\tmasks/000001.png\tdepth/000001.png\tnormals/000001.png']
    (tmp_path / 'train_list_depth.txt').write_text('\n'.join(train) + '\n')
    val = ['rgb/000002.png\tmasks/000002.png\tdepth/000002.png']
    (tmp_path / 'val_list_depth.txt').write_text('\n'.join(val))
    return tmp_path


def test_a_list_names_the_frames_and_depth_is_stored_per_5000(lists: Path) -> None:
    (sample,) = opened('nyud', lists)
    assert sample.name == '000001', 'the numbering of the files is kept'
    assert (sample.image == 1).all()
    assert sample.labels is not None
    assert (sample.labels == 39).all()
    assert sample.depth is not None
    assert (sample.depth[1:] == 2.5).all(), 'v / 5000, not / 1000'
    assert (sample.depth[0] == 0).all()
    assert sample.normals is not None
    np.testing.assert_allclose(sample.normals[0, 0], [0, 0, -1], atol=0.01)
    assert sample.focal_length == 518.8579
    (val,) = opened('nyud', lists, split='val')
    assert (val.name, val.normals) == ('000002', None)


def test_a_folder_name_overrides_the_meaning_of_a_column(lists: Path) -> None:
    (lists / 'two.txt').write_text('rgb/000001.png\tdepth/000001.png\n')
    (sample,) = opened('nyud', lists, split='two.txt')
    assert sample.labels is None
    assert sample.depth is not None


def test_a_list_in_the_parent_folder_is_found(lists: Path) -> None:
    nyud = lists / 'nyud'
    nyud.mkdir()
    for folder in ('rgb', 'masks', 'depth', 'normals'):
        os.rename(lists / folder, nyud / folder)
    assert check_dataset(opened('nyud', nyud), 40).depth == 1


def test_files_numbered_from_zero_are_an_error(lists: Path) -> None:
    for folder in ('rgb', 'masks', 'depth'):
        for number in (1, 2):
            path = lists / folder / f'{number:06d}.png'
            path.rename(path.with_name(f'{number - 1:06d}.png'))
    with pytest.raises(DatasetError, match=r'rgb/000002\.png is missing'):
        check_dataset(opened('nyud', lists, split='val'), 40)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is empty'),
        ('rgb/000001.png masks/000001.png', r'entry 1: got .* separated by tabs'),
        ('rgb/000001.png\trgb/000002.png', 'two files for image'),
        ('depth/000001.png\tmasks/000001.png', 'names no image'),
    ],
)
def test_a_malformed_list_is_an_error(lists: Path, text: str, message: str) -> None:
    (lists / 'train_list_depth.txt').write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        opened('nyud', lists)
    assert str(lists / 'train_list_depth.txt') in str(caught.value)


def test_a_missing_list_is_an_error_with_the_searched_paths(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'train_list_depth\.txt is missing.*train_list\.txt'):
        opened('nyud', tmp_path)


def test_the_id_40_is_an_error(lists: Path) -> None:
    """Ids are stored as class - 1, so that 40 means a file with the ids 1 to 40."""
    cv2.imwrite(str(lists / 'masks/000001.png'), np.full((4, 5), 40, np.uint8))
    with pytest.raises(DatasetError, match=r'masks/000001\.png has the ids 40.*0-39, 255'):
        check_dataset(opened('nyud', lists), 40)


def test_real_frames_have_labels_and_depth_of_a_room(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / 'rgb').mkdir()
    for folder, prefix in (('rgb', ''), ('masks', 'segm_gt_'), ('depth', 'depth_gt_')):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ('000433', '000464'):
            target = data_dir / 'nyud' / f'{prefix}{name}.png'
            (tmp_path / folder / f'{name}.png').symlink_to(target)
    lines = [f'rgb/{n}.png\tmasks/{n}.png\tdepth/{n}.png' for n in ('000433', '000464')]
    (tmp_path / 'train_list_depth.txt').write_text('\n'.join(lines))
    samples = opened('nyud', tmp_path)
    contents = check_dataset(samples, 40)
    assert (contents.labels, contents.depth) == (2, 2)
    near, far = contents.depth_range
    assert 0.5 < near < far < 10, 'a room, in meters'
    unknown = [float((s.depth == 0).mean()) for s in samples if s.depth is not None]
    np.testing.assert_allclose(unknown, [0.34, 0.37], atol=0.01)


def test_normals_in_grayscale_are_an_error(lists: Path) -> None:
    cv2.imwrite(str(lists / 'normals/000001.png'), np.zeros((4, 5), np.uint8))
    with pytest.raises(DatasetError, match=r'normals/000001\.png is uint8 .*normals as 8-bit RGB'):
        check_dataset(opened('nyud', lists), 40)


def test_normals_of_another_size_are_an_error(lists: Path) -> None:
    cv2.imwrite(str(lists / 'normals/000001.png'), np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'normals/000001\.png.*\(4, 5\).*\(4, 6\)'):
        check_dataset(opened('nyud', lists), 40)


@pytest.fixture
def sync(tmp_path: Path) -> Path:
    for scene, number in (('attic', 45), ('kitchen', 0)):
        (tmp_path / scene).mkdir()
        image, depth = f'rgb_{number:05d}.jpg', f'sync_depth_{number:05d}.png'
        cv2.imwrite(str(tmp_path / scene / image), np.zeros((4, 5, 3), np.uint8))
        cv2.imwrite(str(tmp_path / scene / depth), np.full((4, 5), 2500, np.uint16))
    return tmp_path


def test_sync_frames_are_in_millimeters(sync: Path) -> None:
    samples = opened('nyud_sync', sync)
    assert [sample.name for sample in samples] == ['attic/rgb_00045', 'kitchen/rgb_00000']
    assert samples[0].depth is not None
    assert (samples[0].depth == 2.5).all()
    assert samples[0].labels is None
    assert samples[0].focal_length == 518.8579


def test_a_bts_list_selects_sync_frames(sync: Path) -> None:
    text = '/kitchen/rgb_00000.jpg /kitchen/sync_depth_00000.png 518.8579\n'
    (sync / 'train.txt').write_text(text + '/attic/rgb_00045.jpg None 518.8579\n')
    first, second = opened('nyud_sync', sync, split='train.txt')
    assert first.name == 'kitchen/rgb_00000'
    assert first.depth is not None
    assert second.depth is None
    (sync / 'train.txt').write_text('/kitchen/rgb_00000.jpg 518.8579\n')
    with pytest.raises(DatasetError, match=r'train\.txt, entry 1'):
        opened('nyud_sync', sync, split='train.txt')


def test_a_sync_frame_without_depth_is_an_error(sync: Path) -> None:
    (sync / 'attic/sync_depth_00045.png').unlink()
    with pytest.raises(DatasetError, match=r'attic/sync_depth_00045\.png is missing'):
        check_dataset(opened('nyud_sync', sync), 0)


def test_a_split_without_a_folder_is_an_error(sync: Path) -> None:
    with pytest.raises(DatasetError, match='val is missing'):
        opened('nyud_sync', sync, split='val')
