"""Import time of a Python process, by package."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

_PREFIX = 'import time:'


def import_times(statement: str) -> dict[str, float]:
    """
    Return the seconds of each top-level package's own modules, measured in a new process.

    Modules that the interpreter itself imports are left out.
    """
    bare = _own_times('pass')
    times = _own_times(statement)
    sums: defaultdict[str, float] = defaultdict(float)
    for module, seconds in times.items():
        if module not in bare:
            sums[module.split('.')[0]] += seconds
    return dict(sums)


def _own_times(statement: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', '-c', statement],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return parse(done.stderr)


def parse(report: str) -> dict[str, float]:
    """Return the own seconds of each module from the output of ``python -X importtime``."""
    times = {}
    for line in report.splitlines():
        own, _, rest = line.removeprefix(_PREFIX).partition('|')
        if line.startswith(_PREFIX) and own.strip().isdigit():
            times[rest.partition('|')[2].strip()] = 1e-6 * int(own)
    return times
