"""Data sources: parsing and checking."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.training.data.source import DataSource, parse_source, resolve


@pytest.mark.parametrize(
    ('text', 'source'),
    [
        ('camvid:data/camvid', DataSource('camvid', 'data/camvid')),
        ('camvid:/d/camvid:val', DataSource('camvid', '/d/camvid', split='val')),
        ('nyud:a:b:val', DataSource('nyud', 'a:b', split='val')),
        ('scenes:S/x?limit=8&cache=true', DataSource('scenes', 'S/x', limit=8, cache=True)),
        (
            'cityscapes:C:val?merge=terrain,trucks&classes=cityscapes_kitti6',
            DataSource('cityscapes', 'C', 'val', 'cityscapes_kitti6', ('terrain', 'trucks')),
        ),
        (
            'folder:x?depth_scale=1000&focal_length=525.5&split=train',
            DataSource('folder', 'x', depth_scale=1000, focal_length=525.5),
        ),
        ('kitti_depth:K?images=RAW/a%26b', DataSource('kitti_depth', 'K', images='RAW/a&b')),
    ],
)  # fmt: skip
def test_a_source_is_parsed_from_text(text: str, source: DataSource) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('camvid', 'expected KIND:FOLDER'),
        (':folder', 'expected KIND:FOLDER'),
        ('camvid:', 'expected KIND:FOLDER'),
        ('camvid::val', 'root is empty'),
        ('camvid:x:', 'split is empty'),
        ('camvid:x?spilt=val', "got option 'spilt=val'; allowed: split, classes"),
        ('camvid:x?limit', "got option 'limit'"),
        ('camvid:x?limit=many', "'many' is not a valid limit"),
        ('camvid:x?limit=-1', 'limit is -1; allowed: 0 or more'),
        ('folder:x?depth_scale=nan', 'depth_scale is nan'),
        ('camvid:x?cache=perhaps', "'perhaps' is not a valid cache"),
        ('camvid:x:val?split=train', 'the option split appears twice'),
    ],
)
def test_a_malformed_source_is_refused(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_source(text)


def test_only_a_leading_name_in_capitals_is_replaced() -> None:
    source = DataSource('kitti_depth', 'KITTI/depth', images='RAW')
    found = resolve(source, {'KITTI': Path('/k'), 'RAW': Path('/r')})
    assert (found.root, found.images) == ('/k/depth', '/r')
    assert resolve(DataSource('camvid', 'data/CAMVID'), {}).root == 'data/CAMVID'
    assert resolve(DataSource('camvid', '/CAMVID'), {}).path == Path('/CAMVID')


def test_a_name_in_capitals_without_a_folder_is_an_error() -> None:
    with pytest.raises(TrainingError, match='needs the folder CAMVID; .* --data CAMVID=FOLDER'):
        resolve(DataSource('camvid', 'CAMVID/x'), {'SCENES': Path('/s')})
