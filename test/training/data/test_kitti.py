"""KITTI: semantics, annotated depth, and raw drives, with known values."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_tools import (
    AXES,
    CX,
    CY,
    FX,
    LABEL_IDS,
    SHIFT,
    SIZE,
    calibration_row,
    opened,
    write,
    write_calibration,
    write_image,
)

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset
from hydranet_ros.training.data.kitti import project

DAY, DRIVE = '2011_09_26', '2011_09_26_drive_0001_sync'


def scan(*camera_points: tuple[float, float, float]) -> np.ndarray:
    """Return scan points, (N, 4), at these positions in the frame of camera 0."""
    points = (np.array(camera_points) - SHIFT) @ AXES
    return np.column_stack([points, np.full(len(points), 0.3)]).astype('<f4')


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return raw data: two frames of both cameras; the second has no scan. Camera 3 has .jpg."""
    root = tmp_path / 'raw'
    write_calibration(root / DAY)
    drive = root / DAY / DRIVE
    for stem in ('0000000005', '0000000006'):
        write_image(drive / 'image_02/data' / f'{stem}.png')
        write_image(drive / 'image_03/data' / f'{stem}.jpg')
    (drive / 'velodyne_points/data').mkdir(parents=True)
    # The second point hides the third: same pixel, nearer. The last is behind the camera.
    points = scan((-0.06, 0, 10), (0.94, 1.0, 10), (1.94, 2.0, 20), (0, 0, -5), (90, 0, 1))
    points.tofile(drive / 'velodyne_points/data/0000000005.bin')
    return root


def test_scans_are_projected_with_the_nearest_point_on_top(raw: Path) -> None:
    first, second = opened('kitti_raw', raw, variant='image_02')
    assert first.name == f'{DRIVE}/image_02/0000000005'
    assert first.depth is not None
    assert first.depth.dtype == np.float32
    assert np.argwhere(first.depth).tolist() == [[17, 30], [22, 35]]
    np.testing.assert_allclose(first.depth[[17, 22], [30, 35]], 10, rtol=1e-5)
    assert first.focal_length == FX
    assert second.depth is None, 'a frame without a scan has no depth'


def test_the_principal_point_is_that_of_the_file(raw: Path) -> None:
    """Other implementations use a constant cy = 609."""
    cameras = raw / DAY / 'calib_cam_to_cam.txt'
    text = cameras.read_text().replace(f'{CY:e}', f'{CY + 4:e}').replace(f'{CX:e}', f'{CX - 7:e}')
    cameras.write_text(text)
    sample = opened('kitti_raw', raw, variant='image_02')[0]
    assert sample.depth is not None
    assert np.argwhere(sample.depth).tolist() == [[21, 23], [26, 28]]


def test_the_rectifying_rotation_is_applied_to_the_points(raw: Path) -> None:
    cameras = raw / DAY / 'calib_cam_to_cam.txt'
    turned = calibration_row(
        'R_rect_00', np.diag([-1.0, -1.0, 1.0])
    )  # half a turn about the optical axis
    cameras.write_text(
        cameras.read_text().replace(calibration_row('R_rect_00', np.eye(3)), turned)
    )
    sample = opened('kitti_raw', raw, variant='image_02')[0]
    assert sample.depth is not None
    assert np.argwhere(sample.depth).tolist() == [[12, 25], [12, 26], [17, 31]]


def test_each_camera_uses_its_own_projection_matrix(raw: Path) -> None:
    samples = opened('kitti_raw', raw)
    assert len(samples) == 4
    right = samples[2]
    assert right.name == f'{DRIVE}/image_03/0000000005'
    assert right.focal_length == FX + 1
    assert right.depth is not None
    column = round((FX + 1) * (-0.06 - 0.47) / 10 + CX)
    assert right.depth[17, column] == pytest.approx(10, rel=1e-5)


def test_the_eigen_variant_counts_from_one_and_measures_from_the_velodyne(raw: Path) -> None:
    sample = opened('kitti_raw', raw, variant='eigen')[0]
    assert sample.depth is not None
    assert np.argwhere(sample.depth).tolist() == [[16, 29], [21, 34]]
    np.testing.assert_allclose(sample.depth[16, 29], 10 - SHIFT[2], rtol=1e-5)


