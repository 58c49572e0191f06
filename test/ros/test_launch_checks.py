"""A launch file that needs an executable checks that it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('ament_index_python', reason='ament_index_python is not installed')

from hydranet_ros.errors import MissingDependencyError
from hydranet_ros.ros.launch_checks import require_executable


@pytest.fixture
def prefix(tmp_path, monkeypatch) -> Path:
    """Return an empty ament prefix, the only one."""
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    return tmp_path


def install(prefix: Path, package: str, executable: str) -> Path:
    """Install a package with an executable; return the file."""
    index = prefix / 'share/ament_index/resource_index/packages'
    binary = prefix / 'lib' / package / executable
    index.mkdir(parents=True)
    binary.parent.mkdir(parents=True)
    (index / package).touch()
    binary.touch(0o755)
    return binary


def test_an_installed_executable_is_accepted(prefix):
    install(prefix, 'rviz2', 'rviz')
    require_executable('rviz2', 'rviz', 'rviz:=true')


@pytest.mark.parametrize(
    'case', ['no package', 'no executable', 'other executable', 'no permission', 'no environment']
)
def test_a_missing_executable_is_one_line_that_names_package_and_argument(
    prefix, case, monkeypatch
):
    if case == 'no executable':
        install(prefix, 'rviz2', 'rviz').unlink()
    elif case == 'other executable':
        install(prefix, 'rviz2', 'rviz2')
    elif case == 'no permission':
        install(prefix, 'rviz2', 'rviz').chmod(0o644)
    elif case == 'no environment':
        monkeypatch.delenv('AMENT_PREFIX_PATH')
    with pytest.raises(MissingDependencyError) as caught:
        require_executable('rviz2', 'rviz', 'rviz:=true')
    assert str(caught.value) == (
        'rviz:=true needs the executable rviz of the ROS package rviz2, which is not installed. '
        'Install ros-jazzy-rviz2, or launch without rviz:=true.'
    )


def test_without_a_distribution_the_debian_package_has_a_placeholder(prefix, monkeypatch):
    monkeypatch.delenv('ROS_DISTRO')
    with pytest.raises(MissingDependencyError, match='Install ros-<distro>-rviz2, or'):
        require_executable('rviz2', 'rviz', 'rviz:=true')
