"""The table of launch arguments agrees with the parameters and needs no launch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT

from hydranet_ros.inference.options import PRECISIONS
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.ros.dds_profile import SWITCH
from hydranet_ros.ros.launch_arguments import LAUNCH_ARGUMENTS, PRESET

BY_NAME = {item.name: item for item in (PRESET, *LAUNCH_ARGUMENTS)}


def test_the_arguments_are_those_of_the_documentation():
    assert [(item.name, item.default) for item in (PRESET, *LAUNCH_ARGUMENTS)] == [
        ('preset', 'street'), ('image', 'image'), ('camera_info', ''), ('image_transport', 'raw'),
        ('namespace', ''), ('model', ''), ('domain', ''), ('provider', 'auto'),
        ('precision', 'auto'), ('device', ''),
        ('params_file', ''), ('autostart', 'true'), ('use_sim_time', 'false'), ('rviz', 'false'),
        ('frame', ''), ('bag', ''), ('log_level', 'info'), ('dds_profile', 'default'),
    ]  # fmt: skip


def test_names_are_unique_and_descriptions_are_sentences():
    assert len(BY_NAME) == 1 + len(LAUNCH_ARGUMENTS)
    for item in BY_NAME.values():
        assert len(item.description) > 15 and item.description.endswith('.'), item.name


def test_a_default_is_one_of_the_choices():
    for item in BY_NAME.values():
        assert not item.choices or item.default in item.choices, item.name


def test_arguments_with_choices_are_those_of_the_documentation():
    assert {name: item.choices for name, item in BY_NAME.items() if item.choices} == {
        'image_transport': ('raw', 'compressed'),
        'provider': ('auto', *PROVIDERS),
        'precision': PRECISIONS,
        'autostart': ('true', 'false'),
        'use_sim_time': ('true', 'false'),
        'rviz': ('true', 'false'),
        'log_level': ('debug', 'info', 'warn', 'error', 'fatal'),
    }


def test_an_argument_of_a_parameter_has_its_default_and_its_choices():
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from hydranet_ros.ros.parameters import TABLE, NodeParameters

    passed = [item for item in BY_NAME.values() if item.is_parameter]
    assert [item.name for item in passed] == [
        'image_transport', 'model', 'domain', 'provider', 'precision', 'device',
    ]  # fmt: skip
    for item in (*passed, PRESET):
        assert item.default == getattr(NodeParameters, item.name)
        assert item.choices == TABLE[item.name].choices


def test_the_environment_changes_only_the_default_of_the_dds_profile():
    variables = {item.name: item.variable for item in BY_NAME.values() if item.variable}
    assert variables == {'dds_profile': SWITCH}
    assert SWITCH in BY_NAME['dds_profile'].description


def test_arguments_are_immutable():
    with pytest.raises(AttributeError):
        PRESET.default = 'kitti'


def test_the_table_can_be_read_without_launch_and_without_rclpy():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('launch', 'launch_ros', 'rclpy')))\n"
        'import hydranet_ros.ros.launch_arguments'
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
