"""
List of the suites, and the process that runs one of them.

A suite is a module ``benchmarks.suites.NAME.suite`` with a function
``run(options, progress) -> SuiteResult``. Each suite runs in a process of its own: its allocator
settings, DDS variables and thread pools do not affect the next suite, and a crash ends only one
suite. The process is started as::

    python -m benchmarks.harness.suite_process SUITE OPTIONS.json RESULT.json
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Series, SuiteResult
from hydranet_ros.errors import (
    BenchError,
    HydranetError,
    MissingDependencyError,
    NotMeasuredError,
    missing_package,
)

SUITES = ('network', 'frame', 'official', 'ros_graph', 'startup', 'gpu')


@dataclass(frozen=True)
class Outcome:
    """
    Outcome of a suite.

    :param result: ``None`` if the suite was not measured, see ``reason``.
    :param failed: whether that is an error (results differ, a model file is damaged). A missing
        package or GPU is not an error.
    """

    name: str
    seconds: float
    result: SuiteResult | None = None
    reason: str = ''
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the suite's object of the JSON document."""
        seconds = round(self.seconds, 1)
        if self.result is None:
            return {'measured': False, 'reason': self.reason, 'failed': self.failed,
                    'seconds': seconds}  # fmt: skip
        metrics = self.result.metrics
        empty = [name for name, value in metrics.items()
                 if isinstance(value, float) and not math.isfinite(value)]  # fmt: skip
        return {
            'measured': True,
            'seconds': seconds,
            'metrics': {name: None if name in empty else value for name, value in metrics.items()},
            'notes': [*self.result.notes, *_note_about(empty)],
            'inputs': dict(self.result.inputs),
            'chart': asdict(self.result.chart) if self.result.chart else None,
            'tables': [asdict(table) for table in self.result.tables],
            'runs': {
                title: {name: _samples(series) for name, series in run.items()}
                for title, run in self.result.runs.items()
            },
        }


def _note_about(empty: Sequence[str]) -> list[str]:
    if not empty:
        return []
    return [f'Not measured, because no sample arrived: {", ".join(empty)}.']


def _samples(series: Series) -> dict[str, Any]:
    return {
        'median_ms': round(series.median, 4),
        'p95_ms': round(series.p95, 4),
        'ms': [round(value, 4) for value in series.milliseconds],
    }


def select_suites(names: Sequence[str]) -> tuple[str, ...]:
    """
    Return the suites to run, in their fixed order; all of them if no name is given.

    :raises BenchError: for an unknown name.
    """
    unknown = sorted(set(names) - set(SUITES))
    if unknown:
        raise BenchError(f'Suite {unknown[0]!r} is unknown; allowed: {", ".join(SUITES)}.')
    return tuple(name for name in SUITES if not names or name in names)


def run_in_process(name: str, options: BenchOptions) -> dict[str, Any]:
    """Run one suite in a new process; return its object of the JSON document."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        request, response = Path(folder) / 'options.json', Path(folder) / 'result.json'
        request.write_text(json.dumps(asdict(options), default=str), encoding='utf-8')
        command = [sys.executable, '-m', 'benchmarks.harness.suite_process', name, str(request),
                   str(response)]  # fmt: skip
        done = subprocess.run(command, check=False)
        if response.is_file():
            return json.loads(response.read_text(encoding='utf-8'))
    reason = f'its process ended with status {done.returncode}; see its messages above'
    return Outcome(name, time.monotonic() - started, reason=reason, failed=True).to_json()


def run_suite(name: str, options: BenchOptions, progress: Callable[[str], None]) -> Outcome:
    """Run one suite in this process; deliberate errors become its outcome."""
    started = time.monotonic()
    try:
        suite = import_module(f'benchmarks.suites.{name}.suite')
        result = suite.run(options, progress)
    except (MissingDependencyError, NotMeasuredError) as err:
        return _not_measured(name, started, str(err))
    except HydranetError as err:
        return _not_measured(name, started, str(err), failed=True)
    except ImportError as err:
        remedy = missing_package(err)
        if not remedy:
            raise
        return _not_measured(name, started, remedy)
    return Outcome(name, time.monotonic() - started, result)


def _not_measured(name: str, started: float, reason: str, failed: bool = False) -> Outcome:
    return Outcome(name, time.monotonic() - started, None, ' '.join(reason.split()), failed)


def _print_progress(suite: str, text: str) -> None:
    print(f'{suite}: {text}', file=sys.stderr, flush=True)


def main() -> None:
    """Run the suite named on the command line and write its object."""
    name, request, response = sys.argv[1:]
    given = json.loads(Path(request).read_text(encoding='utf-8'))
    given['model'] = Path(given['model']) if given['model'] else None
    outcome = run_suite(name, BenchOptions(**given), partial(_print_progress, name))
    text = json.dumps(outcome.to_json(), allow_nan=False)
    Path(response).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
