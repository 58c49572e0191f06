"""Checks of ROS 2 in environments that stand for other installations."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hydranet_ros.doctor import ros_environment as ros
from hydranet_ros.doctor.checks import Check, Status

VARIABLES = ('ROS_DISTRO', 'AMENT_PREFIX_PATH', 'RMW_IMPLEMENTATION', 'LD_LIBRARY_PATH')
NEEDED = (*ros.NEEDED_MESSAGES, 'rclpy')


@pytest.fixture
def empty(monkeypatch, tmp_path: Path) -> Path:
    """Remove ROS from the environment and the path; return the folder that replaces it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    monkeypatch.setattr(ros, '_version', lambda package: '')
    for name in NEEDED:
        monkeypatch.delitem(sys.modules, name, raising=False)
    sys.path_importer_cache.clear()
    return tmp_path


def install(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / '__init__.py').touch()


def by_name(checks) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_without_ros_nothing_fails_and_the_extra_is_named(empty):
    checks = by_name(ros.ros_checks())
    assert set(checks) == {'Python', 'rclpy'}
    assert checks['rclpy'].status is Status.NONE
    assert 'hydranet_ros[ros]' in checks['rclpy'].remedy


def test_a_sourced_ros_of_another_python_fails(empty, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    check = ros.check_rclpy()
    assert check.status is Status.FAIL
    assert 'ROS 2 jazzy is sourced' in check.text and '--system-site-packages' in check.remedy


def test_rclpy_of_a_ros_installation_is_named_with_its_prefix(empty, monkeypatch):
    install(empty, 'rclpy')
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/other{os.pathsep}{empty}')
    check = ros.check_rclpy()
    assert (check.status, check.text) == (Status.OK, f'ROS 2 jazzy in {empty}')


def test_rclpy_of_wheels_is_named_with_its_version(empty, monkeypatch):
    install(empty, 'rclpy')
    monkeypatch.setattr(ros, '_version', lambda package: '7.1.6')
    check = ros.check_rclpy()
    assert check.status is Status.OK and 'wheel ros-rclpy 7.1.6 (Jazzy)' in check.text


def test_wheels_beside_a_sourced_ros_are_a_warning(empty, monkeypatch):
    install(empty, 'rclpy')
    monkeypatch.setattr(ros, '_version', lambda package: '9.1.2')
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    check = ros.check_rclpy()
    assert check.status is Status.WARNING and 'Do not combine both' in check.remedy


@pytest.mark.parametrize(
    ('suffix', 'status'),
    [('.cpython-27-x86_64-linux-gnu.so', Status.FAIL), ('.abi3.so', Status.OK), ('', Status.OK)],
)
def test_rclpy_must_be_built_for_this_python(empty, suffix, status):
    install(empty, 'rclpy')
    if suffix:
        (empty / 'rclpy' / f'_rclpy_pybind11{suffix}').touch()
    assert ros.check_rclpy().status is status


def test_missing_messages_fail_with_the_packages_to_install(empty, monkeypatch):
    install(empty, 'rclpy', 'std_msgs', 'sensor_msgs')
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    check = ros.check_messages()
    assert check.status is Status.FAIL
    assert check.text == 'missing: diagnostic_msgs, lifecycle_msgs'
    assert check.remedy == 'apt install ros-humble-diagnostic-msgs ros-humble-lifecycle-msgs'


def test_complete_messages_pass(empty):
    install(empty, *NEEDED)
    assert ros.check_messages().status is Status.OK


def test_a_middleware_that_is_not_installed_fails(empty, monkeypatch):
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_moon_cpp')
    check = ros.check_middleware()
    assert check.status is Status.FAIL and 'ros-DISTRO-rmw-moon-cpp' in check.remedy


def test_an_installed_middleware_is_found_in_the_prefixes(empty, monkeypatch):
    (empty / 'lib').mkdir()
    (empty / 'lib' / 'librmw_cyclonedds_cpp.so').touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(empty))
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp')
    check = ros.check_middleware()
    assert check.status is Status.OK and 'rmw_cyclonedds_cpp (RMW_IMPLEMENTATION)' in check.text


def test_the_profile_is_named_and_the_environment_stays_as_it_was(monkeypatch):
    monkeypatch.setenv('HYDRANET_DDS_PROFILE', 'off')
    before = dict(os.environ)
    assert ros.check_profile().text == 'none (HYDRANET_DDS_PROFILE=off)'
    monkeypatch.delenv('HYDRANET_DDS_PROFILE')
    ros.check_profile()
    before.pop('HYDRANET_DDS_PROFILE')
    assert dict(os.environ) == before


def test_too_little_shared_memory_fails(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(ros, 'shared_memory_problem', lambda folder: 'it has only 4 KiB free')
    check = ros.check_shared_memory(tmp_path)
    assert (check.status, check.text) == (Status.FAIL, 'it has only 4 KiB free')


def test_the_size_of_the_shared_memory_is_named(tmp_path: Path):
    check = ros.check_shared_memory(tmp_path)
    assert check.status is Status.OK
    assert check.facts['size_bytes'] >= check.facts['free_bytes'] > 0
