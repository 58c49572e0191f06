"""A contact sheet of the best and worst images of each data set, and one image per corruption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hydranet_ros.images.files import write_file
from hydranet_ros.perception.cloud_views import BACKGROUND, draw_text
from hydranet_ros.perception.colormaps import Rgb
from hydranet_ros.perception.contact_sheet import add_margin, join_row, legend, title_row
from hydranet_ros.training.evaluation.panels import depth_limits, panels
from hydranet_ros.training.evaluation.run import (
    CLEAR,
    EvalOptions,
    Evaluation,
    SetResult,
    corrupted_image,
)
from hydranet_ros.training.metric_table import find_metric, ranking_metrics

_IMAGES_OF_EACH = 3
_WIDTH = 330


@dataclass(frozen=True)
class Choice:
    """
    An image of the sheet.

    :param title: the reason why it is shown, with its metric.
    :param index: its index in the data set.
    """

    title: str
    index: int
    condition: str = CLEAR


def choose(result: SetResult, count: int = _IMAGES_OF_EACH) -> list[Choice]:
    """
    Return the best and worst clear images by each ranking metric, and the median image under
    each corruption.

    No image is chosen twice. With few images, the best come first and the rest are the worst.
    """
    found: dict[int, Choice] = {}
    median: dict[str, Any] = {}
    ranked_by = ''
    for metric in ranking_metrics():
        key = metric.key
        rows = [row for row in result.images if key in row[CLEAR]]
        ranked = sorted(rows, key=lambda row: row[CLEAR][key], reverse=metric.higher_is_better)
        worst = ranked[max(count, len(ranked) - count) :][::-1]
        for word, part in (('best', ranked[:count]), ('worst', worst)):
            for place, row in enumerate(part, 1):
                title = f'{word} {place}: {_described(row, CLEAR, key)}'
                found.setdefault(row['index'], Choice(title, row['index']))
        if ranked and not median:
            median, ranked_by = ranked[len(ranked) // 2], key
    corruptions = [name for name in result.tallies if name != CLEAR and median]
    return [*found.values(), *(
        Choice(f'{name}: {_described(median, name, ranked_by)}', median['index'], name)
        for name in corruptions
    )]  # fmt: skip


def _described(row: Mapping[str, Any], condition: str, key: str) -> str:
    return f'{row["name"]}, {find_metric(key).describe(row[condition].get(key))}'


def sheet(evaluation: Evaluation, count: int = _IMAGES_OF_EACH) -> Rgb:
    """
    Return an image with a block for each data set.

    A block shows image, truth, prediction and errors of the best and worst clear images and of
    one image under each corruption. They are predicted again.
    """
    blocks = [
        block for result in evaluation.results
        for block in _block(result, evaluation.options, count)
    ]  # fmt: skip
    width = max((block.shape[1] for block in blocks), default=_WIDTH)
    rows = [cv2.copyMakeBorder(block, 0, 0, 0, width - block.shape[1], cv2.BORDER_CONSTANT,
                               value=BACKGROUND) for block in blocks]  # fmt: skip
    return np.ascontiguousarray(add_margin(np.vstack(rows)))


def write_sheet(path: Path, evaluation: Evaluation) -> None:
    """
    Write the contact sheet as a PNG.

    :raises MediaError: if the file cannot be written.
    """
    _, data = cv2.imencode('.png', sheet(evaluation)[..., ::-1])
    write_file(path, data.tobytes())


def _block(result: SetResult, options: EvalOptions, count: int) -> Iterator[Rgb]:
    columns: tuple[str, ...] = ()
    width = 0
    for choice in choose(result, count):
        sample = result.samples[choice.index]
        image = corrupted_image(sample, choice.condition, choice.index, options)
        sample = replace(sample, image=image)
        cells = panels(result, sample, result.model.predict(sample.image))
        if tuple(cells) != columns:
            columns = tuple(cells)
            yield _titles(result.source, columns)
        row = _row(choice.title, list(cells.values()))
        width = row.shape[1]
        yield row
    if width:
        yield legend(result.model.classes, depth_limits(result), max(width, 4 * _WIDTH))


def _titles(source: str, columns: Sequence[str]) -> Rgb:
    titles = title_row(columns, _WIDTH)
    line = np.full((30, titles.shape[1], 3), BACKGROUND, np.uint8)
    draw_text(line, source, (2, 20), 0.6)
    return np.vstack([line, titles])


def _row(title: str, cells: Sequence[Rgb]) -> Rgb:
    height = round(_WIDTH * cells[0].shape[0] / cells[0].shape[1])
    row = join_row([cv2.resize(item, (_WIDTH, height), interpolation=cv2.INTER_AREA)
                  for item in cells])  # fmt: skip
    line = np.full((24, row.shape[1], 3), BACKGROUND, np.uint8)
    draw_text(line, title, (2, 17), 0.5)
    return np.vstack([line, row])
