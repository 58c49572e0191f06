"""Run ``hydranet eval``: show progress, print tables, write the requested files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hydranet_ros.training.evaluation.report import require_writable, write_report
from hydranet_ros.training.evaluation.run import EvalOptions, Evaluation, evaluate
from hydranet_ros.training.evaluation.sheet import write_sheet
from hydranet_ros.training.evaluation.tables import notes, tables

_COLUMNS_IN_A_FILE = 160


def run_eval(
    model: str,
    sources: Sequence[str],
    options: EvalOptions,
    *,
    model_options: Mapping[str, Any],
    roots: Mapping[str, Path] | None = None,
    json_file: Path | None = None,
    sheet: Path | None = None,
) -> bool:
    """
    Measure a model, print tables, write files; return whether Ctrl-C ended it early.

    :param model_options: further arguments of
        :func:`~hydranet_ros.training.evaluation.predictors.load_model`.
    :param roots: folders by the names in capitals that sources may begin with.
    :raises HydranetError: if the model or the data cannot be used, or a file cannot be written.
    """
    for path in (json_file, sheet):
        if path is not None:
            require_writable(path)
    with _progress() as progress:
        task = progress.add_task(model, total=None)

        def update(done: int, total: int, source: str) -> None:
            progress.update(task, completed=done, total=total, description=source)

        evaluation = evaluate(
            model, sources, options, model_options=model_options, roots=roots, progress=update
        )
    _print(evaluation)
    if json_file is not None:
        write_report(json_file, evaluation)
        print(f'All metrics: {json_file}')
    if sheet is not None and evaluation.results:
        write_sheet(sheet, evaluation)
        print(f'Best and worst images: {sheet}')
    for result in evaluation.results:
        result.model.close()
    return evaluation.stopped


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn('{task.description}', markup=False), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def _print(evaluation: Evaluation) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_COLUMNS_IN_A_FILE)
    for result in evaluation.results:
        for table in tables(result):
            console.print(table)
        for line in notes(result):
            console.print(line, markup=False, highlight=False)
        console.print()
    if evaluation.stopped:
        console.print('Stopped by Ctrl-C: the metrics cover the images measured so far.')
