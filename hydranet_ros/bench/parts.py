"""
The parts of the benchmark: which there are, and one run of each.

A part is a module of this package with a function ``run(options, say) -> PartResult``. It is
imported when it is run, so that a part whose packages are missing takes nothing from the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from hydranet_ros.bench.result import BenchOptions, PartResult
from hydranet_ros.errors import (
    BenchError,
    HydranetError,
    MissingDependencyError,
    NotMeasuredError,
    missing_package,
)

PARTS = ('network', 'frame', 'baseline', 'graph', 'start', 'gpu')


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


def chosen_parts(names: Sequence[str]) -> tuple[str, ...]:
    """
    Return the parts to run, in their order; all for no name.

    :raises BenchError: for a name that is none of :data:`PARTS`.
    """
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        raise BenchError(f'Part {unknown[0]!r} is unknown; allowed: {", ".join(PARTS)}.')
    return tuple(name for name in PARTS if not names or name in names)


def run_part(name: str, options: BenchOptions, say: Callable[[str], None]) -> Outcome:
    """Run one part; what keeps it from running is in the outcome, never raised."""
    started = time.monotonic()
    try:
        result = import_module(f'hydranet_ros.bench.{name}').run(options, say)
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
