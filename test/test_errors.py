"""The tree of exceptions, and the messages for missing packages."""

from __future__ import annotations

import inspect
import re

import pytest
from conftest import ROOT

from hydranet_ros import errors

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass)]


def test_every_exception_is_a_hydranet_error_and_is_documented():
    assert all(issubclass(item, errors.HydranetError) for item in CLASSES)
    assert all(item.__doc__ for item in CLASSES)


def test_the_tree_in_the_docstring_shows_every_exception_below_its_base():
    depths = {}
    for line in errors.__doc__.splitlines():
        if found := re.match(r'^([ │├└─]*)(\w+Error)\b', line):
            depths[found[2]] = len(found[1]) // 4
    assert depths == {item.__name__: len(item.__mro__) - 3 for item in CLASSES}


@pytest.mark.parametrize(
    ('name', 'extra'),
    [('rclpy', 'ros'), ('sensor_msgs.msg', 'ros'), ('torch', 'train'), ('onnx', 'train'),
     ('onnxruntime', 'cpu'), ('tensorrt', 'gpu'), ('mujoco', 'scenes'), ('openvino', 'openvino'),
     ('matplotlib', 'bench')],
)  # fmt: skip
def test_a_missing_package_names_its_extra(name: str, extra: str):
    message = errors.missing_package(ModuleNotFoundError(name=name))
    package = name.split('.')[0]
    assert message == (
        f"{package} is not installed. Install it with: pip install 'hydranet_ros[{extra}]'"
    )


def test_the_renderer_is_installed_from_a_checkout():
    message = errors.missing_package(ModuleNotFoundError(name='hydranet_scenes.bag'))
    assert message.startswith('hydranet_scenes is not installed.')
    assert message.endswith('pip install ./hydranet_scenes')
    assert (ROOT / 'hydranet_scenes').is_dir()


@pytest.mark.parametrize('name', ['unknown', '', None])
def test_a_package_of_no_extra_has_no_message(name):
    assert errors.missing_package(ModuleNotFoundError(name=name)) == ''


def test_every_extra_exists_in_the_setup():
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    for extra in set(errors._EXTRAS.values()):
        assert f"'{extra}': [" in setup
