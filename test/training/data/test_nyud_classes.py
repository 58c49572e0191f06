"""The tables that map the 894 classes of NYUDv2 to 40."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_tools import opened
from nyud_tools import write_labeled_set
from scipy.io import savemat

from hydranet_ros.errors import DatasetError


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    return write_labeled_set(tmp_path)


def test_without_a_table_the_error_names_its_source_and_the_alternatives(mat: Path) -> None:
    (mat / 'classMapping40.mat').unlink()
    with pytest.raises(DatasetError, match=r'classMapping40\.mat.*Gupta.*nyud40_by_name'):
        opened('nyud_mat', mat)
    (sample, _) = opened('nyud_mat', mat, classes='nyud40_by_name')
    assert sample.labels is not None
    expected = [255, 255, 0, 255, 1, 255]  # only wall and floor have the exact name
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


def test_the_table_may_be_a_class_map_of_the_user(mat: Path) -> None:
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


def test_a_table_without_map_class_is_an_error(mat: Path) -> None:
    savemat(mat / 'classMapping40.mat', {'other': np.array([1])})
    with pytest.raises(DatasetError, match=r'classMapping40\.mat has no array mapClass'):
        opened('nyud_mat', mat)
    with pytest.raises(DatasetError, match=r'none\.mat is missing.*Gupta'):
        opened('nyud_mat', mat, classes=str(mat / 'none.mat'))
