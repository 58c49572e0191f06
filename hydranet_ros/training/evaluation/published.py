"""Published metrics, shown beside ours; only those read in a named source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hydranet_ros.errors import PresetError, TrainingError
from hydranet_ros.model_files.yaml_config import load_yaml
from hydranet_ros.resources import config_file
from hydranet_ros.training.metric_table import GROUPS, find_metric

FILE = 'evaluation/published.yaml'


@dataclass(frozen=True)
class PublishedRow:
    """
    One row of a published table.

    :param source: where the metrics were read.
    :param note: how it differs from our measurement.
    :param data: kinds of data sets beside which it is shown.
    :param metrics: as :data:`~hydranet_ros.training.evaluation.tally.GroupedMetrics`: fractions
        of 0..1, meters, degrees.
    :raises PresetError: if a group or a metric is not registered.
    """

    name: str
    source: str
    note: str
    data: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        for group, values in self.metrics.items():
            if group not in GROUPS:
                raise PresetError(f'metrics: {group!r} is unknown; known: {", ".join(GROUPS)}.')
            for key in values:
                _check(group, key)


def _check(group: str, key: str) -> None:
    try:
        task = find_metric(key).task
    except TrainingError as err:
        raise PresetError(f'metrics.{group}: {err}') from err
    if task != GROUPS[group].task:
        raise PresetError(f'metrics.{group} has {key!r}, a metric of {task}.')


def published_rows(kind: str = '') -> tuple[PublishedRow, ...]:
    """
    Return the rows of a kind of data set, or all rows.

    :raises PresetError: if the installed file is missing or malformed.
    """
    rows = load_yaml(config_file(FILE), tuple[PublishedRow, ...])
    return tuple(row for row in rows if not kind or kind in row.data)
