"""The package finds its files from a checkout and from an install space."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from hydranet_ros.resources import (
    MODELS_VARIABLE,
    config_file,
    share_directory,
    user_cache_directory,
    user_model_directory,
)


def test_the_share_folder_has_presets_and_launch_files():
    assert share_directory() == ROOT
    assert (share_directory() / 'launch' / 'kitti.launch.py').is_file()
    assert config_file('kitti.yaml') == ROOT / 'config' / 'kitti.yaml'


def install(prefix: Path, *, config: bool = True) -> Path:
    """Copy the package into an install space; return its folder of Python packages."""
    site = prefix / 'lib' / 'python3' / 'site-packages'
    shutil.copytree(
        ROOT / 'hydranet_ros', site / 'hydranet_ros', ignore=shutil.ignore_patterns('__pycache__')
    )
    if config:
        shutil.copytree(ROOT / 'config', prefix / 'share' / 'hydranet_ros' / 'config')
    return site


def find_share(site: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    code = (
        'from hydranet_ros.errors import PresetError\n'
        'from hydranet_ros.resources import share_directory\n'
        'try: print(share_directory())\n'
        'except PresetError as err: print(err)'
    )
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=site,
        env={'PYTHONPATH': str(site), 'PATH': '/usr/bin:/bin', **environment},
    )  # fmt: skip


@pytest.mark.parametrize('with_ament', [True, False])
def test_an_install_space_is_found_with_and_without_the_ament_path(tmp_path: Path, with_ament):
    """A colcon install space has lib/pythonX/site-packages beside share/hydranet_ros."""
    site = install(tmp_path)
    environment = {'AMENT_PREFIX_PATH': f'/nonexistent:{tmp_path}'} if with_ament else {}
    done = find_share(site, **environment)
    assert done.stdout.strip() == str(tmp_path / 'share' / 'hydranet_ros')


def test_the_ament_path_finds_a_share_folder_elsewhere(tmp_path: Path):
    site = install(tmp_path / 'a', config=False)
    shutil.copytree(ROOT / 'config', tmp_path / 'b' / 'share' / 'hydranet_ros' / 'config')
    done = find_share(site, AMENT_PREFIX_PATH=f'{tmp_path / "none"}:{tmp_path / "b"}')
    assert done.stdout.strip() == str(tmp_path / 'b' / 'share' / 'hydranet_ros')


def test_a_missing_share_folder_names_the_searched_folders(tmp_path: Path):
    done = find_share(install(tmp_path, config=False), AMENT_PREFIX_PATH='/opt/ros/none')
    assert 'was not found; searched: ' in done.stdout
    assert '/opt/ros/none/share/hydranet_ros' in done.stdout
    assert str(tmp_path / 'share' / 'hydranet_ros') in done.stdout


def test_models_and_caches_are_in_the_user_folders(tmp_path: Path, monkeypatch):
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    monkeypatch.delenv('XDG_DATA_HOME', raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    assert user_model_directory() == tmp_path / '.local/share/hydranet_ros/models'
    assert user_cache_directory() == tmp_path / '.cache/hydranet_ros'
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    assert user_model_directory() == tmp_path / 'data/hydranet_ros/models'
    assert user_cache_directory() == tmp_path / 'cache/hydranet_ros'


def test_the_variable_overrides_the_folder_of_models(tmp_path: Path, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assert user_model_directory() == tmp_path
