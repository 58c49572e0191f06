"""Print a report on one screen, or write it as JSON."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hydranet_ros.doctor.checks import SECTIONS, Check, Report, Status
from hydranet_ros.errors import DoctorError
from hydranet_ros.files import write_atomically

_STYLES = {Status.OK: 'green', Status.NONE: 'dim', Status.WARNING: 'yellow', Status.FAIL: 'red'}
_WIDTH = 110
"""Columns where the output is no terminal."""
_NAME_WIDTH = 15
_LINES_OF_A_SECTION = 9


def write_report(report: Report, *, json: bool = False, file: Path | None = None) -> None:
    """
    Print a report, or write it as JSON.

    :param json: write JSON to the standard output instead of the screen.
    :param file: write JSON to this file and print the screen.
    :raises DoctorError: if the file cannot be written.
    """
    text = json_format.dumps(report.as_json(), indent=1, allow_nan=False)
    if file is not None:
        write_file(file, f'{text}\n')
    if json and file is None:
        print(text)
    else:
        print_report(report)


def write_file(file: Path, text: str) -> None:
    """
    Write a file of results.

    :raises DoctorError: if it cannot be written.
    """
    try:
        write_atomically(file, text.encode())
    except OSError as err:
        raise DoctorError(f'{file} cannot be written: {err.strerror or err}.') from err


def print_report(report: Report) -> None:
    """Print every check with its remedy, and the result of the run."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(Text(f'hydranet_ros {report.version}', style='bold'))
    for section in SECTIONS:
        checks = [check for check in report.checks if check.section == section]
        if checks:
            console.print(Text(section, style='bold'))
            console.print(Padding(_table(shown(checks)), (0, 0, 0, 2)))
    console.print(_result(report))


def shown(checks: Sequence[Check]) -> list[Check]:
    """Return the checks of a section that fit on the screen: those with a problem come first."""
    if len(checks) <= _LINES_OF_A_SECTION:
        return list(checks)
    by_importance = sorted(checks, key=lambda check: -list(Status).index(check.status))
    kept = by_importance[: _LINES_OF_A_SECTION - 1]
    rest = by_importance[_LINES_OF_A_SECTION - 1 :]
    text = f'{len(rest)} more, all shown by --json'
    return [*(check for check in checks if check in kept),
            Check(rest[0].section, '...', rest[0].status, text)]  # fmt: skip


def _table(checks: list[Check]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=len(Status.WARNING.value), no_wrap=True)
    table.add_column(min_width=_NAME_WIDTH)
    table.add_column()
    for check in checks:
        style = _STYLES[check.status]
        text = Text(check.text, style='dim' if check.status is Status.NONE else '')
        if check.remedy:
            text.append(f'\n{check.remedy}', style='' if check.status is Status.FAIL else 'dim')
        table.add_row(Text(check.status.value, style=style), Text(check.name), text)
    return table


def _result(report: Report) -> Text:
    if report.usable:
        return Text(f'usable ({report.seconds:.1f} s)', style='bold green')
    names = ', '.join(check.name for check in report.failures)
    return Text(f'not usable as it is: {names} ({report.seconds:.1f} s)', style='bold red')
