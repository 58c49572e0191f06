"""Settings of glibc's allocator for processes that receive large messages."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# Parameters of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MMAP_THRESHOLD = 256 * 1024 * 1024


def keep_freed_memory() -> None:
    """
    Let glibc keep freed blocks of an image's size instead of returning them to the kernel.

    By default each received message is mapped and page-faulted anew, which takes several times as
    long as the copy itself. Without glibc this does nothing.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL('libc.so.6')
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * _MMAP_THRESHOLD - 1)


def release_memory() -> None:
    """Return freed memory to the kernel, for example after a model has been loaded."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL('libc.so.6').malloc_trim(0)
