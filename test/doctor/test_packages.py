"""The doctor names installed packages that overwrite each other."""

from __future__ import annotations

import sys

import pytest

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.packages import check_packages
from hydranet_ros.doctor.short import run_short


@pytest.fixture
def two_runtimes(tmp_path, monkeypatch):
    """Add the metadata of two builds of ONNX Runtime to the installed packages."""
    for name, version in (('onnxruntime', '1.31.1'), ('onnxruntime-gpu', '1.30.0')):
        info = tmp_path / f'{name.replace("-", "_")}-{version}.dist-info'
        info.mkdir()
        text = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
        (info / 'METADATA').write_text(text, encoding='utf-8')
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])


def test_two_runtimes_are_one_warning_with_the_remedy(two_runtimes):
    (check,) = check_packages()
    assert check.status is Status.WARNING
    assert 'onnxruntime 1.31.1 and onnxruntime-gpu 1.30.0' in check.text
    assert 'pip uninstall -y onnxruntime onnxruntime-gpu' in check.text


def test_the_screen_shows_the_conflict_beside_the_providers(two_runtimes):
    checks = [check for check in run_short().checks if check.name == 'packages']
    assert [check.section for check in checks] == ['Providers']
