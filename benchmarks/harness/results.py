"""What a part of the benchmark gets and gives: options, times, ratios, tables, figures."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.suites.processes import cpu_seconds, threads_at_work
from hydranet_ros.errors import BenchError

_PAUSE = 0.005

Figure = float | str | None
"""A value of a part's JSON object; ``None`` where it could not be measured (a note says why)."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class BenchOptions:
    """
    What every part is told.

    :param rounds: rounds of an interleaved run; in each, every competitor runs once
    :param quick: small sizes, few rounds, for CI: at most a minute a part
    :param model: model file to measure; ``None``: the part's own choice
    :param threads: threads of each competitor that lets them be chosen; one a core by default
    """

    rounds: int = 20
    quick: bool = False
    model: Path | None = None
    threads: int = field(default_factory=usable_cores)


@dataclass(frozen=True)
class Series:
    """The times of one competitor of an interleaved run, in the order of the rounds."""

    name: str
    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median, milliseconds."""
        return float(np.median(self.milliseconds))

    @property
    def p95(self) -> float:
        """95th percentile, milliseconds."""
        return float(np.percentile(self.milliseconds, 95))

    @property
    def best(self) -> float:
        """Shortest, milliseconds."""
        return min(self.milliseconds)


@dataclass(frozen=True)
class Ratio:
    """Of the rounds' own ratios, the median and the range from the 5th to the 95th percentile."""

    median: float
    p5: float
    p95: float

    def __str__(self) -> str:
        return f'{self.median:.2f} ({self.p5:.2f}..{self.p95:.2f})'


@dataclass(frozen=True)
class Table:
    """A table for the terminal; the cells are text already."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class PartResult:
    """
    What a part found.

    A part that cannot run raises
    :class:`~hydranet_ros.errors.MissingDependencyError` (a package) or
    :class:`~hydranet_ros.errors.NotMeasuredError` (hardware, a program); the others go on.

    :param name: of the part; its figures are the object of this name in the JSON
    :param figures: the keys of that object, ``ratio_640x480``, and their values
    :param tables: for the terminal
    :param notes: what a reader of the figures must know: what is compared, what was left out
    :param inputs: sha256 of each model file and image that was measured, by its name
    :param runs: what :func:`interleaved` returned, by what was run: ``640x480, 6 classes``; they
        go into the JSON and the plot whole
    """

    name: str
    figures: Mapping[str, Figure]
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, Mapping[str, Series]] = field(default_factory=dict)


def interleaved(
    competitors: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 2,
    rest: float = 0.3,
    helpers: Sequence[int] = (),
) -> dict[str, Series]:
    """
    Time competitors in turn, A B A B ..., so that what else the machine does meets them alike.

    The order of each round is drawn, the same in every run: who comes after whom (a cold cache, a
    clock that fell) is then not always the same. Nobody comes after itself, whose data a cache
    may still hold. The garbage collector rests meanwhile.

    :param rest: longest wait, in seconds, before a call for what the one before left running:
        worker threads spin on for 10 (PyTorch), 50 (ONNX Runtime) to 100 ms (OpenBLAS) after
        their work and would take a core from the next competitor.
    :param helpers: processes, by number, that work for a competitor; they are waited for alike.
    :raises BenchError: no competitor, or no round
    """
    if not competitors or rounds < 1:
        raise BenchError(
            f'got {len(competitors)} competitors and {rounds} rounds; each must be 1 or more'
        )
    for _ in range(warm_up):
        for call in competitors.values():
            call()
    times: dict[str, list[float]] = {name: [] for name in competitors}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for names in _orders(list(competitors), rounds):
            for name in names:
                settle(rest, helpers)
                begin = time.perf_counter()
                competitors[name]()
                times[name].append((time.perf_counter() - begin) * 1e3)
    finally:
        if collecting:
            gc.enable()
    return {name: Series(name, tuple(values)) for name, values in times.items()}


def _orders(names: list[str], rounds: int) -> Iterator[list[str]]:
    """Yield the order of each round; none begins with the one that ended the round before."""
    dice, last = random.Random(0), None
    for _ in range(rounds):
        order = dice.sample(names, len(names))
        while len(names) > 1 and order[0] == last:
            order = dice.sample(names, len(names))
        last = order[-1]
        yield order


def settle(limit: float, helpers: Sequence[int]) -> None:
    """
    Wait, at most ``limit`` seconds, until this process and its helpers are at rest.

    They then use no CPU time, and no thread waits for a core that another process holds.
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


def pair_ratio(slow: Series, fast: Series) -> Ratio:
    """
    Return how many times longer ``slow`` took than ``fast``, from the ratio of each round.

    :raises BenchError: the series have different lengths, or none
    """
    if not slow.milliseconds or len(slow.milliseconds) != len(fast.milliseconds):
        raise BenchError(
            f'{slow.name} has {len(slow.milliseconds)} rounds and {fast.name} '
            f'{len(fast.milliseconds)}; a ratio needs both from one interleaved run'
        )
    ratios = np.asarray(slow.milliseconds) / np.asarray(fast.milliseconds)
    p5, median, p95 = np.percentile(ratios, (5, 50, 95))
    return Ratio(float(median), float(p5), float(p95))


def times_table(title: str, series: Mapping[str, Series]) -> Table:
    """Return the times of an interleaved run; the last column is against the first competitor."""
    first = next(iter(series.values()))
    rows = [
        (name, f'{one.median:.2f}', f'{one.p95:.2f}', str(pair_ratio(one, first)))
        for name, one in series.items()
    ]
    return Table(title, ('', 'median ms', 'p95 ms', f'times {first.name} (p5..p95)'), rows)


def assert_agree(
    name: str, got: np.ndarray, reference: np.ndarray, tolerance: float = 1e-5
) -> float:
    """
    Return the largest difference of two competitors' outputs over the reference's largest value.

    Two libraries that add up the same products in another order differ by some 1e-6 in the mean
    and 1e-5 at the worst of 100,000 values, which is why both are bounded.

    :param name: who is compared, for the message
    :param tolerance: of the root mean square difference over the reference's root mean square;
        the largest difference may be ten times that
    :raises BenchError: other shapes, values that are not finite, or a larger difference
    """
    if got.shape != reference.shape:
        raise BenchError(f'{name}: shape {got.shape}, but the reference has {reference.shape}')
    wanted = reference.astype(np.float64)
    difference = got - wanted
    mean = _norm(difference) / (_norm(wanted) or 1.0)
    worst = float(np.abs(difference).max()) / (float(np.abs(wanted).max()) or 1.0)
    if not (mean <= tolerance and worst <= 10 * tolerance):
        raise BenchError(
            f'{name}: differs by {mean:.1e} in the mean and by {worst:.1e} at worst, of the '
            f'scale; allowed: {tolerance:.0e} and {10 * tolerance:.0e}. Times of networks that do '
            'not agree mean nothing.'
        )
    return worst


def _norm(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
