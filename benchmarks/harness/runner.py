"""Run suites, show and store their results, and compare metrics with bounds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import document, report
from benchmarks.harness.bounds import Bound, Verdict, load_bounds
from benchmarks.harness.bounds import check as check_bounds
from benchmarks.harness.options import BenchOptions
from benchmarks.harness.suite_process import SUITES, run_in_process, select_suites

# A regression violates its bound in every attempt; a short disturbance of the machine does not.
_ATTEMPTS = 3


def run_benchmarks(
    names: Sequence[str],
    options: BenchOptions,
    *,
    json_file: Path | None = None,
    plot: Path | None = None,
    check: Path | None = None,
    source: Path | None = None,
) -> int:
    """
    Run suites; return the exit status: 1 if a suite failed or a bound is violated.

    The JSON file is written after each suite, so an interrupted run keeps its results. A suite
    that violates a bound is measured again, up to twice; its last metrics count, and its notes
    list the earlier violations.

    :param names: suites to run; empty for all.
    :param source: JSON file of an earlier run to show instead of measuring.
    :raises BenchError: for an unknown suite, or a file that cannot be read or written.
    """
    bounds = load_bounds(check) if check else ()
    found = document.read(source) if source else _measure(select_suites(names), options, json_file)
    verdict = check_bounds(found, bounds, names) if bounds else None
    if verdict and not source:
        verdict = _measure_again(verdict, found, bounds, names, options, json_file)
    report.show(found)
    if source and json_file:
        document.write(found, json_file)
    if plot:
        from benchmarks.harness.plot import draw

        draw(found, plot)
    failed = any(found.get(name, {}).get('failed') for name in SUITES)
    if verdict:
        _print_verdict(verdict)
    return int(failed or bool(verdict and verdict.violated))


def _print_verdict(verdict: Verdict) -> None:
    for line in verdict.skipped:
        print(f'bounds: skipped: {line}')
    for line in verdict.violated:
        print(f'bounds: VIOLATED: {line}', file=sys.stderr)
    print(f'bounds: {verdict.satisfied} satisfied, {len(verdict.violated)} violated')


def _measure_again(
    verdict: Verdict, found: dict[str, Any], bounds: tuple[Bound, ...], names: Sequence[str],
    options: BenchOptions, json_file: Path | None,
) -> Verdict:  # fmt: skip
    """Measure suites with violated bounds again; return the last verdict."""
    notes: list[str] = []
    for attempt in range(2, _ATTEMPTS + 1):
        if not verdict.suites:
            break
        for line in verdict.violated:
            print(f'bounds: attempt {attempt} of {_ATTEMPTS}: {line}', file=sys.stderr)
        notes.append(f'Measured again (attempt {attempt}): {"; ".join(verdict.violated)}.')
        found |= _measure(verdict.suites, options, json_file, found)
        for name in verdict.suites:
            found[name].setdefault('notes', []).extend(notes)
        if json_file:
            document.write(found, json_file)
        verdict = check_bounds(found, bounds, names)
    return verdict


def _measure(
    names: Sequence[str], options: BenchOptions, json_file: Path | None,
    earlier: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    found = dict(earlier) if earlier else document.header(options)
    for name in names:
        found[name] = run_in_process(name, options)
        if json_file:
            document.write(found, json_file)
    return found