def test_the_projection_agrees_with_opencv() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform((1, -20, -3), (60, 20, 3), (500, 3)).astype(np.float32)
    camera = np.array([[FX, 0, CX], [0, FX, CY], [0, 0, 1]])
    extrinsic = np.column_stack([AXES, SHIFT])
    image = project(points, camera @ extrinsic, SIZE)
    rotation, _ = cv2.Rodrigues(AXES)
    pixels, _ = cv2.projectPoints(points.astype(float), rotation, SHIFT, camera, None)
    meters = (points @ AXES.T + SHIFT)[:, 2]
    expected = np.full(SIZE, np.inf)
    for (u, v), z in zip(pixels[:, 0].round().astype(int), meters):
        if z > 0 and 0 <= v < SIZE[0] and 0 <= u < SIZE[1]:
            expected[v, u] = min(expected[v, u], z)
    expected[np.isinf(expected)] = 0
    assert (expected > 0).sum() > 100
    np.testing.assert_allclose(image, expected, rtol=1e-5)


def test_a_list_file_selects_raw_frames(raw: Path) -> None:
    (raw / 'test_files.txt').write_text(f'{DAY}/{DRIVE} 0000000006 l\n{DAY}/{DRIVE} 5 r\n')
    first, second = opened('kitti_raw', raw, split='test_files.txt')
    assert first.name == f'{DRIVE}/image_02/0000000006'
    assert second.name == f'{DRIVE}/image_03/0000000005'
    (raw / 'test_files.txt').write_text(f'{DAY}/{DRIVE}/image_02/data/0000000005.png None 721.5\n')
    (only,) = opened('kitti_raw', raw, split='test_files.txt')
    assert only.name == f'{DRIVE}/image_02/0000000005'
    (raw / 'test_files.txt').write_text('somewhere else\n')
    with pytest.raises(DatasetError, match=r"test_files\.txt: got 'somewhere else'"):
        opened('kitti_raw', raw, split='test_files.txt')


def test_a_missing_or_damaged_raw_file_is_named(raw: Path) -> None:
    bin_file = raw / DAY / DRIVE / 'velodyne_points/data/0000000005.bin'
    bin_file.write_bytes(bin_file.read_bytes()[:-3])
    with pytest.raises(DatasetError, match=r'0000000005\.bin has 77 bytes; expected 16'):
        check_dataset(opened('kitti_raw', raw), 0)
    bin_file.write_bytes(b'')
    with pytest.raises(DatasetError, match=r'0000000005\.bin has 0 bytes'):
        check_dataset(opened('kitti_raw', raw), 0)
    samples = opened('kitti_raw', raw)
    bin_file.rename(raw / 'away.bin')
    with pytest.raises(DatasetError, match=r'0000000005\.bin cannot be read'):
        check_dataset(samples, 0)
    (raw / 'away.bin').rename(bin_file)
    cameras = raw / DAY / 'calib_cam_to_cam.txt'
    cameras.rename(raw / 'away')
    with pytest.raises(DatasetError, match=r'calib_cam_to_cam\.txt is missing'):
        check_dataset(opened('kitti_raw', raw), 0)
    bin_file.unlink()
    with pytest.raises(DatasetError, match=r'velodyne_points/data has no \*\.bin'):
        opened('kitti_raw', raw)
    with pytest.raises(DatasetError, match="no split 'val'"):
        opened('kitti_raw', raw, split='val')


def test_a_calibration_without_a_valid_entry_is_an_error(raw: Path) -> None:
    cameras = raw / DAY / 'calib_cam_to_cam.txt'
    lines = cameras.read_text().splitlines()
    cameras.write_text('\n'.join(line for line in lines if 'P_rect_02' not in line))
    with pytest.raises(DatasetError, match=r'calib_cam_to_cam\.txt has no entry P_rect_02'):
        opened('kitti_raw', raw)[0]
    cameras.write_text('\n'.join(lines).replace('R_rect_00: 1.0', 'R_rect_00: x'))
    with pytest.raises(DatasetError, match=r'R_rect_00 is .*expected 9 numbers'):
        opened('kitti_raw', raw)[0]


