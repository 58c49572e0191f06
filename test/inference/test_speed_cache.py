"""Measured times that are kept between two starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydranet_ros.inference.speed_cache import SpeedCache

TIMES = {'openvino bfloat16': 31.5, 'cpu float32': 60.0}


def test_times_are_read_back(tmp_path: Path):
    SpeedCache(tmp_path, ['model', '1.0']).write(TIMES)
    assert SpeedCache(tmp_path, ['model', '1.0']).read(list(TIMES)) == TIMES


@pytest.mark.parametrize('facts', [['other', '1.0'], ['model', '1.1'], ['model'], []])
def test_another_model_or_version_is_measured_again(tmp_path: Path, facts):
    SpeedCache(tmp_path, ['model', '1.0']).write(TIMES)
    assert SpeedCache(tmp_path, facts).read(list(TIMES)) is None


def test_other_candidates_are_measured_again(tmp_path: Path):
    SpeedCache(tmp_path, ['model']).write(TIMES)
    assert SpeedCache(tmp_path, ['model']).read(['cpu float32']) is None
    assert SpeedCache(tmp_path, ['model']).read([*TIMES, 'cuda tf32']) is None


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'{"a": "x"}', b'\xff\xfe', b'null', b'3'])
def test_a_damaged_file_is_measured_again(tmp_path: Path, content: bytes):
    cache = SpeedCache(tmp_path, ['model'])
    cache.write(TIMES)
    cache._path.write_bytes(content)
    assert cache.read(list(TIMES)) is None
    cache.write(TIMES)
    assert cache.read(list(TIMES)) == TIMES


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path):
    blocked = tmp_path / 'file'
    blocked.write_text('')
    cache = SpeedCache(blocked, ['model'])
    cache.write(TIMES)
    assert cache.read(list(TIMES)) is None


def test_the_default_is_the_user_cache(tmp_path: Path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    SpeedCache(None, ['model']).write(TIMES)
    assert len(list((tmp_path / 'hydranet_ros' / 'speed').glob('*.json'))) == 1
