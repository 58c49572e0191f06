"""
The parts of the benchmark: which there are, and one run of each in a process of its own.

A part is a module of this package with a function ``run(options, say) -> PartResult``. Its own
process keeps what it sets (the allocator, DDS variables, thread pools that spin) out of the
figures of the next, and a part that dies takes no other with it::

    python -m benchmarks.suites.parts PART OPTIONS.json RESULT.json
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

from benchmarks.suites.result import BenchOptions, PartResult, Series, Table
from hydranet_ros.errors import (
    BenchError,
    HydranetError,
    MissingDependencyError,
    NotMeasuredError,
    missing_package,
)

PARTS = ('network', 'frame', 'baseline', 'graph', 'start', 'gpu')
COMMON_KEYS = frozenset(
    {'measured', 'why', 'failed', 'seconds', 'notes', 'tables', 'runs', 'inputs'}
)
"""Keys of a part's object that are no figures."""


@dataclass(frozen=True)
class Outcome:
    """
    What became of a part.

    :param result: ``None`` where it was not measured; ``why`` says so in one line then.
    :param failed: it should have run: its competitors disagreed, a model file is broken. A
        missing package or GPU is no failure.
    """

    name: str
    seconds: float
    result: PartResult | None = None
    why: str = ''
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """
        Return the part's object of the JSON document.

        :raises BenchError: a figure has the name of a key that every part has.
        """
        seconds = round(self.seconds, 1)
        if self.result is None:
            return {'measured': False, 'why': self.why, 'failed': self.failed,
                    'seconds': seconds}  # fmt: skip
        figures = self.result.figures
        empty = [name for name, value in figures.items()
                 if isinstance(value, float) and not math.isfinite(value)]  # fmt: skip
        taken = COMMON_KEYS & set(figures)
        if taken:
            raise BenchError(f'{self.name}: a figure cannot be named {sorted(taken)[0]!r}.')
        return {
            'measured': True,
            **{name: None if name in empty else value for name, value in figures.items()},
            'seconds': seconds,
            'notes': [*self.result.notes, *_about(empty)],
            'inputs': dict(self.result.inputs),
            'tables': [_cells(item) for item in self.result.tables],
            'runs': {
                group: {name: _samples(series) for name, series in run.items()}
                for group, run in self.result.runs.items()
            },
        }


def _about(empty: Sequence[str]) -> list[str]:
    if not empty:
        return []
    return [f'Not a number, since too few samples came: {", ".join(empty)}.']


def _cells(table: Table) -> dict[str, Any]:
    return {
        'title': table.title,
        'header': list(table.header),
        'rows': [list(row) for row in table.rows],
    }


def _samples(series: Series) -> dict[str, Any]:
    return {
        'median_ms': round(series.median, 4),
        'p95_ms': round(series.p95, 4),
        'ms': [round(value, 4) for value in series.milliseconds],
    }


def chosen_parts(names: Sequence[str]) -> tuple[str, ...]:
    """
    Return the parts to run, in their order; all for no name.

    :raises BenchError: for a name that is none of :data:`PARTS`.
    """
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        raise BenchError(f'Part {unknown[0]!r} is unknown; allowed: {", ".join(PARTS)}.')
    return tuple(name for name in PARTS if not names or name in names)


def run_apart(name: str, options: BenchOptions) -> dict[str, Any]:
    """Run one part in a new process; return its object of the JSON document."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        order, answer = Path(folder) / 'options.json', Path(folder) / 'result.json'
        order.write_text(json.dumps(asdict(options), default=str), encoding='utf-8')
        command = [sys.executable, '-m', 'benchmarks.suites.parts', name, str(order), str(answer)]
        done = subprocess.run(command, check=False)
        if answer.is_file():
            return json.loads(answer.read_text(encoding='utf-8'))
    why = f'its process ended with status {done.returncode}; its own lines above say why'
    return Outcome(name, time.monotonic() - started, why=why, failed=True).to_json()


def run_part(name: str, options: BenchOptions, say: Callable[[str], None]) -> Outcome:
    """Run one part in this process; what deliberately keeps it from running is in the outcome."""
    started = time.monotonic()
    try:
        result = import_module(f'benchmarks.suites.{name}').run(options, say)
    except (MissingDependencyError, NotMeasuredError) as err:
        return _unmeasured(name, started, str(err))
    except HydranetError as err:
        return _unmeasured(name, started, str(err), failed=True)
    except ImportError as err:
        cure = missing_package(err)
        if not cure:
            raise
        return _unmeasured(name, started, cure)
    return Outcome(name, time.monotonic() - started, result)


def _unmeasured(name: str, started: float, why: str, failed: bool = False) -> Outcome:
    return Outcome(name, time.monotonic() - started, None, ' '.join(why.split()), failed)


def _say(part: str, text: str) -> None:
    print(f'{part}: {text}', file=sys.stderr, flush=True)


def main() -> None:
    """Run the part that the command line names and write its object."""
    name, order, answer = sys.argv[1:]
    given = json.loads(Path(order).read_text(encoding='utf-8'))
    given['model'] = Path(given['model']) if given['model'] else None
    outcome = run_part(name, BenchOptions(**given), partial(_say, name))
    text = json.dumps(outcome.to_json(), allow_nan=False)
    Path(answer).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
