"""The cache folder of TensorRT engines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hydranet_ros.inference.nvidia import gpu_name
from hydranet_ros.inference.tensorrt_cache import cache_folder, tensorrt_version


def test_the_same_model_and_precision_have_the_same_folder(tmp_path: Path):
    first = cache_folder(b'model', tmp_path, precision='float32')
    assert first.is_dir() and first.parent == tmp_path
    assert cache_folder(b'model', tmp_path, precision='float32') == first


def test_another_model_or_precision_has_another_folder(tmp_path: Path):
    folders = {
        cache_folder(model, tmp_path, precision=precision)
        for model in (b'a', b'b') for precision in ('float32', 'float16')
    }  # fmt: skip
    assert len(folders) == 4


def test_each_image_size_has_its_own_folder(tmp_path: Path):
    sizes = (None, (375, 1242), (480, 640))
    folders = {cache_folder(b'a', tmp_path, precision='float32', size=size) for size in sizes}
    assert len(folders) == 3 and any(folder.name.endswith('1242x375') for folder in folders)


def test_the_name_contains_the_gpu_and_the_versions(tmp_path: Path):
    name = cache_folder(b'model', tmp_path, precision='float16', runtime='1.31.1').name
    assert f'trt{tensorrt_version()}_ort1.31.1_float16' in name
    assert ('no-gpu' in name) == (gpu_name() == '')
    assert name == name.replace('/', '').replace(' ', '')


def test_the_default_is_the_user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert cache_folder(b'model', None, precision='float32').is_relative_to(
        tmp_path / 'hydranet_ros'
    )


def test_a_folder_that_cannot_be_created_gives_no_cache_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / 'file').touch()
    for model in (b'one', b'two'):
        assert cache_folder(model, tmp_path / 'file', precision='float32') is None
    (record,) = caplog.records
    assert 'engine_cache' in record.getMessage()
    assert str(tmp_path / 'file') in record.getMessage()


def test_a_folder_that_cannot_be_written_gives_no_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    if os.geteuid() == 0:
        pytest.skip('root may write everywhere')
    tmp_path.chmod(0o500)
    assert cache_folder(b'model', tmp_path, precision='float32') is None
    assert 'are not kept' in caplog.text


def test_a_full_disk_gives_no_cache_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert cache_folder(b'model', tmp_path, precision='float32', free_bytes=1 << 60) is None
    assert 'MiB free' in caplog.text and 'are not kept' in caplog.text


def test_a_probe_leaves_no_file(tmp_path: Path):
    folder = cache_folder(b'model', tmp_path, precision='float32')
    assert list(folder.iterdir()) == []
