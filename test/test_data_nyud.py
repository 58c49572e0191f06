"""NYUDv2 in its three arrangements, written small with known values."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from scipy.io import savemat

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.catalog import check_dataset, open_dataset
from hydranet_ros.training.data.reader import Reader
from hydranet_ros.training.data.source import DataSource

HEIGHT, WIDTH, FRAMES = 6, 8, 3
NAMES = ['book', 'wall', 'bottle', 'floor', 'mug']  # ids 1..5 of the file


def opened(kind: str, root: Path, **options: object) -> Reader:
    return open_dataset(DataSource(kind, str(root), **options))  # type: ignore[arg-type]


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Frames 000001 and 000002 with list files, as in hydranets-data."""
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


def test_the_lists_name_the_frames_and_five_thousand_is_a_metre(lists: Path) -> None:
    (sample,) = opened('nyud', lists)
    assert sample.name == '000001', 'numbering starts at 1 and is taken as it stands'
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


def test_a_column_is_known_by_its_folder(lists: Path) -> None:
    (lists / 'two.txt').write_text('rgb/000001.png\tdepth/000001.png\n')
    (sample,) = opened('nyud', lists, split='two.txt')
    assert sample.labels is None
    assert sample.depth is not None


def test_lists_above_the_folder_are_found(lists: Path) -> None:
    nyud = lists / 'nyud'
    nyud.mkdir()
    for folder in ('rgb', 'masks', 'depth', 'normals'):
        os.rename(lists / folder, nyud / folder)
    assert check_dataset(opened('nyud', nyud), 40).depth == 1


def test_files_numbered_from_zero_are_told_by_the_missing_one(lists: Path) -> None:
    for folder in ('rgb', 'masks', 'depth'):
        for number in (1, 2):
            path = lists / folder / f'{number:06d}.png'
            path.rename(path.with_name(f'{number - 1:06d}.png'))
    with pytest.raises(DatasetError, match=r'rgb/000002\.png is missing'):
        check_dataset(opened('nyud', lists, split='val'), 40)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is an empty list'),
        ('rgb/000001.png masks/000001.png', r'entry 1: got .* separated by TABs'),
        ('rgb/000001.png\trgb/000002.png', 'two files for image'),
        ('depth/000001.png\tmasks/000001.png', 'names no image'),
    ],
)
def test_a_malformed_list_is_named(lists: Path, text: str, message: str) -> None:
    (lists / 'train_list_depth.txt').write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        opened('nyud', lists)
    assert str(lists / 'train_list_depth.txt') in str(caught.value)


def test_a_missing_list_says_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'train_list_depth\.txt is missing.*train_list\.txt'):
        opened('nyud', tmp_path)


def test_a_label_of_forty_is_outside(lists: Path) -> None:
    """Ids are stored as class - 1; who stores 1..40 is told so, and 40 is not forgotten."""
    cv2.imwrite(str(lists / 'masks/000001.png'), np.full((4, 5), 40, np.uint8))
    with pytest.raises(DatasetError, match=r'masks/000001\.png holds the ids 40.*0-39, 255'):
        check_dataset(opened('nyud', lists), 40)


def test_the_real_nyud_pair_agrees_with_its_files(data_dir: Path, tmp_path: Path) -> None:
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
    assert 0.5 < near < far < 10, 'a room, in metres'
    unknown = [float((s.depth == 0).mean()) for s in samples if s.depth is not None]
    np.testing.assert_allclose(unknown, [0.34, 0.37], atol=0.01)


@pytest.fixture
def sync(tmp_path: Path) -> Path:
    for scene, number in (('attic', 45), ('kitchen', 0)):
        (tmp_path / scene).mkdir()
        image, depth = f'rgb_{number:05d}.jpg', f'sync_depth_{number:05d}.png'
        cv2.imwrite(str(tmp_path / scene / image), np.zeros((4, 5, 3), np.uint8))
        cv2.imwrite(str(tmp_path / scene / depth), np.full((4, 5), 2500, np.uint16))
    return tmp_path


def test_sync_frames_are_in_millimetres(sync: Path) -> None:
    samples = opened('nyud_sync', sync)
    assert [sample.name for sample in samples] == ['attic/rgb_00045', 'kitchen/rgb_00000']
    assert samples[0].depth is not None
    assert (samples[0].depth == 2.5).all()
    assert samples[0].labels is None
    assert samples[0].focal_length == 518.8579


def test_a_list_of_bts_chooses_sync_frames(sync: Path) -> None:
    text = '/kitchen/rgb_00000.jpg /kitchen/sync_depth_00000.png 518.8579\n'
    (sync / 'train.txt').write_text(text + '/attic/rgb_00045.jpg None 518.8579\n')
    first, second = opened('nyud_sync', sync, split='train.txt')
    assert first.name == 'kitchen/rgb_00000'
    assert first.depth is not None
    assert second.depth is None
    (sync / 'train.txt').write_text('/kitchen/rgb_00000.jpg 518.8579\n')
    with pytest.raises(DatasetError, match=r'train\.txt, entry 1'):
        opened('nyud_sync', sync, split='train.txt')


