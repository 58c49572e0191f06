"""Loading of the libraries of CUDA and TensorRT, with libraries compiled for the test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hydranet_ros.inference.nvidia import driver_loads
from hydranet_ros.inference.onnx_libraries import missing_library, preload_cuda


def compile_library(path: Path, *needs: Path) -> Path:
    compiler = shutil.which('gcc') or shutil.which('cc')
    if compiler is None:
        pytest.skip('no C compiler: apt install gcc')
    path.parent.mkdir(exist_ok=True)
    source = path.with_suffix('.c')
    source.write_text('int library;', encoding='utf-8')
    options = ['-shared', '-fPIC', '-Wl,--no-as-needed', f'-Wl,-soname,{path.name}']
    subprocess.run([compiler, *options, '-o', path, source, *needs], check=True)
    return path


def compile_provider(folder: Path) -> Path:
    """Return a library that needs a libnvinfer beside it."""
    return compile_library(folder / 'p.so', compile_library(folder / 'libnvinfer.so.10'))


def test_a_library_that_does_not_load_is_named_with_the_remedy(tmp_path):
    provider = compile_provider(tmp_path)
    (tmp_path / 'libnvinfer.so.10').unlink()
    text = missing_library('tensorrt', provider)
    assert text.startswith('the library libnvinfer.so.10 does not load (')
    assert text.endswith("To install it: pip install 'hydranet_ros[tensorrt]'")
    other = compile_library(tmp_path / 'q.so', compile_library(tmp_path / 'libcublas.so.99'))
    (tmp_path / 'libcublas.so.99').unlink()
    assert missing_library('cuda', other).endswith("pip install 'hydranet_ros[gpu]'")


def test_a_provider_that_is_not_installed_needs_nothing(tmp_path):
    assert missing_library('cuda', tmp_path / 'missing.so') is None


def test_the_libraries_of_the_package_of_pip_are_loaded(tmp_path):
    provider = compile_provider(tmp_path / 'tensorrt_libs')
    (tmp_path / 'tensorrt_libs' / '__init__.py').write_text('loaded = True')
    script = (
        'import sys, ctypes; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n'
        'from hydranet_ros.inference.onnx_libraries import missing_library\n'
        "assert missing_library('tensorrt', Path(sys.argv[2])) is None\n"
        "assert sys.modules['tensorrt_libs'].loaded\n"
        "ctypes.CDLL('libnvinfer.so.10')\n"
    )
    subprocess.run([sys.executable, '-c', script, tmp_path, provider], check=True, timeout=60)


def test_the_compiler_of_pip_finds_the_library_that_it_opens_by_name(tmp_path):
    folder = tmp_path / 'nvidia' / 'cu13' / 'lib'
    folder.mkdir(parents=True)
    names = ['libnvrtc-builtins.so.13.0', 'libnvrtc.so.13']
    for name in (*names, 'libnvrtc.alt.so.13', 'libcufft.so.12'):
        compile_library(folder / name)
    script = (
        'import sys, ctypes; sys.path.insert(0, sys.argv[1])\n'
        'from hydranet_ros.inference.onnx_libraries import load_compiler\n'
        'print(*load_compiler())\n'
        "ctypes.CDLL('libnvrtc-builtins.so.13.0')\n"
    )
    run = subprocess.run(
        [sys.executable, '-c', script, tmp_path], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert set(names) <= set(run.stdout.split())
    assert 'libnvrtc.alt.so.13' not in run.stdout and 'libcufft' not in run.stdout


def test_a_broken_library_of_the_compiler_is_left_out(tmp_path):
    folder = tmp_path / 'nvidia' / 'cuda_nvrtc' / 'lib'
    folder.mkdir(parents=True)
    (folder / 'libnvrtc-builtins.so.12.99').write_bytes(b'no library')
    script = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from hydranet_ros.inference.onnx_libraries import load_compiler\n'
        'print(*load_compiler())\n'
    )
    run = subprocess.run(
        [sys.executable, '-c', script, tmp_path], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0 and 'libnvrtc-builtins.so.12.99' not in run.stdout, run.stderr


class Runtime:
    """A module that prints a failure as onnxruntime does."""

    def __init__(self) -> None:
        self.calls = 0

    def preload_dlls(self) -> None:
        self.calls += 1
        print('Failed to load libcublas.so.13: no such file')


def test_libraries_are_loaded_once_where_there_is_a_driver(monkeypatch, capsys):
    monkeypatch.setattr('hydranet_ros.inference.onnx_libraries.driver_loads', lambda: True)
    runtime = Runtime()
    for _ in range(2):
        assert preload_cuda(runtime) == ('Failed to load libcublas.so.13: no such file',)
    assert runtime.calls == 1 and capsys.readouterr().out == ''


def test_without_a_driver_nothing_is_loaded():
    if driver_loads():
        pytest.skip('there is a driver')
    runtime = Runtime()
    assert preload_cuda(runtime) == () and runtime.calls == 0
