"""glibc keeps freed blocks of an image's size, and returns memory on request."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
from conftest import ROOT

from hydranet_ros.ros import allocator
from hydranet_ros.ros.allocator import keep_freed_memory, release_memory

glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='mallopt and malloc_trim belong to glibc'
)
PAGE_FAULTS = """
import resource, sys
import numpy as np
from hydranet_ros.ros.allocator import keep_freed_memory
if sys.argv[1] == 'keep':
    keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(int(sys.argv[2]) << 20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
RESIDENT = """
import os
from pathlib import Path
from hydranet_ros.ros.allocator import keep_freed_memory, release_memory
def resident():
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')
keep_freed_memory()
blocks = [bytes(50_000) for _ in range(2000)]
del blocks
before = resident()
release_memory()
print(before - resident())
"""


def printed(code: str, *arguments: object) -> int:
    """Run code in a process of its own; return the number it prints."""
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)], capture_output=True, text=True,
        cwd=ROOT, check=True,
    )  # fmt: skip
    return int(done.stdout)


@glibc
def test_blocks_of_80_mib_are_not_page_faulted_anew():
    default, kept = (printed(PAGE_FAULTS, how, 80) for how in ('default', 'keep'))
    assert kept < default / 5, (default, kept)


@glibc
def test_freed_memory_is_returned_to_the_kernel():
    """100 MB of small blocks are freed; part of the last one may stay in use."""
    assert printed(RESIDENT) > 50e6


class Libc:
    """Records the calls to a C library."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def mallopt(self, *arguments: int) -> None:
        self.calls.append(('mallopt', *arguments))

    def malloc_trim(self, *arguments: int) -> None:
        self.calls.append(('malloc_trim', *arguments))


def test_the_thresholds_are_those_of_mallopt(monkeypatch):
    """The trim threshold is an int, so that it must stay below 512 MiB."""
    libc, names = Libc(), []
    monkeypatch.setattr(allocator.ctypes, 'CDLL', lambda name: names.append(name) or libc)
    keep_freed_memory()
    release_memory()
    mib = 1 << 20
    m_trim_threshold, m_mmap_threshold = -1, -3
    assert libc.calls == [
        ('mallopt', m_mmap_threshold, 256 * mib), ('mallopt', m_trim_threshold, 512 * mib - 1),
        ('malloc_trim', 0),
    ]  # fmt: skip
    assert names == ['libc.so.6', 'libc.so.6']


@pytest.mark.parametrize('error', [OSError, AttributeError])
def test_without_glibc_nothing_happens(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(allocator.ctypes, 'CDLL', fail)
    keep_freed_memory()
    release_memory()
