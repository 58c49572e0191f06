"""Presets and class tables: those that ship load, and errors name the key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hydranet_ros.errors import PresetError
from hydranet_ros.model_files.preset import Preset, load_classes, preset_names
from hydranet_ros.resources import config_file


def test_five_presets_ship():
    assert preset_names() == ('kitti', 'nyud', 'nyud_kitti', 'nyud_three', 'street')


@pytest.mark.parametrize('name', ['kitti', 'nyud', 'nyud_kitti', 'nyud_three', 'street'])
def test_every_preset_that_ships_loads_and_is_consistent(name: str):
    preset = Preset.load(name)
    assert preset.name == name
    for choice in preset.models.values():
        facts = choice.export
        assert choice.file.endswith('.onnx')
        assert facts.depth_range[0] < facts.depth_range[1]
        if facts.class_slice is not None:
            assert facts.class_slice[1] - facts.class_slice[0] == len(facts.classes)
    if preset.fallback:
        fallback = Preset.load(preset.fallback).model()
        assert fallback.export.classes == preset.model().export.classes


def test_the_joint_model_has_a_class_slice_for_each_domain():
    preset = Preset.load('nyud_kitti')
    assert preset.model().export.class_slice == (40, 46)
    assert preset.model('nyud').export.class_slice == (0, 40)
    with pytest.raises(PresetError, match=r"no domain 'mars'.*\['kitti', 'nyud'\]"):
        preset.model('mars')


def test_kitti_classes_are_in_the_order_and_colors_of_the_official_weights():
    classes = load_classes('kitti6')
    assert [item.name for item in classes] == [
        'sky', 'building', 'road', 'sidewalk', 'vegetation', 'car',
    ]  # fmt: skip
    assert classes[0].color == (128, 128, 128)
    assert classes[5].color == (64, 0, 128)
    assert [item.surface for item in classes] == [False] + [True] * 5


def test_nyud_classes_are_forty_with_the_voc_colors():
    classes = load_classes('nyud40')
    assert len(classes) == 40
    assert (classes[0].name, classes[0].color) == ('wall', (128, 0, 0))
    assert (classes[39].name, classes[39].color) == ('otherprop', (64, 0, 64))


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(PresetError, match='known presets: kitti, nyud'):
        Preset.load('mars')


@pytest.fixture
def edited(tmp_path: Path):
    """Return a function that writes kitti.yaml after a change and gives its path."""

    def edit(change) -> str:
        raw = yaml.safe_load(config_file('kitti.yaml').read_text(encoding='utf-8'))
        change(raw)
        path = tmp_path / 'mine.yaml'
        path.write_text(yaml.safe_dump(raw), encoding='utf-8')
        return str(path)

    return edit


def test_a_preset_given_by_path_loads(edited):
    assert Preset.load(edited(lambda raw: None)).name == 'mine'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda raw: raw.update(shade='red'),
            r"unknown key 'shade'\. Allowed keys: description, ",
        ),
        (lambda raw: raw.pop('models'), "missing key 'models'"),
        (lambda raw: raw.update(models={}), 'models is empty; expected at least one model'),
        (lambda raw: raw.update(domain='mars'), "domain is 'mars'; allowed: kitti"),
        (lambda raw: raw.update(node=[1]), r'node: got \[1\]; expected a mapping'),
        (
            lambda raw: raw['models']['kitti']['export'].pop('license'),
            r"models\.kitti\.export: missing key 'license'",
        ),
        (lambda raw: raw['models']['kitti']['export'].update(tasks=['smell']), 'smell'),
        (
            lambda raw: raw['models']['kitti']['export'].update(depth_range=[1]),
            r'depth_range: got \[1\]; expected a list of 2 values',
        ),
        (lambda raw: raw['models']['kitti']['export'].update(classes='mars6'), 'mars6'),
    ],
)
def test_a_wrong_preset_is_refused_with_the_key(edited, change, message: str):
    with pytest.raises(PresetError, match=message):
        Preset.load(edited(change))


def test_a_file_that_is_not_yaml_is_refused_by_name(tmp_path: Path):
    path = tmp_path / 'broken.yaml'
    path.write_text('a: [1', encoding='utf-8')
    with pytest.raises(PresetError, match='broken.yaml cannot be read as YAML'):
        Preset.load(str(path))
