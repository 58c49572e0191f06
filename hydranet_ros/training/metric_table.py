"""
The registry of metrics: names, units, formats and directions.

Tables, contact sheet, choice of the best checkpoint and published rows read it. To add a metric,
compute it in :mod:`hydranet_ros.training.metrics` and add a row to :data:`METRICS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.metrics import NORMALS_LIMITS

PERCENT = '%'


@dataclass(frozen=True)
class Metric:
    """
    A metric of one task.

    :param key: its name in reports, logs and ``monitor``.
    :param name: its name in tables.
    :param task: ``segmentation``, ``depth`` or ``normals``.
    :param unit: unit of the displayed value. ``%`` marks a fraction: it is stored as 0..1 and
        displayed times 100.
    :param decimals: digits after the decimal point.
    :param higher_is_better: whether the larger of two values is the better one.
    :param ranks_images: whether the contact sheet shows the best and worst images by it; its name
        is then ASCII, and it is a metric of single images too.
    """

    key: str
    name: str
    task: str
    unit: str
    decimals: int
    higher_is_better: bool
    ranks_images: bool = False

    @property
    def title(self) -> str:
        """Return name and unit, as the header of a column."""
        return f'{self.name} {self.unit}'.strip()

    @property
    def mode(self) -> str:
        """Return ``max`` or ``min``: which of several values is the best."""
        return 'max' if self.higher_is_better else 'min'

    def format(self, value: float | None) -> str:
        """Return a value without its unit; ``-`` for None and NaN."""
        if value is None or value != value:
            return '-'
        scale = 100 if self.unit == PERCENT else 1
        return f'{scale * value:.{self.decimals}f}'

    def describe(self, value: float | None) -> str:
        """Return name, value and unit."""
        return f'{self.name} {self.format(value)} {self.unit}'.strip()


@dataclass(frozen=True)
class MetricGroup:
    """
    Metrics of one task, computed in one way.

    :param key: its name in reports.
    :param title: its title above a table.
    """

    key: str
    task: str
    title: str


def _by_key(rows: Iterable[Metric]) -> dict[str, Metric]:
    return {row.key: row for row in rows}


METRICS: Mapping[str, Metric] = _by_key((
    Metric('miou', 'mIoU', 'segmentation', PERCENT, 1, True, ranks_images=True),
    Metric('pixel_accuracy', 'pixel accuracy', 'segmentation', PERCENT, 1, True),
    Metric('rmse', 'RMSE', 'depth', 'm', 3, False),
    Metric('rmse_log', 'RMSE log', 'depth', '', 3, False),
    Metric('abs_rel', 'abs rel', 'depth', '', 3, False, ranks_images=True),
    Metric('sq_rel', 'sq rel', 'depth', 'm', 3, False),
    Metric('log10', 'log10', 'depth', '', 3, False),
    Metric('silog', 'SILog', 'depth', '', 2, False),
    Metric('delta1', 'd<1.25', 'depth', PERCENT, 1, True),
    Metric('delta2', 'd<1.25²', 'depth', PERCENT, 1, True),
    Metric('delta3', 'd<1.25³', 'depth', PERCENT, 1, True),
    Metric('angle_mean', 'mean angle', 'normals', 'deg', 2, False, ranks_images=True),
    Metric('angle_median', 'median angle', 'normals', 'deg', 2, False),
    *(Metric(f'within_{limit:g}', f'<{limit:g} deg', 'normals', PERCENT, 1, True)
      for limit in NORMALS_LIMITS),
))  # fmt: skip

GROUPS: Mapping[str, MetricGroup] = {
    group.key: group
    for group in (
        MetricGroup('segmentation', 'segmentation', 'segmentation, one confusion matrix'),
        MetricGroup('depth_pooled', 'depth', "depth, pooled (as the paper's code)"),
        MetricGroup('depth_per_image', 'depth', 'depth, mean over images (as BTS)'),
        MetricGroup('normals', 'normals', 'normals, pooled'),
    )
}


def find_metric(key: str) -> Metric:
    """
    Return a registered metric.

    :raises TrainingError: if the metric is not registered, naming those that are.
    """
    if key not in METRICS:
        raise TrainingError(f'Metric {key!r} is unknown; known: {", ".join(METRICS)}.')
    return METRICS[key]


def metrics_of(task: str) -> tuple[Metric, ...]:
    """Return the metrics of a task, in the order of a table's columns."""
    return tuple(metric for metric in METRICS.values() if metric.task == task)


def ranking_metrics() -> tuple[Metric, ...]:
    """Return the metrics by which single images are ranked."""
    return tuple(metric for metric in METRICS.values() if metric.ranks_images)


def require_registered(keys: Iterable[str]) -> None:
    """
    Check that every metric has a row.

    :raises TrainingError: naming the first that has none.
    """
    for key in keys:
        find_metric(key)
