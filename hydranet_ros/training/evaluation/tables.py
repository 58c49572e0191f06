"""Figures as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from hydranet_ros.training.evaluation.published import PublishedRow, published_rows
from hydranet_ros.training.evaluation.run import CLEAR, MEAN, SetResult
from hydranet_ros.training.metrics import DEPTH_METRICS, NORMALS_LIMITS

_TITLES = {
    'miou': 'mIoU %', 'pixel_accuracy': 'pixels %', 'rmse': 'RMSE m', 'rmse_log': 'RMSE log',
    'abs_rel': 'abs rel', 'sq_rel': 'sq rel', 'log10': 'log10', 'silog': 'SILog',
    'delta1': 'd<1.25 %', 'delta2': 'd<1.25² %', 'delta3': 'd<1.25³ %',
    'angle_mean': 'mean °', 'angle_median': 'median °',
    **{f'within_{limit:g}': f'<{limit:g}° %' for limit in NORMALS_LIMITS},
}  # fmt: skip
_COLUMNS = {
    'segmentation': ('miou', 'pixel_accuracy'),
    'depth_pooled': DEPTH_METRICS,
    'depth_per_image': DEPTH_METRICS,
    'normals': ('angle_mean', 'angle_median', *(f'within_{x:g}' for x in NORMALS_LIMITS)),
}
_NAMES = {
    'segmentation': 'classes, one confusion matrix',
    'depth_pooled': "depth, all pixels pooled (as the paper's code)",
    'depth_per_image': 'depth, mean over images (as BTS)',
    'normals': 'normals, all pixels pooled',
}
_PERCENT = ('miou', 'pixel_accuracy', 'delta', 'within')
_WIDE = 12


def shown(name: str, value: float | None) -> str:
    """Return a figure as a table has it: shares in percent, three figures after the point else."""
    if value is None or value != value:
        return '-'
    if name.startswith(_PERCENT):
        return f'{100 * value:.1f}'
    return f'{value:.2f}' if name.startswith(('angle', 'silog')) else f'{value:.3f}'


def tables(result: SetResult) -> Iterator[Table]:
    """Return a table a group of figures; the paper's row below ours where there is one."""
    figures = result.figures()
    paper = published_rows(result.kind)
    for group in figures[CLEAR]:
        table = Table(title=f'{result.source}: {_NAMES[group]}', title_justify='left')
        table.add_column('condition')
        for name in _COLUMNS[group]:
            table.add_column(_TITLES[name], justify='right', no_wrap=True)
        classes = _class_columns(result, table) if group == 'segmentation' else []
        for condition, row in figures.items():
            values = row.get(group, {})
            cells = [shown(name, values.get(name)) for name in _COLUMNS[group]]
            cells += [shown('miou', value) for value in _ious(result, condition, classes)]
            table.add_row(condition, *cells, end_section=condition == list(figures)[-1])
        _add_published(table, group, paper, len(classes))
        yield table
    if 'segmentation' in figures[CLEAR] and len(result.model.classes) > _WIDE:
        yield _class_table(result)


def _class_columns(result: SetResult, table: Table) -> Sequence[int]:
    if len(result.model.classes) > _WIDE:
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


def _add_published(table: Table, group: str, rows: Sequence[PublishedRow], classes: int) -> None:
    for row in rows:
        if group in row.figures:
            values = row.figures[group]
            cells = [shown(name, values.get(name)) for name in _COLUMNS[group]]
            table.add_row(row.name, *cells, *['-'] * classes, style='italic')


def _class_table(result: SetResult) -> Table:
    table = Table(title=f'{result.source}: IoU % by class', title_justify='left')
    table.add_column('class')
    names = list(result.figures())
    for name in names:
        table.add_column(name, justify='right')
    ids = [item.id for item in result.model.classes]
    columns = [_ious(result, name, ids) for name in names]
    for item, *values in zip(result.model.classes, *columns):
        table.add_row(item.name, *(shown('miou', value) for value in values))
    return table


def notes(result: SetResult) -> Iterator[str]:
    """Return lines that say what was measured, and what the published rows are."""
    limits = result.protocol
    counts = ', '.join(f'{count} with {name}' for name, count in result.annotated.items() if count)
    yield (
        f'{result.source}: {len(result.images)} of {len(result.samples)} images measured '
        f'({counts}); depth from {limits.nearest:g} to {limits.farthest:g} m, crop {limits.crop}.'
    )
    yield from result.warnings
    for row in published_rows(result.kind):
        yield f'{row.name}: {row.source}; {row.note}.'
