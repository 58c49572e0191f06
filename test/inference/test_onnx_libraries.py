"""Loading of the libraries of CUDA and TensorRT, with libraries compiled for the test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.nvidia import driver_loads
from hydranet_ros.inference.onnx_libraries import load_tensorrt, preload_cuda, tensorrt_major


def compile_library(path: Path) -> Path:
    compiler = shutil.which('gcc') or shutil.which('cc')
    if compiler is None:
        pytest.skip('no C compiler: apt install gcc')
    source = path.with_suffix('.c')
    source.write_text('int library;', encoding='utf-8')
    name = f'-Wl,-soname,{path.name}'
    subprocess.run([compiler, '-shared', '-fPIC', name, '-o', path, source], check=True)
    return path


def test_the_version_of_tensorrt_is_the_one_that_the_provider_needs(tmp_path):
    provider = tmp_path / 'provider.so'
    provider.write_bytes(b'\x7fELF\x00libcudart.so.13\x00libnvinfer.so.42\x00libc.so.6\x00')
    assert tensorrt_major(provider) == 42
    provider.write_bytes(b'nothing')
    assert tensorrt_major(provider) == tensorrt_major(tmp_path / 'missing.so') == 10


def test_a_library_that_does_not_load_is_named_with_the_remedy(tmp_path):
    (tmp_path / f'libnvinfer.so.{tensorrt_major()}').write_bytes(b'not a library')
    with pytest.raises(ProviderError, match=r'libnvinfer\.so\.\d+ does not load: .*\[tensorrt\]'):
        load_tensorrt(tmp_path)


def test_libraries_of_a_folder_are_loaded(tmp_path):
    for name in ('libnvinfer', 'libnvonnxparser'):
        compile_library(tmp_path / f'{name}.so.{tensorrt_major()}')
    script = (
        'from pathlib import Path; import ctypes, sys\n'
        'from hydranet_ros.inference.onnx_libraries import load_tensorrt, tensorrt_major\n'
        'load_tensorrt(Path(sys.argv[1]))\n'
        "ctypes.CDLL(f'libnvinfer.so.{tensorrt_major()}')\n"
    )
    subprocess.run([sys.executable, '-c', script, tmp_path], check=True, timeout=60)


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
