"""Segments of ended processes are reclaimed, those of running processes are kept."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from hydranet_ros.ros import shared_memory as module
from hydranet_ros.ros.shared_memory import (
    SHARED_MEMORY,
    free_bytes,
    reclaim_segments,
    shared_memory_problem,
)

SEGMENT, OTHER = 'fastdds_0123456789abcdef', 'fastdds_fedcba9876543210'
KIB = 1024


def write(folder: Path, *names: str, size: int = 4096) -> None:
    for name in names:
        (folder / name).write_bytes(bytes(size))


@contextmanager
def locked(path: Path):
    """Hold a lock file as Fast DDS does."""
    with path.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_folder_is_the_one_that_fast_dds_uses():
    assert Path('/dev/shm') == SHARED_MEMORY


def test_an_abandoned_segment_is_removed_with_its_lock_file(tmp_path):
    write(tmp_path, SEGMENT, OTHER, size=8192)
    write(tmp_path, f'{SEGMENT}_el', f'{OTHER}_el', size=0)
    assert reclaim_segments(tmp_path) == 2 * 8192
    assert names(tmp_path) == set()


def test_the_segment_of_a_running_process_is_kept_and_the_others_are_removed(tmp_path):
    write(tmp_path, SEGMENT, f'{SEGMENT}_el', OTHER, f'{OTHER}_el')
    with locked(tmp_path / f'{SEGMENT}_el'):
        assert reclaim_segments(tmp_path) == 4096
        assert names(tmp_path) == {SEGMENT, f'{SEGMENT}_el'}
    assert reclaim_segments(tmp_path) == 4096


@pytest.mark.parametrize(
    'name',
    ['fastdds_port7400', 'sem.fastdds_port7400_mutex', 'other', 'fastdds_0123456789abcde',
     'fastdds_0123456789abcdef0', 'fastdds_0123456789ABCDEF', 'xfastdds_0123456789abcdef'],
)  # fmt: skip
def test_other_files_are_kept(tmp_path, name):
    write(tmp_path, name, f'{name}_el')
    assert reclaim_segments(tmp_path) == 0
    assert names(tmp_path) == {name, f'{name}_el'}


def test_a_segment_without_a_lock_file_is_kept(tmp_path):
    write(tmp_path, SEGMENT, f'{OTHER}_el')
    assert reclaim_segments(tmp_path) == 0
    assert names(tmp_path) == {SEGMENT, f'{OTHER}_el'}


def test_a_link_in_place_of_a_lock_file_is_not_followed(tmp_path):
    write(tmp_path, SEGMENT, 'target')
    (tmp_path / f'{SEGMENT}_el').symlink_to(tmp_path / 'target')
    assert reclaim_segments(tmp_path) == 0
    assert SEGMENT in names(tmp_path)


def test_a_pipe_in_place_of_a_lock_file_does_not_block(tmp_path):
    write(tmp_path, SEGMENT)
    os.mkfifo(tmp_path / f'{SEGMENT}_el')
    reclaim_segments(tmp_path)


def test_no_file_stays_open(tmp_path):
    write(tmp_path, SEGMENT, f'{SEGMENT}_el', OTHER, f'{OTHER}_el')
    before = len(os.listdir('/proc/self/fd'))
    with locked(tmp_path / f'{OTHER}_el'):
        reclaim_segments(tmp_path)
        reclaim_segments(tmp_path)
    assert len(os.listdir('/proc/self/fd')) == before


def test_a_missing_folder_has_no_segments_and_no_free_bytes(tmp_path):
    assert reclaim_segments(tmp_path / 'none') == 0
    assert free_bytes(tmp_path / 'none') == 0


def set_free(monkeypatch, *free: int) -> None:
    """Let statvfs report these free bytes, one after the other, then the last again."""
    values = list(free)

    def statvfs(folder):
        value = values.pop(0) if len(values) > 1 else values[0]
        return SimpleNamespace(f_bavail=value // 512, f_frsize=512, f_bfree=10**9, f_bsize=1)

    monkeypatch.setattr(module.os, 'statvfs', statvfs)


def test_free_bytes_are_those_for_unprivileged_users(monkeypatch, tmp_path):
    set_free(monkeypatch, 12 * KIB)
    assert free_bytes(tmp_path) == 12 * KIB


@pytest.mark.parametrize(
    ('free', 'problem'), [(65 * KIB, False), (64 * KIB, False), (64 * KIB - 512, True)]
)
def test_less_than_64_kib_are_too_little(monkeypatch, tmp_path, free, problem):
    set_free(monkeypatch, free)
    assert bool(shared_memory_problem(tmp_path)) is problem


def test_the_problem_is_one_line_with_the_remedy(monkeypatch, tmp_path):
    set_free(monkeypatch, 12 * KIB + 512)
    assert shared_memory_problem(tmp_path) == (
        f'{tmp_path} has only 12 KiB free; ROS 2 needs at least 64 KiB to start. Remove files '
        f'from {tmp_path} or make it larger (for example, docker run --shm-size=1g).'
    )


@pytest.mark.parametrize('free', [64 * KIB, 65 * KIB])
def test_segments_are_reclaimed_before_the_memory_is_too_little(monkeypatch, tmp_path, free):
    write(tmp_path, SEGMENT, f'{SEGMENT}_el')
    set_free(monkeypatch, 0, free)
    assert shared_memory_problem(tmp_path) == ''
    assert names(tmp_path) == set()


@pytest.mark.parametrize('free', [64 * KIB, 65 * KIB])
def test_with_enough_memory_nothing_is_reclaimed(monkeypatch, tmp_path, free):
    write(tmp_path, SEGMENT, f'{SEGMENT}_el')
    set_free(monkeypatch, free)
    assert shared_memory_problem(tmp_path) == ''
    assert names(tmp_path) == {SEGMENT, f'{SEGMENT}_el'}


@pytest.mark.parametrize(
    ('files', 'size', 'problem'), [(3, 1, False), (2, 1, False), (1, 1, True), (2, 0, True)]
)
def test_two_pages_of_an_earlier_process_are_enough(monkeypatch, tmp_path, files, size, problem):
    for index in range(files):
        write(tmp_path, f'lttng-ust-wait-{index}', size=size)
    set_free(monkeypatch, 0)
    assert bool(shared_memory_problem(tmp_path)) is problem


def test_a_system_without_shared_memory_has_no_problem(monkeypatch, tmp_path):
    set_free(monkeypatch, 0)
    assert shared_memory_problem(tmp_path / 'none') == ''
