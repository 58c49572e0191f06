"""Conflicts of installed runtimes, read from real dist-info folders by another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
sys.path[:] = [sys.argv[1], *(path for path in sys.path if 'site-packages' not in path)]
sys.path.append(sys.argv[2])
from hydranet_ros.inference.installed import runtime_conflicts
print(json.dumps(runtime_conflicts()))
"""
ROOT = Path(__file__).resolve().parent.parent.parent


def conflicts(folder: Path, packages: dict[str, str], *, module: bool = True) -> list[str]:
    if module and packages:
        (folder / 'onnxruntime').mkdir()
        (folder / 'onnxruntime' / '__init__.py').touch()
    for name, version in packages.items():
        info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
        info.mkdir()
        text = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
        (info / 'METADATA').write_text(text, encoding='utf-8')
    command = [sys.executable, '-c', PROGRAM, str(folder), str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return json.loads(run.stdout)


def test_a_module_without_its_first_file_is_incomplete(tmp_path):
    (tmp_path / 'onnxruntime' / 'capi').mkdir(parents=True)
    (text,) = conflicts(tmp_path, {'onnxruntime': '1.31.1'}, module=False)
    assert text.startswith('Files of the module onnxruntime are missing')
    assert '"pip uninstall -y onnxruntime onnxruntime-gpu"' in text


def test_a_package_without_its_module_is_incomplete(tmp_path):
    (text,) = conflicts(tmp_path, {'onnxruntime-gpu': '1.31.1'}, module=False)
    assert text.startswith('Files of the module onnxruntime are missing')


def test_an_incomplete_module_is_a_missing_dependency(tmp_path):
    (tmp_path / 'onnxruntime' / 'capi').mkdir(parents=True)
    script = (
        'import sys\n'
        'from hydranet_ros.errors import MissingDependencyError\n'
        'from hydranet_ros.inference.onnx_session import import_runtime\n'
        "others = [path for path in sys.path if 'site-packages' not in path]\n"
        'sys.path[:] = [sys.argv[1], *others]\n'
        'try:\n'
        '    import_runtime()\n'
        'except MissingDependencyError as err:\n'
        '    print(err)\n'
    )
    command = [sys.executable, '-c', script, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.startswith('Files of the module onnxruntime are missing')


@pytest.mark.parametrize(
    'name', ['onnxruntime', 'onnxruntime-gpu', 'onnxruntime-openvino', 'onnxruntime-directml']
)
def test_one_runtime_is_no_conflict(tmp_path, name):
    assert conflicts(tmp_path, {name: '1.28.0', 'openvino': '2026.1.0'}) == []


def test_no_runtime_is_no_conflict(tmp_path):
    assert conflicts(tmp_path, {}) == []


def test_two_runtimes_are_named_with_the_commands_that_keep_one(tmp_path):
    packages = {'onnxruntime': '1.30.0', 'onnxruntime-gpu': '1.28.0'}
    assert conflicts(tmp_path, packages) == [
        'onnxruntime 1.30.0 and onnxruntime-gpu 1.28.0 are both installed and overwrite the '
        'module onnxruntime: run "pip uninstall -y onnxruntime onnxruntime-gpu", then '
        '"pip install \'hydranet_ros[gpu]\'" to keep onnxruntime-gpu.'
    ]


def test_every_pair_of_three_runtimes_is_named_and_all_are_removed(tmp_path):
    packages = {'onnxruntime': '1', 'onnxruntime-openvino': '2', 'onnxruntime-directml': '3'}
    found = conflicts(tmp_path, packages)
    remove = 'pip uninstall -y onnxruntime onnxruntime-openvino onnxruntime-directml'
    assert len(found) == 3
    assert all(remove in text and "'hydranet_ros[cpu]'" in text for text in found)
