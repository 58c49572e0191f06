"""The table of data set kinds, and the options of a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT
from dataset_tools import opened

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.training.data.catalog import KINDS, open_dataset
from hydranet_ros.training.data.class_map import class_map_names
from hydranet_ros.training.data.source import DataSource


def test_a_name_in_capitals_is_replaced_by_its_folder(labeled: Path) -> None:
    roots = {'DATA': labeled.parent}
    assert len(open_dataset(DataSource('folder', f'DATA/{labeled.name}'), roots)) == 4
    with pytest.raises(TrainingError, match='needs the folder DATA.*--data DATA=FOLDER'):
        open_dataset(DataSource('folder', 'DATA/x'))
    with pytest.raises(TrainingError, match='needs the folder RAW'):
        open_dataset(DataSource('kitti_depth', 'DATA', images='RAW'), roots)


def test_an_unknown_kind_is_an_error_that_lists_the_kinds() -> None:
    with pytest.raises(DatasetError, match='allowed: camvid, scenes, colored, folder, nyud'):
        opened('imagenet', Path('x'))


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_an_option_that_a_kind_does_not_support_is_an_error(kind: str, tmp_path: Path) -> None:
    """An ignored split or scale would train on the wrong data."""
    wrong = {
        'split': 'val', 'classes': 'nyud40', 'merge': ('wall',), 'depth_scale': 5.0,
        'images': 'x', 'variant': 'x',
    }  # fmt: skip
    for name in sorted(set(wrong) - KINDS[kind].options):
        with pytest.raises(DatasetError, match=f'{kind} has no {name}'):
            opened(kind, tmp_path, **{name: wrong[name]})


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_every_kind_names_an_empty_or_missing_folder(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=str(tmp_path)):
        opened(kind, tmp_path)
    with pytest.raises(DatasetError, match=str(tmp_path / 'nowhere')):
        opened(kind, tmp_path / 'nowhere')


def test_a_limit_keeps_the_first_samples(labeled: Path) -> None:
    samples = opened('folder', labeled, limit=3, focal_length=9)
    assert [(sample.name, sample.focal_length) for sample in samples] == [
        ('0', 9), ('1', 9), ('2', 9),
    ]  # fmt: skip
    assert samples.image_path(2) == labeled / 'images/2.png'
    assert len(opened('folder', labeled, limit=30)) == 4


def test_every_kind_and_class_map_is_documented() -> None:
    text = (ROOT / 'docs/data.md').read_text(encoding='utf-8')
    assert [kind for kind in KINDS if f'### `{kind}`\n' not in text] == []
    assert [name for name in class_map_names() if f'`{name}`' not in text] == []
