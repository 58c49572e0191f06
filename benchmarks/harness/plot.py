"""The benchmark as a picture: a bar for each competitor's median, a line up to its p95."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.suites.parts import PARTS
from hydranet_ros.errors import BenchError, MissingDependencyError

_COLUMNS = 2
_OURS, _OTHERS = '#1f6f8b', '#b9c3c9'


def draw(found: dict[str, Any], path: Path) -> None:
    """
    Draw the runs of a benchmark's document; the first competitor of a run is the coloured one.

    :param path: picture to write; its ending says the format.
    :raises MissingDependencyError: without matplotlib.
    :raises BenchError: if no part recorded runs, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as err:
        raise MissingDependencyError(
            "A plot needs matplotlib: pip install 'hydranet_ros[bench]'"
        ) from err
    runs = [
        (f'{part}: {group}', run)
        for part in PARTS
        for group, run in found.get(part, {}).get('runs', {}).items()
    ]
    if not runs:
        raise BenchError('There is nothing to plot: no part that was measured recorded times.')
    rows = -(-len(runs) // _COLUMNS)
    bars = max(len(run) for _, run in runs)
    figure = Figure(figsize=(13, rows * (0.9 + 0.32 * bars)), layout='constrained')
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis, (title, run) in zip(axes, runs):
        _bars(axis, title, run)
    for axis in axes[len(runs) :]:
        axis.set_axis_off()
    where = found['machine']
    figure.suptitle(
        f'{where["cpu"]}, {where["cores"]} cores, GPU: {where["gpu"] or "none"}, {found["date"]}: '
        'median and p95, ms',
        fontsize=10,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as err:
        raise BenchError(f'{path} cannot be written: {err}.') from err


def _bars(axis: Any, title: str, run: dict[str, Any]) -> None:
    names = list(run)
    medians = [run[name]['median_ms'] for name in names]
    ends = [max(run[name]['p95_ms'], median) for name, median in zip(names, medians)]
    axis.barh(names, medians, color=[_OURS] + [_OTHERS] * (len(names) - 1))
    axis.hlines(names, medians, ends, color='#444444', linewidth=1)
    for index, (median, end) in enumerate(zip(medians, ends)):
        axis.text(end, index, f' {median:.3g}', va='center', fontsize=8)
    axis.set_title(title, fontsize=9, loc='left')
    axis.set_xlim(0, 1.15 * max(ends))
    axis.invert_yaxis()
    axis.tick_params(labelsize=8)
    for side in ('top', 'right'):
        axis.spines[side].set_visible(False)
