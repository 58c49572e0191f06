"""RGB-D sequences: the layouts of 7-Scenes and of TUM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_tools import opened, write

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset
from hydranet_ros.training.data.sequences import associate, read_poses
from hydranet_ros.training.data.source import DataSource


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    for folder in ('seq-01', 'seq-02'):
        write(tmp_path / folder / 'frame-000000.color.png', np.zeros((4, 5, 3), np.uint8))
        depth = np.full((4, 5), 1500, np.uint16)
        depth[0, :2] = 0, 65535
        write(tmp_path / folder / 'frame-000000.depth.png', depth)
        pose = np.eye(4)
        pose[:3, 3] = 1, 2, 3
        np.savetxt(tmp_path / folder / 'frame-000000.pose.txt', pose)
    (tmp_path / 'seq-01/camera-intrinsics.txt').write_text('585 0 320\n0 585 240\n0 0 1\n')
    return tmp_path


def test_rgbd_depth_is_in_millimeters_with_two_unknown_values(rgbd: Path) -> None:
    first, second = opened('rgbd', rgbd)
    assert first.name == 'seq-01/frame-000000'
    assert first.depth is not None
    assert first.depth[0].tolist() == [0, 0, 1.5, 1.5, 1.5]
    assert (first.focal_length, second.focal_length) == (585, 0), 'without a file it is unknown'
    given = opened('rgbd', rgbd, focal_length=525)
    assert [sample.focal_length for sample in given] == [525, 525]


def test_rgbd_poses_have_the_names_of_the_samples(rgbd: Path) -> None:
    poses = read_poses(DataSource('rgbd', str(rgbd)))
    assert set(poses) == {sample.name for sample in opened('rgbd', rgbd)}
    assert poses['seq-01/frame-000000'][:3, 3].tolist() == [1, 2, 3]
    (rgbd / 'seq-01/frame-000000.pose.txt').write_text('1 2 3\n')
    with pytest.raises(DatasetError, match=r'frame-000000\.pose\.txt is damaged'):
        read_poses(DataSource('rgbd', str(rgbd)))
    with pytest.raises(DatasetError, match='camvid has no poses; allowed: rgbd, tum'):
        read_poses(DataSource('camvid', str(rgbd)))


def test_a_missing_or_damaged_file_of_rgbd_is_named(rgbd: Path, tmp_path: Path) -> None:
    (rgbd / 'seq-02/frame-000000.depth.png').unlink()
    with pytest.raises(DatasetError, match=r'seq-02/frame-000000\.depth\.png is missing'):
        check_dataset(opened('rgbd', rgbd), 0)
    (rgbd / 'seq-01/camera-intrinsics.txt').write_text('585 0 320\n')
    with pytest.raises(DatasetError, match=r'camera-intrinsics\.txt is damaged'):
        opened('rgbd', rgbd)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match=r'empty has no \*\*/\*\.color\.jpg'):
        opened('rgbd', tmp_path / 'empty')


@pytest.fixture
def tum(tmp_path: Path) -> Path:
    """Return a sequence: images at 1.00, 1.03 and 2 s; depth at 1.01, 1.045 and 2.021 s."""
    stamps = {'rgb': ('1.000', '1.030', '2.000'), 'depth': ('1.010', '1.045', '2.021')}
    for kind, values in stamps.items():
        lines = ['# color images', '# timestamp filename']
        for index, stamp in enumerate(values):
            is_depth = kind == 'depth'
            array = np.full((4, 5), 5000 * (index + 1), np.uint16)
            write(
                tmp_path / f'{kind}/{stamp}.png', array if is_depth else np.zeros((4, 5, 3), 'u1')
            )
            lines.append(f'{stamp} {kind}/{stamp}.png')
        (tmp_path / f'{kind}.txt').write_text('\n'.join(lines) + '\n')
    half = np.sqrt(0.5)
    rows = ['# timestamp tx ty tz qx qy qz qw', f'1.001 1 2 3 0 0 {half} {half}',
            '1.500 0 0 0 0 0 0 1']  # fmt: skip
    (tmp_path / 'groundtruth.txt').write_text('\n'.join(rows) + '\n')
    return tmp_path


def test_tum_images_are_paired_by_time_and_depth_is_stored_per_5000(tum: Path) -> None:
    first, second = opened('tum', tum)
    assert [first.name, second.name] == ['rgb/1.000', 'rgb/1.030'], '21 ms is too far'
    assert first.depth is not None
    assert second.depth is not None
    assert (first.depth == 1).all()
    assert (second.depth == 2).all()
    assert first.focal_length == 525
    assert opened('tum', tum, focal_length=517.3)[0].focal_length == 517.3


def test_a_folder_of_tum_sequences_is_one_set(tum: Path, tmp_path: Path) -> None:
    whole = tmp_path / 'all'
    whole.mkdir()
    (whole / 'desk').symlink_to(tum)
    assert opened('tum', whole)[0].name == 'desk/rgb/1.000'


def test_a_tum_pose_is_that_of_the_nearest_stamp(tum: Path) -> None:
    poses = read_poses(DataSource('tum', str(tum)))
    assert list(poses) == ['rgb/1.000'], 'an image without a pose within 20 ms has none'
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(poses['rgb/1.000'], expected, atol=1e-12)


def test_each_stamp_is_used_once_and_the_nearest_pair_wins() -> None:
    assert associate([0.0, 0.010], [0.009]) == [(1, 0)]
    assert associate([0.0, 0.010, 0.030], [0.001, 0.012, 0.049]) == [(0, 0), (1, 1), (2, 2)]
    assert associate([0.0], [0.021]) == []


def test_a_missing_or_damaged_file_of_tum_is_named(tum: Path) -> None:
    (tum / 'groundtruth.txt').write_text('1.0 2.0\n')
    with pytest.raises(DatasetError, match=r'groundtruth\.txt is damaged'):
        read_poses(DataSource('tum', str(tum)))
    (tum / 'depth/1.045.png').unlink()
    with pytest.raises(DatasetError, match=r'depth/1\.045\.png is missing'):
        check_dataset(opened('tum', tum), 0)
    (tum / 'depth.txt').write_text('9.0 depth/1.010.png\n')
    with pytest.raises(DatasetError, match=r'rgb\.txt: no stamp is within 0\.02 s'):
        opened('tum', tum)
    for text in ('now depth/1.010.png\n', '1.0\n'):
        (tum / 'depth.txt').write_text(text)
        with pytest.raises(DatasetError, match=r'depth\.txt: got .* a stamp and a file'):
            opened('tum', tum)
    (tum / 'depth.txt').write_text('# nothing\n')
    with pytest.raises(DatasetError, match=r'depth\.txt is empty'):
        opened('tum', tum)


def test_the_real_sequence_shows_a_room_in_meters(data_dir: Path) -> None:
    samples = opened('rgbd', data_dir / 'sevenscenes')
    assert len(samples) == 200
    contents = check_dataset(samples[::20], 0)
    assert contents.depth == 10
    near, far = contents.depth_range
    assert 0.2 < near < far < 8
    sample = samples[0]
    assert sample.focal_length == 585
    assert sample.depth is not None
    assert 0.5 < np.median(sample.depth[sample.depth > 0]) < 4
    assert len(read_poses(DataSource('rgbd', str(data_dir / 'sevenscenes')))) == 200
