"""Print a benchmark document to the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.harness.suite_process import SUITES

_WIDTH = 400  # no table is cut off; a narrower terminal wraps its lines


def show(found: dict[str, Any]) -> None:
    """Print tables and notes of each suite, all metrics, and the suites that were not measured."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, width=_WIDTH)
    console.print(_headline(found), markup=False)
    measured = [name for name in SUITES if found.get(name, {}).get('measured')]
    for name in measured:
        for table in found[name]['tables']:
            console.print(_table(table['title'], table['header'], table['rows']))
        for note in found[name]['notes']:
            console.print(f'{name}: {note}', markup=False)
    rows = [
        (f'{name}.{key}', _text(value))
        for name in measured
        for key, value in found[name]['metrics'].items()
    ]
    if rows:
        console.print(_table('metrics', ('name', 'value'), rows))
    for name in SUITES:
        if name in found and not found[name]['measured']:
            console.print(f'{name}: not measured: {found[name]["reason"]}', markup=False)


def _headline(found: dict[str, Any]) -> str:
    where, state = found['machine'], found['commit']
    text = (
        f'{where["cpu"]}, {where["cores"]} cores, {where["memory_gib"]} GiB, '
        f'GPU: {where["gpu"] or "none"}; load before: {where["load_before"]}; {found["date"]}'
    )
    if not state:
        return text
    return f'{text}; commit {state["hash"][:10]}{" with changes" if state["dirty"] else ""}'


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
