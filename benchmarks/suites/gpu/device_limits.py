"""Measured limits of a GPU: arithmetic rates by precision, memory and copy bandwidth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

WIDTHS = {'float32': 4, 'float16': 2, 'bfloat16': 2}
"""Bytes of a value by precision."""
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
            torch.randn(_GEMM_SIZE, _GEMM_SIZE, device='cuda', dtype=getattr(torch, precision))
            for _ in range(2)
        )
        out = torch.empty_like(a)
        flops[precision] = 2 * _GEMM_SIZE**3 / _seconds(lambda: torch.mm(a, b, out=out))  # noqa: B023
    source = torch.empty(_COPY_BYTES, dtype=torch.uint8, device='cuda')
    target = torch.empty_like(source)
    memory = 2 * _COPY_BYTES / _seconds(lambda: target.copy_(source))
    pinned = torch.empty(_COPY_BYTES // 8, dtype=torch.uint8).pin_memory()
    part = target[: _COPY_BYTES // 8]
    copy = (_COPY_BYTES // 8) / _seconds(lambda: part.copy_(pinned, non_blocking=True))
    return DeviceLimits(flops, memory, copy)


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
