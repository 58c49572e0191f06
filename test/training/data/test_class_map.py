"""Class maps: the shipped maps, maps of the user, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from hydranet_ros.errors import DatasetError
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.resources import config_file
from hydranet_ros.training.data.class_map import (
    build_map,
    class_map_names,
    identity_map,
    load_class_map,
)

GOOD = {'description': 'x', 'classes': 'kitti6', 'ids': {0: 'a', 1: 'b'}, 'map': {'a': 'sky'}}


@pytest.mark.parametrize('name', class_map_names())
def test_each_shipped_map_reaches_every_class_of_its_table(name: str) -> None:
    table = load_class_map(name)
    reached = set(table.table[table.table >= 0].tolist()) - {255}
    assert reached == set(range(len(table.classes)))


@pytest.mark.parametrize('name', ['kitti6', 'nyud40'])
def test_the_map_of_a_class_table_is_the_identity(name: str) -> None:
    np.testing.assert_array_equal(load_class_map(name).table, identity_map(name).table)


def test_label_ids_and_train_ids_agree_by_name() -> None:
    """Train ids 0 to 18 are these label ids."""
    label_ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    of_labels = load_class_map('cityscapes19').table
    assert of_labels[label_ids].tolist() == list(range(19))
    for merge in ((), ('terrain', 'trucks', 'wall')):
        six = load_class_map('cityscapes_kitti6', merge).table[label_ids]
        assert load_class_map('cityscapes19_kitti6', merge).table[:19].tolist() == six.tolist()
    names = [item.name for item in load_classes('cityscapes19')]
    ids = yaml.safe_load(config_file('class_maps/cityscapes19.yaml').read_text())['ids']
    assert [ids[number] for number in label_ids] == names


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'classes': 'kitti7'}, "Class table 'kitti7' does not exist"),
        ({'ids': {-1: 'a'}}, 'ids has -1; allowed: whole numbers'),
        ({'ids': {'0': 'a'}}, r"ids\.0: got '0'; expected a whole number"),
        ({'ids': [1]}, r'ids: got \[1\]; expected a mapping'),
        ({'map': {'c': 'sky'}}, r"map: \['c'\] are not names of ids; allowed: \['a', 'b'\]"),
        ({'map': {'a': 'sea'}}, r"\['sea'\] are not classes of kitti6; allowed: \['building'"),
        ({'options': {'o': {'c': 'sky'}}}, r"options\.o: \['c'\] are not names"),
        ({'options': {'o': {'b': 'sea'}}}, r"\['sea'\] are not classes of kitti6"),
        ({'maps': {}}, "unknown key 'maps'"),
        ({'ids': None}, "missing key 'ids'"),
    ],
)
def test_a_malformed_class_map_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({**GOOD, **change}))
    with pytest.raises(DatasetError, match=message) as caught:
        load_class_map(str(path))
    assert str(path) in str(caught.value)


def test_a_map_of_the_user_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({**GOOD, 'options': {'both': {'b': 'sky'}}}))
    ids = np.array([[0, 1]], np.uint8)
    assert load_class_map(str(path)).apply(ids, 'x').tolist() == [[0, 255]]
    assert load_class_map(str(path), ['both']).apply(ids, 'x').tolist() == [[0, 0]]
    with pytest.raises(DatasetError, match="Class map 'other' does not exist.*camvid_kitti6"):
        load_class_map('other')
    path.write_text('[1')
    with pytest.raises(DatasetError, match=r'mine\.yaml cannot be read as YAML'):
        load_class_map(str(path))
    path.write_text('- 1')
    with pytest.raises(DatasetError, match=r'mine\.yaml: got \[1\]; expected a mapping'):
        load_class_map(str(path))


def test_an_id_outside_the_map_is_an_error_with_the_ranges_of_known_ids() -> None:
    found = build_map('mine', 'kitti6', {0: 'a', 1: 'a', 2: 'b', 7: 'b'}, {'a': 'sky'})
    assert found.apply(np.array([0, 1, 2, 7], np.uint16), 'x').tolist() == [0, 0, 255, 255]
    with pytest.raises(
        DatasetError, match=r'x\.png has the ids 3-4, 300, .* mine; allowed: 0-2, 7'
    ):
        found.apply(np.array([3, 4, 300], np.uint16), 'x.png')


def test_many_ranges_of_unknown_ids_are_shortened() -> None:
    found = build_map('mine', 'kitti6', {0: 'a'}, {'a': 'sky'})
    with pytest.raises(
        DatasetError, match=r'has the ids 1, 3, 5, 7, 9, 11, 13, 15, \.\.\., which'
    ):
        found.apply(np.arange(1, 40, 2).astype(np.uint8), 'x.png')


def test_an_unknown_option_to_merge_is_an_error() -> None:
    with pytest.raises(DatasetError, match=r"no options \['walls'\] to merge; allowed: .*'wall'"):
        load_class_map('cityscapes_kitti6', ('wall', 'walls'))
