"""Options that every suite receives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class BenchOptions:
    """
    Options that every suite receives.

    :param rounds: rounds of an interleaved run; each variant runs once a round.
    :param quick: small inputs and few rounds, for CI; about a minute a suite at most.
    :param model: model file to measure; ``None`` for the suite's default.
    :param threads: CPU threads of each variant that allows to set them; default: one per core.
    """

    rounds: int = 20
    quick: bool = False
    model: Path | None = None
    threads: int = field(default_factory=usable_cores)