def test_a_sync_frame_without_depth_is_named(sync: Path) -> None:
    (sync / 'attic/sync_depth_00045.png').unlink()
    with pytest.raises(DatasetError, match=r'attic/sync_depth_00045\.png is missing'):
        check_dataset(opened('nyud_sync', sync), 0)


def test_a_split_that_is_no_folder_is_refused(sync: Path) -> None:
    with pytest.raises(DatasetError, match='val is missing'):
        opened('nyud_sync', sync, split='val')


def images() -> np.ndarray:
    """(N, H, W, 3): every pixel of every frame tells where it is."""
    frame, row, column = np.mgrid[0:FRAMES, 0:HEIGHT, 0:WIDTH]
    return np.stack([frame * 100, row * 10, column], -1).astype(np.uint8)


def write_mat(path: Path, **changes: np.ndarray | None) -> None:
    """Write what MATLAB's save -v7.3 makes of H x W x 3 x N: HDF5 shows it as (N, 3, W, H)."""
    frame, row, column = np.mgrid[0:FRAMES, 0:HEIGHT, 0:WIDTH]
    arrays = {
        'images': images().transpose(0, 3, 2, 1),
        'labels': ((row + column) % (len(NAMES) + 1)).transpose(0, 2, 1).astype(np.uint16),
        'depths': (frame + row / 8 + column / 64 + 1).transpose(0, 2, 1).astype(np.float32),
        'rawDepths': np.where(row == 0, 0, column + 0.5).transpose(0, 2, 1).astype(np.float32),
        **changes,
    }
    with h5py.File(path, 'w') as file:
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
        codes = file.create_group('#refs#')
        names = file.create_dataset('names', (1, len(NAMES)), dtype=h5py.ref_dtype)
        for index, text in enumerate(NAMES):
            codes[text] = np.array([[ord(letter)] for letter in text], np.uint16)
            names[0, index] = codes[text].ref


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    write_mat(tmp_path / 'nyu_depth_v2_labeled.mat')
    splits = {'trainNdxs': np.array([[1], [3]]), 'testNdxs': np.array([[2]])}
    savemat(tmp_path / 'splits.mat', splits)
    # ids 1..5 to classes 1..40: books 23, wall 1, otherprop 40, floor 2, otherprop 40
    savemat(tmp_path / 'classMapping40.mat', {'mapClass': np.array([[23, 1, 40, 2, 40]])})
    return tmp_path


def test_frames_of_the_mat_are_transposed_back(mat: Path) -> None:
    first, third = opened('nyud_mat', mat, variant='filled')
    assert (first.name, third.name) == ('000001', '000003'), 'splits count from 1'
    np.testing.assert_array_equal(first.image, images()[0])
    np.testing.assert_array_equal(third.image, images()[2])
    assert third.depth is not None
    assert third.depth.shape == (HEIGHT, WIDTH)
    assert third.depth[5, 1] == 2 + 5 / 8 + 1 / 64 + 1
    assert third.labels is not None
    assert third.labels[0, :6].tolist() == [255, 22, 0, 39, 1, 39]
    assert third.labels[3, 1] == 1, 'id 4 is floor'
    assert third.focal_length == 518.8579


def test_raw_depth_is_the_default_and_keeps_its_holes(mat: Path) -> None:
    (sample,) = opened('nyud_mat', mat, split='test')
    assert sample.name == '000002'
    assert sample.depth is not None
    assert (sample.depth[0] == 0).all()
    assert sample.depth[1].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    write_mat(mat / 'nyu_depth_v2_labeled.mat', rawDepths=None)
    (sample,) = opened('nyud_mat', mat / 'nyu_depth_v2_labeled.mat', split='test')
    assert sample.depth is not None
    assert sample.depth.min() > 1


def test_the_mat_passes_the_check_frame_by_frame(mat: Path) -> None:
    contents = check_dataset(opened('nyud_mat', mat, split='all'), 40)
    assert (contents.images, contents.labels, contents.depth) == (3, 3, 3)
    labels = np.full((FRAMES, WIDTH, HEIGHT), 1, np.uint16)
    labels[1] = 6
    write_mat(mat / 'nyu_depth_v2_labeled.mat', labels=labels)
    with pytest.raises(DatasetError, match=r'labeled\.mat, frame 2 holds the ids 6.*0-5'):
        check_dataset(opened('nyud_mat', mat, split='all'), 40)


def test_without_the_table_of_40_the_message_says_where_to_get_it(mat: Path) -> None:
    (mat / 'classMapping40.mat').unlink()
    with pytest.raises(DatasetError, match=r'classMapping40\.mat.*Gupta.*nyud40_by_name'):
        opened('nyud_mat', mat)
    (sample, _) = opened('nyud_mat', mat, classes='nyud40_by_name')
    assert sample.labels is not None
    expected = [255, 255, 0, 255, 1, 255]  # wall and floor only: book is not guessed to be books
    assert sample.labels[0, :6].tolist() == expected


