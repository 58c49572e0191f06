"""The best and the worst images of each data set, and one in bad weather, as one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.perception.colormaps import (
    color_depth,
    color_labels,
    color_normals,
    overlay,
    palette,
)
from hydranet_ros.perception.contact_sheet import (
    BACKGROUND,
    Picture,
    header,
    joined,
    legend,
    padded,
    write_text,
)
from hydranet_ros.training.evaluation.report import write_file
from hydranet_ros.training.evaluation.run import (
    CLEAR,
    EvalOptions,
    Evaluation,
    SetResult,
    corrupted_image,
)
from hydranet_ros.training.evaluation.tables import shown
from hydranet_ros.training.evaluation.tally import metric_depth
from hydranet_ros.training.metrics import angles_between
from hydranet_ros.training.sample import Sample

RELATIVE_LIMIT = 0.5
ANGLE_LIMIT = 60.0
_SHOWN = 3
_SPARSE = 0.3
_WIDTH = 330
# Figure that images are ranked by, and whether more of it is better.
_RANKED_BY = {'miou': True, 'abs_rel': False, 'angle_mean': False}
_FIGURES = {'miou': 'mIoU', 'abs_rel': 'abs rel', 'angle_mean': 'mean angle'}
_WRONG = np.array((230, 30, 30), np.float32)


@dataclass(frozen=True)
class Choice:
    """An image to show, and why."""

    title: str
    index: int
    condition: str = CLEAR


def choose(result: SetResult, count: int = _SHOWN) -> list[Choice]:
    """
    Return the best and worst clear images by each figure that the set has, none twice, and the
    middle one under each corruption.

    With few images the best come first and the worst are those that remain.
    """
    found: dict[int, Choice] = {}
    middle: dict[str, Any] = {}
    figure = ''
    for name, more_is_better in _RANKED_BY.items():
        rows = [row for row in result.images if name in row[CLEAR]]
        ranked = sorted(rows, key=lambda row: row[CLEAR][name], reverse=more_is_better)
        worst = ranked[max(count, len(ranked) - count) :][::-1]
        for word, part in (('best', ranked[:count]), ('worst', worst)):
            for place, row in enumerate(part, 1):
                title = f'{word} {place}: {_described(row, CLEAR, name)}'
                found.setdefault(row['index'], Choice(title, row['index']))
        if ranked and not middle:
            middle, figure = ranked[len(ranked) // 2], name
    weather = [name for name in result.tallies if name != CLEAR and middle]
    return [*found.values(), *(
        Choice(f'{name}: {_described(middle, name, figure)}', middle['index'], name)
        for name in weather
    )]  # fmt: skip


def _described(row: Mapping[str, Any], condition: str, figure: str) -> str:
    unit = ' %' if figure == 'miou' else ''
    value = row[condition].get(figure)
    return f'{row["name"]}, {_FIGURES[figure]} {shown(figure, value)}{unit}'


def sheet(evaluation: Evaluation, count: int = _SHOWN) -> Picture:
    """
    Return a picture with a block a data set: image, truth, prediction and errors of the best and
    worst clear images, and of one under each corruption; they are predicted once more.
    """
    blocks = [
        block for result in evaluation.results
        for block in _block(result, evaluation.options, count)
    ]  # fmt: skip
    width = max((block.shape[1] for block in blocks), default=_WIDTH)
    rows = [cv2.copyMakeBorder(block, 0, 0, 0, width - block.shape[1], cv2.BORDER_CONSTANT,
                               value=BACKGROUND) for block in blocks]  # fmt: skip
    return np.ascontiguousarray(padded(np.vstack(rows)))


def write_sheet(path: Path, evaluation: Evaluation) -> None:
    """
    Write the contact sheet as a PNG.

    :raises MediaError: if the file cannot be written.
    """
    _, data = cv2.imencode('.png', sheet(evaluation)[..., ::-1])
    write_file(path, data.tobytes())


def _block(result: SetResult, options: EvalOptions, count: int) -> Iterator[Picture]:
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
        yield legend(result.model.classes, _shown_depth(result), max(width, 4 * _WIDTH))


def _titles(source: str, columns: Sequence[str]) -> Picture:
    titles = header(columns, _WIDTH)
    line = np.full((30, titles.shape[1], 3), BACKGROUND, np.uint8)
    write_text(line, source, (2, 20), 0.6)
    return np.vstack([line, titles])


def _row(title: str, pictures: Sequence[Picture]) -> Picture:
    height = round(_WIDTH * pictures[0].shape[0] / pictures[0].shape[1])
    cells = [cv2.resize(item, (_WIDTH, height), interpolation=cv2.INTER_AREA)
             for item in pictures]  # fmt: skip
    row = joined(cells)
    line = np.full((24, row.shape[1], 3), BACKGROUND, np.uint8)
    write_text(line, title, (2, 17), 0.5)
    return np.vstack([line, row])


def panels(result: SetResult, sample: Sample, found: Mapping[str, NDArray]) -> dict[str, Picture]:
    """Return the pictures of one image by their titles, those that its annotations allow."""
    pictures = {'image': sample.image}
    makers: tuple[Callable[..., dict[str, Picture]], ...] = (_labels, _depth, _normals)
    for name, maker in zip(('labels', 'depth', 'normals'), makers):
        if name in found:
            pictures.update(maker(result, sample, found[name]))
    return pictures


def _labels(result: SetResult, sample: Sample, found: NDArray) -> dict[str, Picture]:
    table = palette(result.model.classes)
    found = np.ascontiguousarray(found.astype(np.uint8))
    pictures = {'predicted classes': overlay(sample.image, color_labels(found, table), 0.6)}
    if sample.labels is None:
        return pictures
    known = sample.labels < len(result.model.classes)
    coloured = color_labels(np.ascontiguousarray(sample.labels), table)
    truth = overlay(sample.image, coloured, 0.6)
    truth[~known] //= 3
    errors = (sample.image * 0.35).astype(np.float32)
    errors[~known] = 0
    wrong = known & (found != sample.labels)
    errors[wrong] = 0.3 * errors[wrong] + 0.7 * _WRONG
    return {'true classes': truth, **pictures, 'wrong classes (red)': errors.astype(np.uint8)}


def _depth(result: SetResult, sample: Sample, found: NDArray) -> dict[str, Picture]:
    limits = _shown_depth(result)
    metres = np.abs(metric_depth(found, sample, result.model.focal_length)).astype(np.float32)
    pictures = {'predicted depth': color_depth(metres, limits)}
    if sample.depth is None:
        return pictures
    known = sample.depth > 0
    safe = np.where(known, sample.depth, np.nan).astype(np.float32)
    relative = np.abs(metres - safe) / safe
    truth, error = (_thickened(item, known) for item in (safe, relative))
    return {
        'true depth': color_depth(truth, limits), **pictures,
        f'relative error, 0 to {RELATIVE_LIMIT:.0%}': _heat(error / RELATIVE_LIMIT),
    }  # fmt: skip


def _shown_depth(result: SetResult) -> tuple[float, float]:
    """Return the metres that colours stand for; all depth may count, but not be shown."""
    return 0.0, min(result.protocol.farthest, max(10.0, result.model.depth_range[1]))


def _normals(result: SetResult, sample: Sample, found: NDArray) -> dict[str, Picture]:
    pictures = {'predicted normals': color_normals(found.astype(np.float32))}
    if sample.normals is None:
        return pictures
    known = (sample.normals != 0).any(-1)
    angles = angles_between(sample.normals.reshape(-1, 3), found.reshape(-1, 3))
    angles = np.where(known, angles.reshape(known.shape), np.nan)
    truth = color_normals(sample.normals)
    truth[~known] = 0
    return {
        'true normals': truth, **pictures,
        f'angle, 0 to {ANGLE_LIMIT:g} degrees': _heat(angles / ANGLE_LIMIT),
    }  # fmt: skip


def _thickened(values: NDArray, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Spread the points of a sparse map, such as that of a lidar, so that they can be seen."""
    if known.mean() > _SPARSE:
        return values.astype(np.float32)
    spread = cv2.erode(np.where(known, values, np.inf).astype(np.float32), np.ones((5, 5)))
    return np.where(np.isfinite(spread), spread, np.nan).astype(np.float32)


def _heat(share: NDArray) -> Picture:
    """Return 0..1 as dark to bright; NaN is black."""
    index = np.nan_to_num(np.clip(share, 0, 1) * 255, nan=0).astype(np.uint8)
    picture = cv2.applyColorMap(index, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    picture[np.isnan(share)] = 0
    return picture
