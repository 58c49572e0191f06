"""
A device in the host's memory, for machines without a GPU.

It runs the kernels of the product, compiled for the CPU, and runs each step only when something
waits for it. So an order that the code did not request never comes about by chance. Steps of one
queue keep their order.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hydranet_ros.inference.gpu.device import Queue
from hydranet_ros.inference.gpu.session import DeviceSession

GUARD = 64
THREADS = 64
SHIM = """
#define __global__
struct Index { int x; };
static Index blockIdx, blockDim, threadIdx;
extern "C" void place(int block, int threads, int thread) {
    blockIdx.x = block; blockDim.x = threads; threadIdx.x = thread;
}
#include "SOURCE"
"""
C_TYPES = {
    np.uint64: ctypes.c_void_p, np.int32: ctypes.c_int, np.float32: ctypes.c_float,
    np.float64: ctypes.c_double,
}  # fmt: skip


def make_host_device(monkeypatch: pytest.MonkeyPatch) -> HostDevice:
    """Return a device whose network runs only when its queue reaches it, as on a GPU."""
    device = HostDevice()
    at_once = DeviceSession.run
    monkeypatch.setattr(
        DeviceSession, 'run', lambda session: device.put(Queue.WORK, lambda: at_once(session))
    )
    return device


@cache
def compile_for_host(kernel: Path) -> ctypes.CDLL:
    """Return a CUDA source file as a library for the CPU; skip without a compiler."""
    compiler = shutil.which('g++') or shutil.which('clang++')
    if compiler is None:
        pytest.skip('no C++ compiler to build the kernel for the host: apt install g++')
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, 'shim.cpp'), Path(folder, 'kernel.so')
        source.write_text(SHIM.replace('SOURCE', str(kernel)), encoding='utf-8')
        command = [compiler, '-std=c++11', '-O1', '-Wall', '-Werror', '-ffp-contract=off',
                   '-shared', '-fPIC', '-o', str(library), str(source)]  # fmt: skip
        subprocess.run(command, check=True, timeout=120)
        return ctypes.CDLL(str(library))


class HostBlock:
    """Bytes followed by guard bytes."""

    def __init__(self, size: int) -> None:
        self.bytes = np.full(size + GUARD, 0xA5, np.uint8)
        self.size = size
        self.ptr = self.bytes.ctypes.data

    @property
    def intact(self) -> bool:
        """Return whether nothing was written beyond the end."""
        return bool((self.bytes[self.size :] == 0xA5).all())


class HostEvent:
    """A point in a queue of the host's device."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.synchronize = run


class HostDevice:
    """A device in host memory; it records copied bytes and pinned arrays."""

    memory = 'cpu'
    number = 0

    def __init__(self) -> None:
        self.work = 0
        self._steps: dict[Queue, list[Callable[[], None] | None]] = {q: [] for q in Queue}
        self._done = dict.fromkeys(Queue, 0)
        self.blocks: list[HostBlock] = []
        self.pinned: dict[int, int] = {}
        self.up = self.down = 0
        self.pages_can_be_locked = True

    def renew(self) -> None:
        self.work += 1
        self._steps[Queue.WORK] = [None] * self._done[Queue.WORK]

    def current(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def allocate(self, size: int) -> HostBlock:
        self.blocks.append(HostBlock(size))
        return self.blocks[-1]

    def compile(self, source: Path, name: str) -> Any:
        library = compile_for_host(source)
        return library, getattr(library, name)

    def pin(self, address: int, size: int) -> None:
        if not self.pages_can_be_locked:
            raise RuntimeError('no page may be locked')
        self.pinned[address] = size

    def unpin(self, address: int) -> None:
        del self.pinned[address]

    def upload(self, target: HostBlock, source: np.ndarray) -> None:
        assert source.flags.c_contiguous and source.nbytes <= target.size
        self.up += source.nbytes
        self.put(Queue.UP, partial(_move, target, target.ptr, source, source.ctypes.data,
                                   source.nbytes))  # fmt: skip

    def copy(self, target: HostBlock, source: HostBlock, size: int) -> None:
        assert size <= min(target.size, source.size)
        self.put(Queue.WORK, partial(_move, target, target.ptr, source, source.ptr, size))

    def download(self, target: np.ndarray, source: HostBlock) -> None:
        assert target.flags.c_contiguous and target.nbytes == source.size
        self.down += target.nbytes
        self.put(Queue.DOWN, partial(_move, target, target.ctypes.data, source, source.ptr,
                                     target.nbytes))  # fmt: skip

    def launch(self, kernel: Any, threads: int, arguments: Sequence[Any]) -> None:
        library, function = kernel
        values = [C_TYPES[type(value)](value.item()) for value in arguments]

        def run() -> None:
            for block in range(-(-threads // THREADS)):
                for thread in range(THREADS):
                    library.place(block, THREADS, thread)
                    function(*values)

        self.put(Queue.WORK, run)

    def order(self, first: Queue, then: Queue) -> None:
        self.put(then, self.record(first).synchronize)

    def record(self, queue: Queue) -> HostEvent:
        return HostEvent(partial(self._run_until, queue, len(self._steps[queue])))

    def put(self, queue: Queue, step: Callable[[], None]) -> None:
        """Add a step to a queue."""
        self._steps[queue].append(step)

    def _run_until(self, queue: Queue, count: int) -> None:
        steps = self._steps[queue]
        while self._done[queue] < count:
            number = self._done[queue]
            self._done[queue] += 1
            step, steps[number] = steps[number], None
            step()


def _move(target: Any, to: int, source: Any, start: int, size: int) -> None:
    """Copy bytes; the owners of both are arguments, so that they live until then."""
    ctypes.memmove(to, start, size)
