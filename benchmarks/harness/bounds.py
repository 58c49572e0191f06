"""
Bounds of ratios, and the violations of a run.

Only ratios of an interleaved run are bounded: an absolute time depends on the machine, and on its
other work, more than on the code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.suite_process import SUITES
from hydranet_ros.errors import BenchError
from hydranet_ros.model_files.yaml_config import load_yaml

_UNITS = frozenset({'ms', 's', 'kb', 'mb', 'hz', 'gflops', 'gbs'})
_EXAMPLE = 'suite: {metric: {min: 1.3}}'


@dataclass(frozen=True)
class _Sides:
    """A bound as the file writes it."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Bound:
    """Allowed range of a suite's metric; ``None`` is open."""

    suite: str
    metric: str
    least: float | None = None
    most: float | None = None

    @property
    def name(self) -> str:
        """Return ``suite.metric``."""
        return f'{self.suite}.{self.metric}'

    def violation(self, value: Any) -> str:
        """Return one line about how a value violates the bound; empty if it does not."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f'{self.name} is {value!r}; expected a number'
        if self.least is not None and not value >= self.least:
            return f'{self.name} is {value:.4g}; allowed: {self.least:g} or more'
        if self.most is not None and not value <= self.most:
            return f'{self.name} is {value:.4g}; allowed: {self.most:g} or less'
        return ''


@dataclass(frozen=True)
class Verdict:
    """
    Result of a check, one line each.

    :param violated: violated bounds.
    :param skipped: bounds of suites that were not measured.
    :param satisfied: number of satisfied bounds.
    :param suites: measured suites with a violated bound.
    """

    violated: tuple[str, ...]
    skipped: tuple[str, ...]
    satisfied: int
    suites: tuple[str, ...] = ()


def load_bounds(path: Path) -> tuple[Bound, ...]:
    """
    Read a bounds file: ``suite: {metric: {min: 1.3}}``.

    :raises BenchError: if it cannot be read, is empty, names an unknown suite or side, or bounds
        an absolute time, size or rate.
    """
    raw = load_yaml(path, Mapping[str, Mapping[str, _Sides]], error=BenchError)  # type: ignore[type-abstract]
    if not raw:
        raise BenchError(f'{path} has no bounds; expected {_EXAMPLE}.')
    bounds = []
    for suite, metrics in raw.items():
        if suite not in SUITES or not metrics:
            raise BenchError(
                f'{path}: {suite!r} is not a suite with metrics; expected {_EXAMPLE} with one of '
                f'the suites {", ".join(SUITES)}.'
            )
        bounds += [_bound(path, suite, name, sides) for name, sides in metrics.items()]
    return tuple(bounds)


def _bound(path: Path, suite: str, metric: str, sides: _Sides) -> Bound:
    if _UNITS & set(metric.split('_')):
        raise BenchError(
            f'{path}: {suite}.{metric} is not a ratio; absolute values depend on the machine. '
            'Bound a ratio of one run.'
        )
    if sides == _Sides():
        raise BenchError(f'{path}: {suite}.{metric} needs min or max.')
    return Bound(suite, metric, sides.min, sides.max)


def check(
    found: dict[str, Any], bounds: tuple[Bound, ...], requested: Collection[str] = ()
) -> Verdict:
    """
    Compare a document with bounds.

    A suite that was not run or not measured is skipped. Its bounds count as violated if it failed
    or is one of ``requested``.
    """
    violated: list[str] = []
    skipped: list[str] = []
    suites: dict[str, None] = {}
    satisfied = 0
    for bound in bounds:
        suite = found.get(bound.suite)
        if suite is None:
            skipped.append(f'{bound.name} was not run')
        elif not suite['measured']:
            required = bound.suite in requested or suite.get('failed')
            (violated if required else skipped).append(
                f'{bound.name} was not measured: {suite["reason"]}'
            )
        elif line := bound.violation(suite['metrics'].get(bound.metric)):
            violated.append(line)
            suites[bound.suite] = None
        else:
            satisfied += 1
    if not satisfied and not violated:
        violated.append('no bound was checked: none of the bounded suites was measured')
    return Verdict(tuple(violated), tuple(skipped), satisfied, tuple(suites))
