"""Command line of the benchmarks: ``python -m benchmarks``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from benchmarks.harness.options import BenchOptions, usable_cores
from benchmarks.harness.runner import run_benchmarks
from benchmarks.harness.suite_process import SUITES
from hydranet_ros.errors import HydranetError


def bench(
    suites: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar='[SUITE]...', help=f'Any of {", ".join(SUITES)}; default: all.'),
    ] = None,
    json_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option('--json', help='Write all metrics and samples to this file.'),
    ] = None,
    plot: Annotated[Optional[Path], typer.Option(help='Draw the times to this image.')] = None,  # noqa: UP045
    check: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help='Compare ratios with this bounds file; exit status 1 on a violation.'),
    ] = None,
    source: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option('--from', help='Show, draw or check this JSON file instead of measuring.'),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help='Rounds of each interleaved run.')] = 20,
    quick: Annotated[bool, typer.Option('--quick', help='Small inputs, few rounds.')] = False,
    threads: Annotated[int, typer.Option(min=0, help='CPU threads; 0: one per core.')] = 0,
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help='Model file to measure; default: street.onnx.'),
    ] = None,
) -> None:
    """Measure this package and its baselines, interleaved in one run."""
    options = BenchOptions(rounds, quick, model, threads or usable_cores())
    status = run_benchmarks(
        suites or [], options, json_file=json_file, plot=plot, check=check, source=source
    )
    if status:
        raise typer.Exit(status)


def main() -> None:
    """Run the command line; a deliberate error prints one line and exits with status 2."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(bench)
    try:
        app(prog_name='python -m benchmarks')
    except HydranetError as err:
        print(f'benchmarks: {err}', file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
