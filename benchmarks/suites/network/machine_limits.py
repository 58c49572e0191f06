"""
Measured limits of the machine: float32 operations per second and memory bandwidth.

They are measured because a shared, throttled or virtual core does not reach its data sheet. The
peak is the fastest matrix product of ONNX Runtime, PyTorch and NumPy.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import numpy as np

GEMM_SIZES = (1024, 1536, 2048)
WORKING_SETS = (1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28)
_TRIALS = 3


@dataclass(frozen=True)
class Gemm:
    """A square float32 matrix product; ``call`` runs 2 * size^3 operations."""

    name: str
    size: int
    call: Callable[[], object]

    @property
    def gflop(self) -> float:
        """Return 1e9 operations of a call; a multiply-add counts as two."""
        return 2 * self.size**3 / 1e9


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Set the number of threads of PyTorch within a block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def best_gemms(threads: int, sizes: tuple[int, ...] = GEMM_SIZES) -> list[Gemm]:
    """
    Return the matrix product of each library at its fastest size, fastest library first.

    NumPy is left out unless its threads can be set (threadpoolctl) or already match.
    """
    best = []
    for library in (_onnxruntime, _torch, _numpy):
        timed = [(gemm.gflop / _shortest(gemm.call), gemm) for gemm in library(threads, sizes)]
        if timed:
            best.append(max(timed, key=lambda item: item[0]))
    return [gemm for _, gemm in sorted(best, key=lambda item: -item[0])]


def _shortest(call: Callable[[], object], trials: int = _TRIALS) -> float:
    call()
    took = []
    for _ in range(trials):
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
    return min(took)


def _matrices(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(size)
    a, b = (rng.standard_normal((size, size), np.float32) for _ in range(2))
    return a, b, np.empty((size, size), np.float32)


def _onnxruntime(threads: int, sizes: tuple[int, ...]) -> Iterator[Gemm]:
    """Yield products with a constant right matrix, which is packed in advance like weights."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    for size in sizes:
        a, b, _ = _matrices(size)
        shape = [size, size]
        graph = helper.make_graph(
            [helper.make_node('MatMul', ['a', 'b'], ['c'])],
            'gemm',
            [helper.make_tensor_value_info('a', TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info('c', TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(b, 'b')],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8
        ).SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
        yield Gemm('ONNX Runtime', size, partial(session.run, None, {'a': a}))


def _torch(threads: int, sizes: tuple[int, ...]) -> Iterator[Gemm]:
    import torch

    for size in sizes:
        a, b, c = (torch.from_numpy(item) for item in _matrices(size))

        def call(a: torch.Tensor = a, b: torch.Tensor = b, c: torch.Tensor = c) -> None:
            with torch_threads(threads):
                torch.mm(a, b, out=c)

        yield Gemm('PyTorch', size, call)


def _numpy(threads: int, sizes: tuple[int, ...]) -> Iterator[Gemm]:
    limits = None
    with suppress(ImportError):
        from threadpoolctl import ThreadpoolController

        limits = ThreadpoolController()
    if limits is None and threads != os.cpu_count():
        return
    for size in sizes:
        a, b, c = _matrices(size)

        def call(a: np.ndarray = a, b: np.ndarray = b, c: np.ndarray = c) -> None:
            if limits is None:
                np.matmul(a, b, out=c)
            else:
                with limits.limit(limits=threads, user_api='blas'):
                    np.matmul(a, b, out=c)

        yield Gemm('NumPy', size, call)


@dataclass(frozen=True)
class Bandwidth:
    """
    Bytes per second of adding two arrays into a third, by the size of the working set.

    A small set fits a cache, so a tensor is compared with the bandwidth of its own size.
    """

    by_bytes: Mapping[int, float]

    def at(self, size: float) -> float:
        """Return the bandwidth of a working set of this size, interpolated."""
        sizes = sorted(self.by_bytes)
        rates = [self.by_bytes[item] for item in sizes]
        return float(np.interp(np.log(max(size, 1.0)), np.log(sizes), rates))

    @property
    def memory(self) -> float:
        """Return the bandwidth of the largest set, which fits no cache."""
        return self.by_bytes[max(self.by_bytes)]


def measure_bandwidth(threads: int, sets: tuple[int, ...] = WORKING_SETS) -> Bandwidth:
    """Measure ``a + b -> c`` in float32; the best of several trials for each size."""
    import torch

    found = {}
    with torch_threads(threads):
        for size in sets:
            a, b, c = (torch.ones(size // 12) for _ in range(3))
            calls = max(1, (1 << 26) // size)

            def add(
                a: torch.Tensor = a, b: torch.Tensor = b, c: torch.Tensor = c, calls: int = calls
            ) -> None:
                for _ in range(calls):
                    torch.add(a, b, out=c)

            found[size] = 12 * (size // 12) * calls / _shortest(add)
    return Bandwidth(found)
