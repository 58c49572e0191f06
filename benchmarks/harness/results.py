"""Results of a suite: time series, ratios, tables, charts and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hydranet_ros.errors import BenchError

Metric = float | str | None
"""Value of a metric; ``None`` if it was not measured (a note of the suite gives the reason)."""


@dataclass(frozen=True)
class Series:
    """Times of one variant in an interleaved run, in the order of the rounds."""

    name: str
    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median in milliseconds."""
        return float(np.median(self.milliseconds))

    @property
    def p95(self) -> float:
        """Return the 95th percentile in milliseconds."""
        return float(np.percentile(self.milliseconds, 95))

    @property
    def best(self) -> float:
        """Return the shortest time in milliseconds."""
        return min(self.milliseconds)


@dataclass(frozen=True)
class Ratio:
    """Median, 5th and 95th percentile of the ratios of all rounds."""

    median: float
    p5: float
    p95: float

    def __str__(self) -> str:
        return f'{self.median:.2f} ({self.p5:.2f}..{self.p95:.2f})'


@dataclass(frozen=True)
class Table:
    """A table for the terminal; all cells are formatted text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """
    Bars of a suite's panel in the plot, grouped by run.

    :param title: title of the panel.
    :param runs: keys of :attr:`SuiteResult.runs` to show, one group of bars each.
    :param variants: variants to show, from top to bottom.
    :param ours: those of them that are this package; their bars are highlighted.
    :param reference: variant that the ratios beside the bars refer to; empty for no ratios.
    """

    title: str
    runs: Sequence[str]
    variants: Sequence[str]
    ours: Sequence[str]
    reference: str = ''


@dataclass(frozen=True)
class SuiteResult:
    """
    Result of a suite.

    A suite that cannot run here raises :class:`~hydranet_ros.errors.MissingDependencyError` (a
    package is missing) or :class:`~hydranet_ros.errors.NotMeasuredError` (hardware or a program
    is missing); the other suites still run.

    :param name: name of the suite.
    :param metrics: values by name. A name is NAME_UNIT_CASE (``network_ms_640x480``), or
        NAME_CASE for a ratio or share.
    :param tables: tables for the terminal.
    :param notes: facts needed to read the metrics: what is compared, what was left out.
    :param inputs: sha256 of each measured model file and image, by name.
    :param runs: series of each interleaved run by variant, by title of the run.
    :param chart: what the plot shows of the runs; ``None`` for nothing.
    """

    name: str
    metrics: Mapping[str, Metric]
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, Mapping[str, Series]] = field(default_factory=dict)
    chart: Chart | None = None


def pair_ratio(slow: Series, fast: Series) -> Ratio:
    """
    Return the time of ``slow`` divided by the time of ``fast``, from the ratio of each round.

    :raises BenchError: if the series are empty or differ in length.
    """
    if not slow.milliseconds or len(slow.milliseconds) != len(fast.milliseconds):
        raise BenchError(
            f'{slow.name} has {len(slow.milliseconds)} rounds and {fast.name} '
            f'{len(fast.milliseconds)}; a ratio needs both from one interleaved run.'
        )
    ratios = np.asarray(slow.milliseconds) / np.asarray(fast.milliseconds)
    p5, median, p95 = np.percentile(ratios, (5, 50, 95))
    return Ratio(float(median), float(p5), float(p95))


def times_table(title: str, series: Mapping[str, Series]) -> Table:
    """Return the times of an interleaved run, each with its ratio to the first variant."""
    first = next(iter(series.values()))
    rows = [
        (name, f'{one.median:.2f}', f'{one.p95:.2f}', str(pair_ratio(one, first)))
        for name, one in series.items()
    ]
    return Table(title, ('', 'median ms', 'p95 ms', f'time / {first.name} (p5..p95)'), rows)
