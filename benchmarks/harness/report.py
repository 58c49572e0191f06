"""A benchmark's JSON document: its header, its file, and how it looks on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.suites.machine import commit, machine, versions
from benchmarks.suites.parts import COMMON_KEYS, PARTS
from benchmarks.suites.result import BenchOptions
from hydranet_ros.errors import BenchError

FORMAT = 1
_WIDTH = 400  # no table is cut off; a narrower terminal breaks its lines


def header(options: BenchOptions) -> dict[str, Any]:
    """Return what stands before the parts; taken before they run, as the load is part of it."""
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
        path.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    except OSError as err:
        raise BenchError(f'{path} cannot be written: {err.strerror or err}.') from err


def read(path: Path) -> dict[str, Any]:
    """
    Read a document.

    :raises BenchError: if it is missing, damaged or of another format.
    """
    cure = f'Write one with: python -m benchmarks --json {path}'
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as err:
        raise BenchError(f'{path} cannot be read: {err}. {cure}') from err
    if not isinstance(found, dict) or found.get('format') != FORMAT:
        raise BenchError(f'{path} is no benchmark of format {FORMAT}. {cure}')
    return found


def figures(part: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a part's object."""
    return {key: value for key, value in part.items() if key not in COMMON_KEYS}


def show(found: dict[str, Any]) -> None:
    """Print the document: tables and notes, all figures, and what was not measured."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, width=_WIDTH)
    where, state = found['machine'], found['commit']
    console.print(
        f'{where["cpu"]}, {where["cores"]} cores, {where["memory_gib"]} GiB, '
        f'GPU: {where["gpu"] or "none"}; load before: {where["load_before"]}; {found["date"]}'
        + (f'; {state["hash"][:10]}{" + changes" if state["dirty"] else ""}' if state else '')
    )
    measured = [name for name in PARTS if found.get(name, {}).get('measured')]
    for name in measured:
        for item in found[name]['tables']:
            console.print(_table(item['title'], item['header'], item['rows']))
        for note in found[name]['notes']:
            console.print(f'{name}: {note}', markup=False)
    rows = [
        (f'{name}.{key}', _text(value))
        for name in measured
        for key, value in figures(found[name]).items()
    ]
    if rows:
        console.print(_table('figures', ('', ''), rows))
    for name in PARTS:
        if name in found and not found[name]['measured']:
            console.print(f'{name}: not measured: {found[name]["why"]}', markup=False)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify='left', box=box.SIMPLE_HEAD)
    for index, column in enumerate(head):
        table.add_column(escape(column), justify='right' if index else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _text(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else '-' if value is None else str(value)
