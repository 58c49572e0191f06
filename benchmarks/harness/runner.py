"""Run the parts of the benchmark, show and store the results, compare them with bounds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.suites import report
from benchmarks.suites.bounds import Bound, Verdict, load_bounds
from benchmarks.suites.bounds import check as check_bounds
from benchmarks.suites.parts import PARTS, chosen_parts, run_apart
from benchmarks.suites.result import BenchOptions

# A regression is outside its bounds each time; a minute in which the machine did something else
# for one competitor is not.
_ATTEMPTS = 3


def run_bench(
    names: Sequence[str],
    options: BenchOptions,
    *,
    json_file: Path | None = None,
    plot: Path | None = None,
    check: Path | None = None,
    source: Path | None = None,
) -> int:
    """
    Run the benchmark; return the exit status: 1 for a failed part or a violated bound.

    Each part runs in a process of its own. The JSON is written after each, so that a run that is
    stopped leaves what it found. A part outside its bounds is measured again, up to twice; its
    last figures count, and its notes say what the ones before were.

    :param names: parts; none for all.
    :param source: JSON of an earlier run to show instead of measuring.
    :raises BenchError: for an unknown part, a file that cannot be read or written.
    """
    bounds = load_bounds(check) if check else ()
    found = report.read(source) if source else _measure(chosen_parts(names), options, json_file)
    verdict = check_bounds(found, bounds, names) if bounds else None
    if verdict and not source:
        verdict = _measure_again(verdict, found, bounds, names, options, json_file)
    report.show(found)
    if source and json_file:
        report.write(found, json_file)
    if plot:
        from benchmarks.suites.plot import draw

        draw(found, plot)
    wrong = any(found.get(name, {}).get('failed') for name in PARTS)
    if verdict:
        for line in verdict.skipped:
            print(f'bounds: {line}')
        for line in verdict.violated:
            print(f'bounds: VIOLATED: {line}', file=sys.stderr)
        print(f'bounds: {verdict.held} hold, {len(verdict.violated)} are violated')
        wrong = wrong or bool(verdict.violated)
    return int(wrong)


def _measure_again(
    verdict: Verdict, found: dict[str, Any], bounds: tuple[Bound, ...], names: Sequence[str],
    options: BenchOptions, json_file: Path | None,
) -> Verdict:  # fmt: skip
    earlier: list[str] = []
    for attempt in range(2, _ATTEMPTS + 1):
        if not verdict.outside:
            break
        for line in verdict.violated:
            print(f'bounds: attempt {attempt} of {_ATTEMPTS}, since {line}', file=sys.stderr)
        earlier = [
            *earlier,
            f'measured again (attempt {attempt}), since {"; ".join(verdict.violated)}',
        ]
        found |= _measure(verdict.outside, options, json_file, found)
        for name in verdict.outside:
            found[name].setdefault('notes', []).extend(earlier)
        if json_file:
            report.write(found, json_file)
        verdict = check_bounds(found, bounds, names)
    return verdict


def _measure(
    names: Sequence[str], options: BenchOptions, json_file: Path | None,
    there: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    found = dict(there) if there else report.header(options)
    for name in names:
        found[name] = run_apart(name, options)
        if json_file:
            report.write(found, json_file)
    return found
