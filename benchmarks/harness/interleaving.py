"""Interleaved timing: variants run in turn, so that a disturbance affects all of them alike."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchmarks.harness.processes import cpu_seconds, threads_at_work
from benchmarks.harness.results import Series
from hydranet_ros.errors import BenchError

_PAUSE = 0.005


def interleaved(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 2,
    rest: float = 0.3,
    helpers: Sequence[int] = (),
) -> dict[str, Series]:
    """
    Run all variants once a round and return their times.

    The order within a round is random, with a fixed seed, and no variant directly follows itself
    (its data could still be cached). The garbage collector is off during the rounds.

    :param rest: longest wait in seconds, before each call, for the threads of the previous
        variant. Worker threads keep spinning for 10 ms (PyTorch), 50 ms (ONNX Runtime) or 100 ms
        (OpenBLAS) after their work and would take a core from the next variant.
    :param helpers: ids of processes that work for a variant; the wait includes them.
    :raises BenchError: without a variant or a round.
    """
    if not variants or rounds < 1:
        raise BenchError(
            f'Got {len(variants)} variants and {rounds} rounds; both must be 1 or more.'
        )
    for _ in range(warm_up):
        for call in variants.values():
            call()
    times: dict[str, list[float]] = {name: [] for name in variants}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for names in _orders(list(variants), rounds):
            for name in names:
                settle(rest, helpers)
                begin = time.perf_counter()
                variants[name]()
                times[name].append((time.perf_counter() - begin) * 1e3)
    finally:
        if collecting:
            gc.enable()
    return {name: Series(name, tuple(values)) for name, values in times.items()}


def _orders(names: list[str], rounds: int) -> Iterator[list[str]]:
    """Yield the order of each round; none starts with the last variant of the previous round."""
    dice, last = random.Random(0), None
    for _ in range(rounds):
        order = dice.sample(names, len(names))
        while len(names) > 1 and order[0] == last:
            order = dice.sample(names, len(names))
        last = order[-1]
        yield order


def settle(limit: float, helpers: Sequence[int]) -> None:
    """
    Wait, at most ``limit`` seconds, until this process and its helpers are idle.

    Idle means: no CPU time is used, and no thread waits for a core.
    """
    processes = (os.getpid(), *helpers)

    def used() -> float:
        return sum(map(cpu_seconds, processes))

    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = used()
        time.sleep(_PAUSE)
        if used() - before < _PAUSE / 5 and not any(map(threads_at_work, processes)):
            return
