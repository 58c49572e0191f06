"""Measured limits of a GPU: arithmetic rates by precision, memory and copy bandwidth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

WIDTHS = {'float32': 4, 'tf32': 4, 'float16': 2, 'bfloat16': 2}
"""Bytes of a value by precision; TF32 is float32 with products of 10 bits of mantissa."""
_GEMM_SIZE = 8192
_COPY_BYTES = 1 << 30


@dataclass(frozen=True)
class DeviceLimits:
    """Operations per second by precision; bytes per second of memory and of host copies."""

    flops: Mapping[str, float]
    memory: float
    copy: float


def device_limits() -> DeviceLimits:
    """Measure matrix products by precision, a copy within the device and a copy to it."""
    import torch

    flops = {}
    for precision in WIDTHS:
        a, b = (
            torch.randn(_GEMM_SIZE, _GEMM_SIZE, device='cuda', dtype=torch_type(precision))
            for _ in range(2)
        )
        out = torch.empty_like(a)
        with tf32(precision == 'tf32'):
            seconds = _seconds(lambda: torch.mm(a, b, out=out))  # noqa: B023
        flops[precision] = 2 * _GEMM_SIZE**3 / seconds
    source = torch.empty(_COPY_BYTES, dtype=torch.uint8, device='cuda')
    target = torch.empty_like(source)
    memory = 2 * _COPY_BYTES / _seconds(lambda: target.copy_(source))
    pinned = torch.empty(_COPY_BYTES // 8, dtype=torch.uint8).pin_memory()
    part = target[: _COPY_BYTES // 8]
    copy = (_COPY_BYTES // 8) / _seconds(lambda: part.copy_(pinned, non_blocking=True))
    return DeviceLimits(flops, memory, copy)


def torch_type(precision: str) -> torch.dtype:
    """Return the type in which PyTorch stores values of a precision."""
    import torch

    return torch.float32 if precision == 'tf32' else getattr(torch, precision)


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let PyTorch use TF32 for float32, or not; afterwards it does not."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def tf32_is_off() -> bool:
    """Return whether the environment switches TF32 off in all libraries of NVIDIA."""
    return os.environ.get('NVIDIA_TF32_OVERRIDE') == '0'


def _seconds(call: Callable[[], object], trials: int = 10) -> float:
    """Return the shortest device time of several calls, in seconds."""
    import torch

    took = []
    for _ in range(trials + 2):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        took.append(begin.elapsed_time(end) / 1e3)
    return min(took[2:])
