"""From a preset to its model file; a missing file is named with the command that creates it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hydranet_ros.errors import ModelNotFoundError, PresetError
from hydranet_ros.model_files.preset import preset_names
from hydranet_ros.model_files.resolve import choose_model, find_model, model_directories
from hydranet_ros.resources import MODELS_VARIABLE, config_file, share_directory


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's model folder, empty."""
    folder = tmp_path / 'models'
    folder.mkdir()
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def incomplete_preset(folder: Path, fallback: str = '') -> str:
    """Write the kitti preset with file names that no model has, and return its path."""
    raw = yaml.safe_load(config_file('kitti.yaml').read_text(encoding='utf-8'))
    raw['models']['kitti']['file'] = 'no_such_file.onnx'
    raw['fallback'] = fallback
    path = folder / f'incomplete{fallback and "_with_fallback"}.yaml'
    path.write_text(yaml.safe_dump(raw), encoding='utf-8')
    return str(path)


def test_the_user_folder_is_searched_first(models: Path):
    (models / 'kitti.onnx').touch()
    choice = choose_model('kitti')
    assert choice.path == (models / 'kitti.onnx').resolve()
    assert choice.warnings == ()


def test_kitti_falls_back_to_street_with_one_warning_and_the_remedy(models: Path):
    (models / 'street.onnx').touch()
    choice = choose_model('kitti')
    assert choice.path.name == 'street.onnx'
    (warning,) = choice.warnings
    assert "'kitti'" in warning and 'street.onnx' in warning
    assert 'hydranet weights pull ExpKITTI_joint' in warning


@pytest.mark.parametrize(
    ('preset', 'weights'), [('nyud', 'ExpNYUD_joint'), ('nyud_three', 'ExpNYUD_three'),
                            ('nyud_kitti', 'ExpNYUDKITTI_joint')],
)  # fmt: skip
def test_a_missing_model_names_its_weights_pull_line(models: Path, preset: str, weights: str):
    with pytest.raises(ModelNotFoundError, match=f'hydranet weights pull {weights}$'):
        choose_model(preset)


def test_a_missing_fallback_still_names_the_remedy(models: Path):
    fallback = incomplete_preset(models)
    with pytest.raises(ModelNotFoundError, match='is missing too.*pull ExpKITTI_joint$'):
        choose_model(incomplete_preset(models, fallback=fallback))


def test_a_domain_chooses_the_model_of_the_joint_preset(models: Path):
    for name in ('nyud_kitti.kitti.onnx', 'nyud_kitti.nyud.onnx'):
        (models / name).touch()
    assert choose_model('nyud_kitti', domain='nyud').path.name == 'nyud_kitti.nyud.onnx'
    assert choose_model('nyud_kitti').path.name == 'nyud_kitti.kitti.onnx'
    with pytest.raises(PresetError, match="no domain 'moon'"):
        choose_model('nyud_kitti', domain='moon')


@pytest.mark.parametrize('as_path', [True, False])
def test_a_requested_model_overrides_the_preset(models: Path, as_path: bool):
    own = models / 'own.onnx'
    own.touch()
    assert choose_model('nyud', model=str(own) if as_path else 'own.onnx').path == own.resolve()
    with pytest.raises(ModelNotFoundError, match=r'absent\.onnx.*searched'):
        choose_model('nyud', model='absent.onnx')


def test_every_preset_has_a_model_or_an_error_that_names_a_command(models: Path):
    for preset in preset_names():
        try:
            assert choose_model(preset).path.is_file()
        except ModelNotFoundError as err:
            assert 'hydranet weights pull' in str(err) or 'hydranet export' in str(err)


def test_the_user_folder_comes_before_the_included_models(models: Path):
    assert model_directories() == (models, share_directory() / 'models')


@pytest.mark.parametrize('place', ['mine.onnx', 'mine/mine.onnx'])
def test_a_bare_name_is_found_in_the_folder_or_its_subfolder(models: Path, place: str):
    (models / 'mine').mkdir()
    (models / place).touch()
    assert find_model('mine.onnx') == (models / place).resolve()


def test_the_first_match_wins(models: Path, monkeypatch):
    (models / 'mine').mkdir()
    (models / 'mine' / 'mine.onnx').touch()
    assert find_model('mine.onnx') == (models / 'mine' / 'mine.onnx').resolve()
    (models / 'mine.onnx').touch()
    assert find_model('mine.onnx') == (models / 'mine.onnx').resolve()
    (models.parent / 'mine.onnx').touch()
    assert find_model('mine.onnx') == (models.parent / 'mine.onnx').resolve()


def test_a_folder_with_the_name_of_a_model_is_not_a_model(models: Path):
    (models / 'mine.onnx').mkdir()
    with pytest.raises(ModelNotFoundError):
        find_model('mine.onnx')


def test_the_home_folder_is_expanded(models: Path, monkeypatch):
    monkeypatch.setenv('HOME', str(models))
    (models / 'own.onnx').touch()
    assert find_model('~/own.onnx') == (models / 'own.onnx').resolve()


def test_a_missing_model_names_the_searched_paths(models: Path):
    with pytest.raises(ModelNotFoundError, match="'none.onnx' was not found; searched:") as error:
        find_model('none.onnx')
    for path in (models / 'none.onnx', models / 'none' / 'none.onnx',
                 share_directory() / 'models' / 'none' / 'none.onnx'):  # fmt: skip
        assert str(path) in str(error.value)


@pytest.mark.parametrize('relative', [True, False])
def test_a_name_with_a_folder_is_a_path_only(models: Path, relative: bool):
    (models / 'mine.onnx').touch()
    name = Path('other') / 'mine.onnx'
    with pytest.raises(ModelNotFoundError) as error:
        find_model(str(name if relative else models / name))
    assert str(models / 'mine.onnx') not in str(error.value)


@pytest.mark.parametrize('name', ['street.onnx', 'street.cpu.onnx'])
def test_every_form_of_a_model_is_found_by_its_name(name):
    assert find_model(name).name == name