def test_the_table_may_be_a_csv(mat: Path) -> None:
    (mat / 'classMapping40.mat').unlink()
    path = mat / 'nyud894_nyud40.csv'
    path.write_text('id,class\n1,books\n2,1\n3,otherprop\n4,floor\n5,0\n')
    (sample, _) = opened('nyud_mat', mat)
    assert sample.labels is not None
    assert sample.labels[0, :6].tolist() == [255, 22, 0, 39, 1, 255]
    path.write_text('1,books\n2,attic\n')
    with pytest.raises(DatasetError, match=r'nyud40\.csv, line 2'):
        opened('nyud_mat', mat)
    path.write_text('1,41\n')
    with pytest.raises(DatasetError, match=r'classes \[41\]; allowed: 1\.\.40'):
        opened('nyud_mat', mat)


def test_the_table_may_be_a_class_map_of_one_s_own(mat: Path) -> None:
    (mat / 'classMapping40.mat').rename(mat / 'away.mat')
    text = 'description: x\nclasses: nyud40\nids: {0: none, 1: book, 2: wall, 3: x, 4: x, 5: x}\n'
    (mat / 'nyud894_nyud40.yaml').write_text(
        text + 'map: {wall: wall}\noptions: {b: {book: books}}\n'
    )
    assert opened('nyud_mat', mat)[0].labels[0, :4].tolist() == [255, 255, 0, 255]  # type: ignore[index]
    merged = opened('nyud_mat', mat, merge=('b',))[0]
    assert merged.labels is not None
    assert merged.labels[0, :4].tolist() == [255, 22, 0, 255]
    with pytest.raises(DatasetError, match=r"away\.mat has no options to merge \(got \['b'\]\)"):
        opened('nyud_mat', mat, merge=('b',), classes=str(mat / 'away.mat'))


def test_normals_that_are_no_colours_are_refused(lists: Path) -> None:
    cv2.imwrite(str(lists / 'normals/000001.png'), np.zeros((4, 5), np.uint8))
    with pytest.raises(DatasetError, match=r'normals/000001\.png is uint8 .*normals as RGB'):
        check_dataset(opened('nyud', lists), 40)


def test_normals_of_another_size_are_refused(lists: Path) -> None:
    cv2.imwrite(str(lists / 'normals/000001.png'), np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(DatasetError, match=r'normals/000001\.png.*\(4, 5\).*\(4, 6\)'):
        check_dataset(opened('nyud', lists), 40)


def test_a_table_without_map_class_is_refused(mat: Path) -> None:
    savemat(mat / 'classMapping40.mat', {'other': np.array([1])})
    with pytest.raises(DatasetError, match=r'classMapping40\.mat has no array mapClass'):
        opened('nyud_mat', mat)
    with pytest.raises(DatasetError, match=r'none\.mat is missing.*Gupta'):
        opened('nyud_mat', mat, classes=str(mat / 'none.mat'))


@pytest.mark.parametrize('numbers', [[0, 1], [4], []])
def test_splits_that_do_not_count_from_one_are_refused(mat: Path, numbers: list[int]) -> None:
    savemat(mat / 'splits.mat', {'trainNdxs': np.array(numbers), 'testNdxs': np.array([[2]])})
    with pytest.raises(DatasetError, match=r'splits\.mat: trainNdxs.*allowed: 1\.\.3'):
        opened('nyud_mat', mat)


def test_what_the_mat_lacks_is_named(mat: Path) -> None:
    path = mat / 'nyu_depth_v2_labeled.mat'
    with pytest.raises(DatasetError, match=r"no split 'val'; allowed: train, test, all"):
        opened('nyud_mat', mat, split='val')
    (mat / 'splits.mat').unlink()
    with pytest.raises(DatasetError, match=r'splits\.mat is missing'):
        opened('nyud_mat', mat)
    write_mat(path, labels=None)
    with pytest.raises(DatasetError, match=r"lacks the arrays \['labels'\]"):
        opened('nyud_mat', mat)
    write_mat(path, images=images())
    with pytest.raises(DatasetError, match=r'images is uint8 of shape \(3, 6, 8, 3\)'):
        opened('nyud_mat', mat)
    write_mat(path, rawDepths=np.ones((FRAMES, WIDTH, HEIGHT), np.uint8))
    with pytest.raises(DatasetError, match=r'rawDepths is uint8'):
        opened('nyud_mat', mat)
    path.write_bytes(b'MATLAB 5.0 MAT-file')
    with pytest.raises(DatasetError, match=r'cannot be read as MATLAB v7\.3'):
        opened('nyud_mat', mat)
    path.unlink()
    with pytest.raises(DatasetError, match=r'labeled\.mat is missing'):
        opened('nyud_mat', mat)
