"""Training recipes: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from train_tools import write_recipe

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.config import TrainConfig, load_config
from hydranet_ros.training.data.class_map import load_class_map

RECIPES = sorted(ROOT.glob('config/train/*.yaml')) + sorted(ROOT.glob('models/*/recipe/*.yaml'))


def changed(folder: Path, **changes: object) -> TrainConfig:
    return load_config(write_recipe(folder, **changes))


def test_a_source_of_a_recipe_has_the_options_of_a_data_source(tmp_path: Path) -> None:
    row = {'kind': 'cityscapes', 'root': 'C', 'merge': ['terrain'], 'limit': 3, 'weight': 2,
           'channels': [40, 46]}  # fmt: skip
    (source,) = changed(tmp_path, data=[row]).data
    assert (source.kind, source.merge, source.limit) == ('cityscapes', ('terrain',), 3)
    assert (source.weight, source.channels) == (2.0, (40, 46))


def test_stages_follow_one_another(tmp_path: Path) -> None:
    stages = [{'steps': n, 'batch': n, 'augmentation': {}} for n in (3, 2)]
    config = changed(tmp_path, stages=stages)
    assert config.total_steps == 5
    assert [config.stage_at(step).batch for step in range(7)] == [3, 3, 3, 2, 2, 2, 2]


def test_validation_sets_of_one_kind_are_numbered(tmp_path: Path) -> None:
    rows = [{'kind': kind, 'root': 'x'} for kind in ('scenes', 'camvid', 'scenes')]
    config = changed(tmp_path, validation=rows, monitor='scenes2/delta2')
    assert config.validation_names == ('scenes0', 'camvid', 'scenes2')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'learning_rat': 1}, "unknown key 'learning_rat'. Allowed keys: data, validation"),
        ({'optimizer': {'kind': 'sdg'}}, "optimizer.kind: got 'sdg'; allowed: muon, adamw, sgd"),
        ({'losses': {'depth_loss': 'huber'}}, "losses.depth_loss: got 'huber'; allowed: silog"),
        ({'network': {'start': 'zeros'}}, "network.start: got 'zeros'; allowed: kaiming, paper"),
        ({'schedule': {'kind': 'line'}}, "schedule.kind: got 'line'; allowed: constant, cosine"),
        ({'mixing': 'both'}, "mixing: got 'both'; allowed: mixed, alternating"),
        ({'precision': 'fp8'}, "precision: got 'fp8'; allowed: 32-true, bf16-mixed, 16-mixed"),
        ({'seed': 1.5}, 'seed: got 1.5; expected a whole number'),
        ({'ema': 'no'}, "ema: got 'no'; expected a number"),
        ({'stages': []}, 'stages is empty'),
        ({'stages': {}}, r'stages: got \{\}; expected a list'),
        ({'stages': [{'steps': 1}]}, r"stages\[0\]: missing key 'batch', 'augmentation'"),
        ({'data': []}, 'data is empty'),
        (
            {'monitor': 'camvid/miou'},
            "monitor is 'camvid/miou'; .* one of the sets: scenes",
        ),
        ({'monitor': 'scenes/mIoU'}, "Metric 'mIoU' is unknown; known: miou"),
        ({'monitor': 'x/miou', 'validation': []}, 'none, as validation is empty'),
        ({'data': [{'kind': 'camvid'}]}, r"data\[0\]: missing key 'root'"),
        ({'data': [{'kind': 'camvid', 'root': ''}]}, r'data\[0\]: .*root is empty'),
        ({'data': [{'kind': 'camvid', 'root': 'x', 'limit': -1}]}, 'limit is -1'),
        (
            {'data': [{'kind': 'camvid', 'root': 'x', 'merge': 'wall'}]},
            'merge: .* expected a list',
        ),
        ({'data': [{'kind': 'camvid', 'root': 'x', 'channels': [6]}]}, 'a list of 2 values'),
        (
            {'stages': [{'steps': 1, 'batch': 1, 'augmentation': {'pad_value': [0.5, 0.5, 0.4]}}]},
            r'stages\[0\]\.augmentation\.pad_value\[0\]: got 0\.5; expected a whole number',
        ),
        (
            {'stages': [{'steps': 1, 'batch': 1, 'augmentation': {'adverse': 0.7}}]},
            r'stages\[0\]\.augmentation: adverse is 0\.7; allowed: 0 to 0\.5',
        ),
        (
            {'stages': [{'steps': 1, 'batch': 1, 'augmentation': {'scale_law': 'linear'}}]},
            "scale_law: got 'linear'; allowed: log, uniform",
        ),
    ],
)
def test_a_malformed_recipe_is_refused_with_file_and_key(
    tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        changed(tmp_path, **changes)
    assert str(tmp_path / 'recipe.yaml') in str(caught.value)


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r'none\.yaml cannot be read'):
        load_config(tmp_path / 'none.yaml')


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_consistent(path: Path) -> None:
    config = load_config(path)
    for source in (*config.data, *config.validation):
        first, end = source.channels or (0, config.network.num_classes)
        assert 0 <= first < end <= config.network.num_classes
        if source.classes:
            assert len(load_class_map(source.classes, source.merge).classes) == end - first


def test_the_recipes_of_the_street_model_name_one_another() -> None:
    """The comments of the recipes are the commands that trained the model."""
    for path in ROOT.glob('models/street/recipe/*.yaml'):
        text = path.read_text(encoding='utf-8')
        assert f'hydranet train models/street/recipe/{path.name}' in text
        assert yaml.safe_load(text)['network']['num_classes'] == 6
