"""The cache folder of TensorRT engines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hydranet_ros.inference.nvidia import gpu_name
from hydranet_ros.inference.tensorrt_cache import (
    discard_engines,
    engine_folder,
    engines_are_intact,
    prepare_folder,
    record_engines,
    tensorrt_version,
)


def test_the_same_model_and_precision_have_the_same_folder(tmp_path: Path):
    first = engine_folder(b'model', tmp_path, precision='float32')
    assert first.parent == tmp_path and not first.exists()
    assert engine_folder(b'model', tmp_path, precision='float32') == first


def test_another_model_or_precision_has_another_folder(tmp_path: Path):
    folders = {
        engine_folder(model, tmp_path, precision=precision)
        for model in (b'a', b'b') for precision in ('float32', 'float16')
    }  # fmt: skip
    assert len(folders) == 4


def test_each_image_size_has_its_own_folder(tmp_path: Path):
    sizes = (None, (375, 1242), (480, 640))
    folders = {engine_folder(b'a', tmp_path, precision='float32', size=size) for size in sizes}
    assert len(folders) == 3 and any(folder.name.endswith('1242x375') for folder in folders)


def test_the_name_contains_the_gpu_and_the_versions(tmp_path: Path):
    name = engine_folder(b'model', tmp_path, precision='float16', runtime='1.31.1').name
    assert f'trt{tensorrt_version()}_ort1.31.1_float16' in name
    assert ('no-gpu' in name) == (gpu_name() == '')
    assert name == name.replace('/', '').replace(' ', '')


def test_the_default_is_the_user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert engine_folder(b'model', None, precision='float32').is_relative_to(
        tmp_path / 'hydranet_ros'
    )


def make_engine(folder: Path, content: bytes = b'engine') -> Path:
    """Write a complete engine, as a session leaves it."""
    assert prepare_folder(folder)
    path = folder / 'TensorrtExecutionProvider_graph_1_0_0_fp16_sm90.engine'
    path.write_bytes(content)
    (folder / 'TensorrtExecutionProvider_cache_sm90.timing').write_bytes(b'times')
    record_engines(folder)
    return path


def test_a_folder_that_cannot_be_created_gives_no_cache_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / 'file').touch()
    for name in ('one', 'two'):
        assert not prepare_folder(tmp_path / 'file' / name)
    (record,) = caplog.records
    assert 'engine_cache' in record.getMessage()
    assert str(tmp_path / 'file') in record.getMessage()


def test_a_folder_that_cannot_be_written_gives_no_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    if os.geteuid() == 0:
        pytest.skip('root may write everywhere')
    tmp_path.chmod(0o500)
    assert not prepare_folder(tmp_path / 'new')
    assert 'are not kept' in caplog.text


def test_a_full_disk_gives_no_cache_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert not prepare_folder(tmp_path / 'new', free_bytes=1 << 60)
    assert 'MiB free' in caplog.text and 'are not kept' in caplog.text


def test_a_new_folder_is_empty(tmp_path: Path):
    assert prepare_folder(tmp_path / 'new')
    assert list((tmp_path / 'new').iterdir()) == []


def test_an_intact_engine_is_kept_and_needs_neither_space_nor_permission(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    engine = make_engine(tmp_path / 'new')
    before = sorted(engine.parent.iterdir())
    engine.parent.chmod(0o500)
    assert engines_are_intact(engine.parent)
    assert prepare_folder(engine.parent, free_bytes=1 << 60)
    record_engines(engine.parent)
    assert sorted(engine.parent.iterdir()) == before and not caplog.records


@pytest.mark.parametrize(
    'damage',
    [lambda path: path.write_bytes(b'enginf'), lambda path: path.write_bytes(b''),
     lambda path: path.write_bytes(b'engine' * 2), lambda path: path.unlink(),
     lambda path: path.with_name('stale.engine').write_bytes(b'engine'),
     lambda path: path.with_name('checksums.json').write_bytes(b'{'),
     lambda path: path.with_name('checksums.json').unlink()],
    ids=['bit', 'empty', 'longer', 'missing', 'unknown', 'checksums', 'not recorded'],
)  # fmt: skip
def test_a_damaged_engine_is_deleted_before_it_is_loaded(tmp_path: Path, damage):
    engine = make_engine(tmp_path / 'new')
    damage(engine)
    assert not engines_are_intact(engine.parent)
    assert prepare_folder(engine.parent)
    assert not list(engine.parent.glob('*.engine'))
    make_engine(engine.parent)
    assert engines_are_intact(engine.parent)


def test_a_damaged_engine_that_cannot_be_deleted_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    engine = make_engine(tmp_path / 'new')
    engine.write_bytes(b'damaged')

    def refuse(path: Path) -> None:
        raise PermissionError(f'not permitted: {path}')

    monkeypatch.setattr(Path, 'unlink', refuse)
    assert not prepare_folder(engine.parent)
    assert 'a damaged engine cannot be deleted' in caplog.text


def test_an_engine_that_was_built_again_has_new_checksums(tmp_path: Path):
    engine = make_engine(tmp_path / 'new')
    engine.write_bytes(b'built by another process')
    record_engines(engine.parent)
    assert engines_are_intact(engine.parent)


def test_deleting_tells_whether_there_was_anything(tmp_path: Path):
    assert not discard_engines(tmp_path / 'nowhere')
    folder = make_engine(tmp_path / 'new').parent
    assert discard_engines(folder) and not discard_engines(folder)
    record_engines(folder)
    assert list(folder.iterdir()) == []
