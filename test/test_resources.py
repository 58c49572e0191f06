"""The package finds its own files from a checkout and from an install space."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hydranet_ros.errors import ModelNotFoundError
from hydranet_ros.resources import find_model, model_directories, share_directory

ROOT = Path(__file__).resolve().parent.parent


def test_the_share_folder_holds_presets_and_launch_files():
    assert (share_directory() / 'config' / 'kitti.yaml').is_file()
    assert (share_directory() / 'launch' / 'kitti.launch.py').is_file()


@pytest.mark.parametrize('with_ament', [True, False])
def test_an_install_space_is_found_with_and_without_the_ament_path(tmp_path: Path, with_ament):
    """A colcon install space has lib/pythonX/site-packages beside share/hydranet_ros."""
    site = tmp_path / 'lib' / 'python3' / 'site-packages'
    shutil.copytree(
        ROOT / 'hydranet_ros', site / 'hydranet_ros', ignore=shutil.ignore_patterns('__pycache__')
    )
    shutil.copytree(ROOT / 'config', tmp_path / 'share' / 'hydranet_ros' / 'config')
    code = 'from hydranet_ros.resources import share_directory; print(share_directory())'
    environment = {'PYTHONPATH': str(site), 'PATH': '/usr/bin:/bin'}
    if with_ament:
        environment['AMENT_PREFIX_PATH'] = f'/nonexistent:{tmp_path}'
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(tmp_path / 'share' / 'hydranet_ros')


def test_a_model_in_the_users_folder_wins_over_the_one_that_ships(tmp_path, monkeypatch):
    monkeypatch.setenv('HYDRANET_MODELS', str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path / 'mine.onnx').touch()
    assert find_model('mine.onnx') == (tmp_path / 'mine.onnx').resolve()
    assert model_directories()[0] == tmp_path


def test_a_missing_model_names_the_places_that_were_searched(tmp_path, monkeypatch):
    monkeypatch.setenv('HYDRANET_MODELS', str(tmp_path))
    with pytest.raises(ModelNotFoundError, match='searched:') as error:
        find_model('none.onnx')
    assert str(tmp_path / 'none.onnx') in str(error.value)


def test_a_path_is_taken_as_a_path_only(tmp_path, monkeypatch):
    monkeypatch.setenv('HYDRANET_MODELS', str(tmp_path))
    (tmp_path / 'mine.onnx').touch()
    with pytest.raises(ModelNotFoundError):
        find_model(str(tmp_path / 'other' / 'mine.onnx'))
