"""The JSON document of a run: its header, reading and writing."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.harness.machine import commit, machine, versions
from benchmarks.harness.options import BenchOptions
from hydranet_ros.errors import BenchError
from hydranet_ros.files import write_atomically

FORMAT = 2


def header(options: BenchOptions) -> dict[str, Any]:
    """Return the header; call it before the suites run, because it holds the load."""
    return {
        'format': FORMAT,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'machine': machine(),
        'versions': versions(),
        'commit': commit(),
        'options': {
            'rounds': options.rounds, 'quick': options.quick, 'threads': options.threads,
            'model': options.model.name if options.model else None,
        },
    }  # fmt: skip


def write(found: dict[str, Any], path: Path) -> None:
    """
    Write the document.

    :raises BenchError: if the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(found, indent=1) + '\n').encode())
    except OSError as err:
        raise BenchError(f'{path} cannot be written: {err.strerror or err}.') from err


def read(path: Path) -> dict[str, Any]:
    """
    Read a document.

    :raises BenchError: if it is missing, damaged or of another format.
    """
    remedy = f'Write one with: python -m benchmarks --json {path}'
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as err:
        raise BenchError(f'{path} cannot be read: {err}. {remedy}') from err
    if not isinstance(found, dict) or found.get('format') != FORMAT:
        raise BenchError(f'{path} is not a benchmark result of format {FORMAT}. {remedy}')
    return found
