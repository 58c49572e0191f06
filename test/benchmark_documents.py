"""Small documents and options for the tests of the benchmarks."""

from __future__ import annotations

from benchmarks.harness.document import header
from benchmarks.harness.options import BenchOptions

SMALL = BenchOptions(rounds=2, quick=True, threads=1)


def document(**suites: dict) -> dict:
    return {**header(SMALL), **suites}


def measured(**metrics: float | None) -> dict:
    return {'measured': True, 'metrics': metrics, 'seconds': 1.0, 'notes': [], 'tables': [],
            'runs': {}, 'inputs': {}, 'chart': None}  # fmt: skip


def unmeasured(reason: str, failed: bool = False) -> dict:
    return {'measured': False, 'reason': reason, 'failed': failed, 'seconds': 0.1}
