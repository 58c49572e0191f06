"""What a Python process spends on imports, by package."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

_PREFIX = 'import time:'


def import_times(statement: str) -> dict[str, float]:
    """
    Return the seconds of each top-level package's own imports, in a new process.

    What the interpreter imports for itself is left out: it costs every Python program the same.
    A package's time is that of its own modules; what it imports counts for its owner.
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
    """Return each module's own seconds from the report of ``python -X importtime``."""
    times = {}
    for line in report.splitlines():
        own, _, rest = line.removeprefix(_PREFIX).partition('|')
        if line.startswith(_PREFIX) and own.strip().isdigit():
            times[rest.partition('|')[2].strip()] = 1e-6 * int(own)
    return times
