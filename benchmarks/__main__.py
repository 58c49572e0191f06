"""``python -m benchmarks``: measure the product beside what a user would run instead."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from benchmarks.suites.command import run_bench
from benchmarks.suites.result import BenchOptions, usable_cores
from hydranet_ros.errors import HydranetError


def bench(
    suites: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar='[SUITE]...', help='network, frame, baseline, graph, start, gpu.'),
    ] = None,
    json_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option('--json', help='Write all metrics and samples.'),
    ] = None,
    plot: Annotated[Optional[Path], typer.Option(help='Write a chart of the times.')] = None,  # noqa: UP045
    check: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help='Compare the ratios with these bounds; exit status 1 outside.'),
    ] = None,
    source: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option('--from', help='Show, plot or check this JSON instead of measuring.'),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help='Rounds of each interleaved run.')] = 20,
    quick: Annotated[bool, typer.Option('--quick', help='Fewer rounds, for CI.')] = False,
    threads: Annotated[int, typer.Option(min=0, help='CPU threads; 0: one per core.')] = 0,
    model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help='Model file to measure; default: random weights, or street.onnx.'),
    ] = None,
) -> None:
    """Measure the latency of each stage beside the baselines, interleaved in one run."""
    options = BenchOptions(rounds, quick, model, threads or usable_cores())
    status = run_bench(
        suites or [], options, json_file=json_file, plot=plot, check=check, source=source
    )
    if status:
        raise typer.Exit(status)


def main() -> None:
    """Run the command line; a deliberate error prints one line and gives exit status 2."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(bench)
    try:
        app(prog_name='python -m benchmarks')
    except HydranetError as err:
        print(f'benchmarks: {err}', file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
