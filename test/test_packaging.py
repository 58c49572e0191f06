"""The extras of the installed package: their markers, and that pip can resolve them."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hydranet_ros.inference.installed import RUNTIMES

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ('3.10', '3.11', '3.12', '3.13')
EXTRAS = ('cpu', 'openvino', 'gpu', 'tensorrt')


def packages(extra: str, python: str, tmp_path: Path) -> dict[str, Requirement]:
    """Return what the extra of this checkout adds on this version of Python."""
    environment = {'python_version': python, 'python_full_version': f'{python}.0', 'extra': extra}
    without = {**environment, 'extra': ''}
    found = {}
    for text in metadata(tmp_path):
        item = Requirement(text)
        if item.marker and item.marker.evaluate(environment) and not item.marker.evaluate(without):
            assert item.name not in found, f'{item.name} is listed twice for Python {python}'
            found[item.name] = item
    return found


def metadata(tmp_path: Path) -> list[str]:
    command = [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', str(tmp_path)]
    if not (tmp_path / 'hydranet_ros.egg-info').is_dir():
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    sys.path.insert(0, str(tmp_path))
    try:
        return requires('hydranet_ros') or []
    finally:
        sys.path.remove(str(tmp_path))


@pytest.mark.parametrize('python', PYTHONS)
@pytest.mark.parametrize('extra', EXTRAS)
def test_an_extra_has_at_most_one_runtime(tmp_path, extra, python):
    runtimes = set(packages(extra, python, tmp_path)) & set(RUNTIMES)
    expected = {'gpu': {'onnxruntime-gpu'}, 'tensorrt': set()}.get(extra, {'onnxruntime'})
    assert runtimes == expected


@pytest.mark.parametrize('python', PYTHONS)
def test_every_python_gets_the_packages_of_one_version_of_cuda(tmp_path, python):
    names = {*packages('gpu', python, tmp_path), *packages('tensorrt', python, tmp_path)}
    cuda_12 = {'cupy-cuda12x', 'nvidia-cuda-nvrtc-cu12', 'tensorrt-cu12'}
    cuda_13 = {'cupy-cuda13x', 'nvidia-cuda-nvrtc', 'tensorrt-cu13'}
    assert names - {'onnxruntime-gpu'} == (cuda_12 if python == '3.10' else cuda_13)


@pytest.mark.parametrize('python', PYTHONS)
def test_the_runtime_uses_the_same_cuda_as_cupy(tmp_path, python):
    runtime = packages('gpu', python, tmp_path)['onnxruntime-gpu']
    assert runtime.extras == {'cuda', 'cudnn'}
    # Wheels use CUDA 12 up to 1.26 and CUDA 13 from 1.27 on.
    assert runtime.specifier.contains('1.23.2') == (python == '3.10')
    assert runtime.specifier.contains('1.31.1') == (python != '3.10')
    assert not runtime.specifier.contains('1.26.0')


@pytest.mark.parametrize('python', PYTHONS)
def test_cupy_may_be_a_version_for_numpy_1(tmp_path, python):
    found = packages('gpu', python, tmp_path)
    cupy = next(item for name, item in found.items() if name.startswith('cupy'))
    assert cupy.specifier.contains('13.6.0')
    assert cupy.specifier.contains('14.2.0')


@pytest.mark.slow
def test_pip_resolves_the_extras_for_this_python():
    python = f'{sys.version_info.major}.{sys.version_info.minor}'
    command = [sys.executable, 'scripts/check_extras.py', '--python', python]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
