"""The labeled part of NYUDv2 in one MATLAB file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_tools import opened
from nyud_tools import FRAMES, HEIGHT, WIDTH, images, write_labeled_set, write_mat
from scipy.io import savemat

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data.check import check_dataset


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    return write_labeled_set(tmp_path)


def test_frames_have_the_orientation_of_the_images(mat: Path) -> None:
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


def test_raw_depth_is_the_default_and_has_unknown_pixels(mat: Path) -> None:
    (sample,) = opened('nyud_mat', mat, split='test')
    assert sample.name == '000002'
    assert sample.depth is not None
    assert (sample.depth[0] == 0).all()
    assert sample.depth[1].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    write_mat(mat / 'nyu_depth_v2_labeled.mat', rawDepths=None)
    (sample,) = opened('nyud_mat', mat / 'nyu_depth_v2_labeled.mat', split='test')
    assert sample.depth is not None
    assert sample.depth.min() > 1


def test_the_check_names_the_frame(mat: Path) -> None:
    contents = check_dataset(opened('nyud_mat', mat, split='all'), 40)
    assert (contents.images, contents.labels, contents.depth) == (3, 3, 3)
    labels = np.full((FRAMES, WIDTH, HEIGHT), 1, np.uint16)
    labels[1] = 6
    write_mat(mat / 'nyu_depth_v2_labeled.mat', labels=labels)
    with pytest.raises(DatasetError, match=r'labeled\.mat, frame 2 has the ids 6.*0-5'):
        check_dataset(opened('nyud_mat', mat, split='all'), 40)


@pytest.mark.parametrize('numbers', [[0, 1], [4], []])
def test_a_split_outside_the_frames_is_an_error(mat: Path, numbers: list[int]) -> None:
    savemat(mat / 'splits.mat', {'trainNdxs': np.array(numbers), 'testNdxs': np.array([[2]])})
    with pytest.raises(DatasetError, match=r'splits\.mat: trainNdxs.*allowed range 1\.\.3'):
        opened('nyud_mat', mat)


def test_a_missing_or_malformed_array_or_file_is_named(mat: Path) -> None:
    path = mat / 'nyu_depth_v2_labeled.mat'
    with pytest.raises(DatasetError, match=r"no split 'val'; allowed: train, test, all"):
        opened('nyud_mat', mat, split='val')
    (mat / 'splits.mat').unlink()
    with pytest.raises(DatasetError, match=r'splits\.mat is missing'):
        opened('nyud_mat', mat)
    write_mat(path, labels=None)
    with pytest.raises(DatasetError, match=r"does not have the arrays \['labels'\]"):
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