def write_annotated(root: Path, camera: str = 'image_02', stem: str = '0000000005') -> Path:
    depth = np.zeros(SIZE, np.uint16)
    depth[3, 4] = 5120
    path = root / DRIVE / 'proj_depth/groundtruth' / camera / f'{stem}.png'
    write(path, depth)
    return path


@pytest.mark.parametrize('level', ['train', ''])
def test_annotated_depth_is_found_with_and_without_the_folder_train(
    raw: Path, tmp_path: Path, level: str
) -> None:
    write_annotated(tmp_path / 'depth' / level)
    write_annotated(tmp_path / 'depth' / level, 'image_03')
    left, right = opened('kitti_depth', tmp_path / 'depth', images=str(raw))
    assert left.depth is not None
    assert left.depth[3, 4] == 20, 'value / 256, not / 800'
    assert np.count_nonzero(left.depth) == 1, 'sparse: the rest stays unknown'
    assert left.labels is None
    assert (left.focal_length, right.focal_length) == (FX, FX + 1)
    assert right.image.shape == (*SIZE, 3), 'the .jpg of the raw data'
    (only,) = opened('kitti_depth', tmp_path / 'depth', images=str(raw), variant='image_03')
    assert only.name == f'{DRIVE}/image_03/0000000005'


def test_the_splits_of_annotated_depth_are_separate(raw: Path, tmp_path: Path) -> None:
    write_annotated(tmp_path / 'depth/train')
    with pytest.raises(DatasetError, match='depth/val is missing'):
        opened('kitti_depth', tmp_path / 'depth', split='val', images=str(raw))
    write_annotated(tmp_path / 'depth/val', stem='0000000006')
    (sample,) = opened('kitti_depth', tmp_path / 'depth', split='val', images=str(raw))
    assert sample.name.endswith('0000000006')


def test_a_bts_list_selects_annotated_depth(raw: Path, tmp_path: Path) -> None:
    path = write_annotated(tmp_path / 'depth/val')
    relative = path.relative_to(tmp_path / 'depth/val')
    image = f'{DAY}/{DRIVE}/image_02/data/000000000'
    lines = [f'{image}5.png {relative} 721.5', f'{image}6.png None 721.5']
    (tmp_path / 'depth/eigen.txt').write_text('\n'.join(lines))
    options = {'split': 'eigen.txt', 'images': str(raw)}
    first, second = opened('kitti_depth', tmp_path / 'depth', **options)
    assert first.depth is not None
    assert first.depth[3, 4] == 20
    assert second.depth is None


def test_annotated_depth_without_its_image_is_an_error(raw: Path, tmp_path: Path) -> None:
    write_annotated(tmp_path / 'depth', stem='0000000042')
    with pytest.raises(DatasetError, match=r'image_02/data/0000000042\.png is missing'):
        check_dataset(opened('kitti_depth', tmp_path / 'depth', images=str(raw)), 0)


def test_annotated_depth_of_another_type_or_size_is_an_error(raw: Path, tmp_path: Path) -> None:
    path = write_annotated(tmp_path / 'depth')
    write(path, np.zeros(SIZE, np.uint8))
    with pytest.raises(DatasetError, match=r'0000000005\.png is uint8'):
        check_dataset(opened('kitti_depth', tmp_path / 'depth', images=str(raw)), 0)
    write(path, np.ones((SIZE[0], SIZE[1] - 1), np.uint16))
    with pytest.raises(DatasetError, match=r'\(40, 60\).*\(40, 59\)'):
        check_dataset(opened('kitti_depth', tmp_path / 'depth', images=str(raw)), 0)
    write(path, np.zeros(SIZE, np.uint16))
    with pytest.raises(DatasetError, match='No depth image has a known pixel'):
        check_dataset(opened('kitti_depth', tmp_path / 'depth', images=str(raw)), 0)


