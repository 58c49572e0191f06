"""Draw a benchmark document: one panel a suite, one bar a variant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.results import Series, pair_ratio
from benchmarks.harness.suite_process import SUITES
from hydranet_ros.errors import BenchError, MissingDependencyError

_OURS, _BASELINE, _TEXT = '#1f6f8b', '#c3ccd1', '#333333'
_BAR, _GAP, _MARGIN = 0.30, 0.45, 0.95
"""Inches: height of a bar, of the gap before a group, and of a panel's title and axis."""
_ROOM = 1.3
"""Width of a panel, relative to its longest bar: the rest is for the value beside the bar."""


def draw(found: dict[str, Any], path: Path) -> None:
    """
    Draw the charts of all measured suites; bars of this package are highlighted.

    A bar is a median, the line beyond it ends at the 95th percentile.

    :param path: image to write; its suffix selects the format.
    :raises MissingDependencyError: without matplotlib.
    :raises BenchError: if no suite has a chart, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as err:
        raise MissingDependencyError(
            "A plot needs matplotlib: pip install 'hydranet_ros[bench]'"
        ) from err
    suites = [found[name] for name in SUITES if found.get(name, {}).get('chart')]
    if not suites:
        raise BenchError('There is nothing to plot: no measured suite has a chart.')
    heights = [_height(suite) for suite in suites]
    figure = Figure(figsize=(8, sum(heights) + 0.5), layout=ConstrainedLayoutEngine(w_pad=0.15))
    axes = figure.subplots(len(suites), 1, squeeze=False, height_ratios=heights).ravel()
    for axis, suite in zip(axes, suites):
        _panel(axis, suite['chart'], suite['runs'])
    _legend(figure)
    where = found['machine']
    figure.supxlabel(
        f'{where["gpu"] or where["cpu"]}, {where["cores"]} CPU cores, {found["date"][:10]}',
        fontsize=8, color=_TEXT, x=0.99, ha='right',
    )  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as err:
        raise BenchError(f'{path} cannot be written: {err}.') from err


def _height(suite: Mapping[str, Any]) -> float:
    bars = sum(len(_shown(suite['chart'], suite['runs'][run])) for run in suite['chart']['runs'])
    return _MARGIN + _BAR * bars + _GAP * len(suite['chart']['runs'])


def _shown(chart: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    return [name for name in chart['variants'] if name in run]


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=_OURS, label='hydranet_ros'), Patch(color=_BASELINE, label='baseline'),
        Line2D([], [], color=_TEXT, linewidth=1, label='median to 95th percentile'),
    ]  # fmt: skip
    figure.legend(handles=handles, loc='outside upper right', ncols=3, fontsize=8, frameon=False)


def _panel(axis: Any, chart: Mapping[str, Any], runs: Mapping[str, Any]) -> None:
    ticks: list[float] = []
    names: list[str] = []
    longest, position = 0.0, 0.0
    for title in chart['runs']:
        run = runs[title]
        position += _GAP / _BAR
        axis.text(0, position - 0.65, f' {title}', fontsize=9, color=_TEXT, va='bottom')
        for name in _shown(chart, run):
            _bar(axis, position, run[name], ours=name in chart['ours'],
                 ratio=_ratio(run, name, chart['reference']))  # fmt: skip
            longest = max(longest, run[name]['median_ms'], run[name]['p95_ms'])
            ticks.append(position)
            names.append(name)
            position += 1
    axis.set_yticks(ticks, names, fontsize=9)
    for label, name in zip(axis.get_yticklabels(), names):
        label.set_fontweight('bold' if name in chart['ours'] else 'normal')
    axis.set_ylim(position - 0.3, 0)
    axis.set_xlim(0, _ROOM * longest)
    axis.set_xlabel('median time [ms] (lower is better)', fontsize=9)
    ratio = f' (ratio to {chart["reference"]})' if chart['reference'] else ''
    axis.set_title(f'{chart["title"]}{ratio}', fontsize=10, loc='left')
    axis.tick_params(axis='y', length=0)
    axis.tick_params(axis='x', labelsize=8)
    for side in ('top', 'right'):
        axis.spines[side].set_visible(False)


def _bar(axis: Any, position: float, times: Mapping[str, Any], *, ours: bool, ratio: str) -> None:
    median, end = times['median_ms'], max(times['median_ms'], times['p95_ms'])
    axis.barh(position, median, height=0.75, color=_OURS if ours else _BASELINE)
    axis.hlines(position, median, end, color=_TEXT, linewidth=1)
    axis.text(end, position, f'  {_milliseconds(median)}{ratio}', va='center', fontsize=8,
              fontweight='bold' if ours else 'normal', color=_TEXT)  # fmt: skip


def _milliseconds(value: float) -> str:
    return f'{value:.0f} ms' if value >= 100 else f'{value:.1f} ms'


def _ratio(run: Mapping[str, Any], name: str, reference: str) -> str:
    """Return the median ratio of the rounds as text; empty for the reference itself."""
    if name == reference or reference not in run:
        return ''
    series = (Series(item, tuple(run[item]['ms'])) for item in (name, reference))
    return f'  ({pair_ratio(*series).median:.2f}x)'
