"""
Reclaim shared memory that killed processes left, and check that there is enough to start.

Fast DDS creates three kinds of files in ``/dev/shm``:

- ``fastdds_<16 hex digits>``, the segment of one participant (here 67 MB), and beside it a lock
  file ``..._el``, which the owner creates first and keeps locked with ``flock``;
- ``fastdds_port<number>`` with ``_el`` or ``_sl``, and ``sem.fastdds_port<number>_mutex``, the
  receive queues of 52 kB. Their names repeat, and Fast DDS replaces abandoned ones itself.

Only segments are removed here. This module does not import rclpy, because loading rclpy already
needs shared memory.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path('/dev/shm')
_SEGMENT_NAME = re.compile(r'fastdds_[0-9a-f]{16}')
# rclpy contains LTTng trace points, which map two pages when rclpy is loaded; if there is no room
# for them, the kernel ends the process with SIGBUS.
_TRACE_FILES = 'lttng-ust-wait-*'
_TRACE_FILE_COUNT = 2
_BYTES_TO_START = 64 * 1024


def reclaim_segments(folder: Path = SHARED_MEMORY) -> int:
    """
    Remove the Fast DDS segments whose owner has ended; return the number of bytes freed.

    Segments of running processes are kept, because their lock files are locked. Segments without a
    lock file and files of other users are kept, too.
    """
    freed = 0
    for segment in _segments(folder):
        with suppress(OSError):
            freed += _remove_if_abandoned(segment)
    return freed


def _segments(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if _SEGMENT_NAME.fullmatch(path.name)]
    except OSError:
        return []


def _remove_if_abandoned(segment: Path) -> int:
    """
    Remove a segment and its lock file; return the bytes freed.

    :raises OSError: if the owner is running, or the files are missing or belong to another user.
    """
    lock = segment.with_name(f'{segment.name}_el')
    descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = segment.lstat().st_blocks * 512
        segment.unlink()
        lock.unlink()
    finally:
        os.close(descriptor)
    return size


def free_bytes(folder: Path = SHARED_MEMORY) -> int:
    """Return the free bytes of a folder's file system; 0 if the folder does not exist."""
    try:
        state = os.statvfs(folder)
    except OSError:
        return 0
    return state.f_bavail * state.f_frsize


def shared_memory_problem(folder: Path = SHARED_MEMORY) -> str:
    """
    Return one line if loading rclpy would end the process with SIGBUS, else an empty string.

    Abandoned segments are reclaimed first.
    """
    if not folder.is_dir() or free_bytes(folder) >= _BYTES_TO_START:
        return ''
    reclaim_segments(folder)
    free = free_bytes(folder)
    if free >= _BYTES_TO_START or _trace_files_exist(folder):
        return ''
    return (
        f'{folder} has only {free >> 10} KiB free; ROS 2 needs at least '
        f'{_BYTES_TO_START >> 10} KiB to start. Remove files from {folder} or make it larger '
        '(for example, docker run --shm-size=1g).'
    )


def _trace_files_exist(folder: Path) -> bool:
    """Return whether LTTng's pages exist already, created by an earlier process."""
    with suppress(OSError):
        found = [path for path in folder.glob(_TRACE_FILES) if path.stat().st_blocks]
        return len(found) >= _TRACE_FILE_COUNT
    return False
