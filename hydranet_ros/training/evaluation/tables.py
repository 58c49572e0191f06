"""Tables of metrics for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from hydranet_ros.training.evaluation.published import published_rows
from hydranet_ros.training.evaluation.run import CLEAR, MEAN, SetResult
from hydranet_ros.training.evaluation.tally import GroupedMetrics
from hydranet_ros.training.metric_table import GROUPS, Metric, find_metric, metrics_of

# With more classes than this, the IoUs by class get their own table.
_MAX_CLASS_COLUMNS = 12


def tables(result: SetResult) -> Iterator[Table]:
    """Return one table per group of metrics, with the published rows below ours."""
    metrics = result.metrics()
    for group in metrics[CLEAR]:
        yield _group_table(result, metrics, group)
    if 'segmentation' in metrics[CLEAR] and len(result.model.classes) > _MAX_CLASS_COLUMNS:
        yield _class_table(result)


def _group_table(result: SetResult, metrics: dict[str, GroupedMetrics], group: str) -> Table:
    columns = metrics_of(GROUPS[group].task)
    table = Table(title=f'{result.source}: {GROUPS[group].title}', title_justify='left')
    table.add_column('condition')
    for metric in columns:
        table.add_column(metric.title, justify='right', no_wrap=True)
    classes = _class_columns(result, table) if group == 'segmentation' else []
    for condition, groups in metrics.items():
        cells = _cells(columns, groups.get(group, {}))
        cells += [find_metric('miou').format(value) for value in _ious(result, condition, classes)]
        table.add_row(condition, *cells, end_section=condition == list(metrics)[-1])
    for row in published_rows(result.kind):
        if group in row.metrics:
            cells = _cells(columns, row.metrics[group])
            table.add_row(row.name, *cells, *['-'] * len(classes), style='italic')
    return table


def _cells(columns: Sequence[Metric], values: Mapping[str, float]) -> list[str]:
    return [metric.format(values.get(metric.key)) for metric in columns]


def _class_columns(result: SetResult, table: Table) -> Sequence[int]:
    if len(result.model.classes) > _MAX_CLASS_COLUMNS:
        return []
    for item in result.model.classes:
        table.add_column(item.name, justify='right')
    return [item.id for item in result.model.classes]


def _ious(result: SetResult, condition: str, classes: Sequence[int]) -> list[float]:
    if condition == MEAN:
        rows = [_ious(result, name, classes) for name in result.tallies if name != CLEAR]
        return [_mean(column) for column in zip(*rows)]
    iou = result.tallies[condition].confusion.iou
    return [float(iou[index]) for index in classes]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float('nan')


def _class_table(result: SetResult) -> Table:
    table = Table(title=f'{result.source}: IoU % by class', title_justify='left')
    table.add_column('class')
    names = list(result.metrics())
    for name in names:
        table.add_column(name, justify='right')
    ids = [item.id for item in result.model.classes]
    columns = [_ious(result, name, ids) for name in names]
    for item, *values in zip(result.model.classes, *columns):
        table.add_row(item.name, *(find_metric('miou').format(value) for value in values))
    return table


def notes(result: SetResult) -> Iterator[str]:
    """Return lines about what was measured, and about the published rows."""
    limits = result.protocol
    counts = ', '.join(f'{count} with {name}' for name, count in result.annotated.items() if count)
    yield (
        f'{result.source}: {len(result.images)} of {len(result.samples)} images measured '
        f'({counts}); depth from {limits.nearest:g} to {limits.farthest:g} m, crop {limits.crop}.'
    )
    yield from result.warnings
    for row in published_rows(result.kind):
        yield f'{row.name}: {row.source}; {row.note}.'