@pytest.fixture
def semantics(tmp_path: Path) -> Path:
    for split in ('training', 'testing'):
        write_image(tmp_path / split / 'image_2/000000_10.png', LABEL_IDS.shape)
        write_image(tmp_path / split / 'image_2/000001_10.png', (5, 13))
    write(tmp_path / 'training/semantic/000000_10.png', LABEL_IDS)
    write(tmp_path / 'training/semantic/000001_10.png', np.full((5, 13), 7, np.uint8))
    return tmp_path


def test_semantics_are_read_as_label_ids(semantics: Path) -> None:
    first, second = opened('kitti_semantics', semantics)
    assert first.labels is not None
    none = 255
    expected = [none, 2, 3, 1, none, 4, none, 0, 5, none, none, none]
    assert first.labels[0].tolist() == expected
    assert first.focal_length == 0, 'the set has no calibration'
    assert second.image.shape == (5, 13, 3), 'sizes vary and nothing is cropped'


def test_merges_apply_only_on_request(semantics: Path) -> None:
    merged = opened('kitti_semantics', semantics, merge=('terrain', 'trucks', 'wall'))[0]
    assert merged.labels is not None
    assert merged.labels[0].tolist() == [255, 2, 3, 1, 1, 4, 4, 0, 5, 5, 5, 255]
    only = opened('kitti_semantics', semantics, merge=('terrain',))[0]
    assert only.labels is not None
    assert only.labels[0].tolist() == [255, 2, 3, 1, 255, 4, 4, 0, 5, 255, 255, 255]
    with pytest.raises(DatasetError, match=r"no options \['walls'\] to merge.*terrain.*wall"):
        opened('kitti_semantics', semantics, merge=('walls',))


def test_the_19_classes_are_in_the_order_of_the_train_ids(semantics: Path) -> None:
    sample = opened('kitti_semantics', semantics, classes='cityscapes19')[0]
    assert sample.labels is not None
    assert sample.labels[0].tolist() == [255, 0, 1, 2, 3, 8, 9, 10, 13, 14, 15, 18]


def test_train_ids_instead_of_label_ids_are_an_error(semantics: Path) -> None:
    """Read as label ids they would look plausible: road would be unlabeled, 7 a road."""
    train_ids = np.tile(np.array([0, 1, 2, 8, 10, 13, 255], np.uint8), (4, 1))
    write(semantics / 'training/semantic/000000_10.png', train_ids)
    write_image(semantics / 'training/image_2/000000_10.png', train_ids.shape)
    with pytest.raises(DatasetError, match=r'000000_10\.png has the ids 255.*cityscapes19_k'):
        check_dataset(opened('kitti_semantics', semantics), 6)
    sample = opened('kitti_semantics', semantics, classes='cityscapes19_kitti6')[0]
    assert sample.labels is not None
    assert sample.labels[0].tolist() == [2, 3, 1, 4, 0, 5, 255]


def test_splits_and_calibration_of_semantics(semantics: Path) -> None:
    (semantics / 'val.txt').write_text('000001_10\n')
    (sample,) = opened('kitti_semantics', semantics, split='val.txt')
    assert sample.name == '000001_10'
    assert opened('kitti_semantics', semantics, split='test')[0].labels is None
    with pytest.raises(DatasetError, match="no split 'val'"):
        opened('kitti_semantics', semantics, split='val')
    write_calibration(semantics / 'calibration')
    (semantics / 'training/calib_cam_to_cam').mkdir()
    text = (semantics / 'calibration/calib_cam_to_cam.txt').read_text()
    (semantics / 'training/calib_cam_to_cam/000001.txt').write_text(text)
    first, second = opened('kitti_semantics', semantics)
    assert (first.focal_length, second.focal_length) == (0, FX)


def test_a_missing_label_image_is_named(semantics: Path) -> None:
    (semantics / 'training/semantic/000001_10.png').unlink()
    with pytest.raises(DatasetError, match=r'semantic/000001_10\.png is missing'):
        check_dataset(opened('kitti_semantics', semantics), 6)
