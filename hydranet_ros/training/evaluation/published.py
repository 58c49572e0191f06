"""The paper's figures, to stand beside ours; only those read in a named source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from hydranet_ros.errors import PresetError
from hydranet_ros.resources import config_file

FILE = 'evaluation/published.yaml'
_KEYS = {'name', 'source', 'note', 'data', 'figures'}


@dataclass(frozen=True)
class PublishedRow:
    """
    One row of somebody's table.

    :param source: where the figures were read.
    :param note: how it differs from what we measure.
    :param data: kinds of data sets beside which it is shown.
    :param figures: as :data:`~hydranet_ros.training.evaluation.tally.Figures`: shares as 0..1,
        metres, degrees.
    """

    name: str
    source: str
    note: str
    data: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float]]


def published_rows(kind: str = '') -> tuple[PublishedRow, ...]:
    """
    Return the rows of a kind of data set, or all.

    :raises PresetError: if the file that ships is missing or malformed.
    """
    path = config_file(FILE)
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
        rows = [_row(item, str(path)) for item in raw['rows']]
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as err:
        raise PresetError(f'{path} cannot be read: {err!r}. Install the package again.') from err
    return tuple(row for row in rows if not kind or kind in row.data)


def _row(raw: Mapping[str, Any], where: str) -> PublishedRow:
    if set(raw) != _KEYS:
        raise PresetError(f'{where}: a row has {sorted(raw)}; expected {sorted(_KEYS)}.')
    return PublishedRow(
        raw['name'], raw['source'], raw['note'], tuple(raw['data']),
        {group: {key: float(value) for key, value in values.items()}
         for group, values in raw['figures'].items()},
    )  # fmt: skip
