"""
Measure a model on data sets under several conditions.

Each image is read once and measured under every condition before the next image, so that an
interrupted run still compares all conditions on the same images.
"""

from __future__ import annotations

import signal
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.training.adverse import CORRUPTIONS, corrupt
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.source import parse_source
from hydranet_ros.training.evaluation.crops import CROPS
from hydranet_ros.training.evaluation.predictors import LoadedModel, load_model
from hydranet_ros.training.evaluation.tally import GroupedMetrics, Protocol, Tally
from hydranet_ros.training.metrics import NEAREST
from hydranet_ros.training.sample import Sample, Samples

CLEAR = 'clear'
MEAN = 'mean of corruptions'


@dataclass(frozen=True)
class EvalOptions:
    """
    Options of an evaluation.

    :param crop: part of the image whose depth counts.
    :param nearest: meters; see :class:`~hydranet_ros.training.evaluation.tally.Protocol`.
    :param farthest: meters; 0 for the end of the model's range, at least 10 m.
    :param severity: severity of the corruptions, 1..5; 0 for clear images only.
    :param seed: seed of the corruptions.
    :param limit: maximum number of images of each set, evenly spread over it; 0 for all.
    :raises DatasetError: if a value is not allowed.
    """

    crop: str = 'none'
    nearest: float = NEAREST
    farthest: float = 0.0
    severity: int = 0
    seed: int = 0
    limit: int = 0

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise DatasetError(f'Crop {self.crop!r} is unknown; allowed: {", ".join(CROPS)}.')
        if self.nearest <= 0 or (self.farthest and self.farthest <= self.nearest):
            raise DatasetError(
                f'Depth from {self.nearest} to {self.farthest} m cannot be measured; allowed: '
                '0 < min-depth < max-depth.'
            )

    @property
    def conditions(self) -> tuple[str, ...]:
        """Return ``clear`` and the requested corruptions."""
        return (CLEAR, *CORRUPTIONS) if self.severity else (CLEAR,)

    def protocol(self, model: LoadedModel) -> Protocol:
        """Return the depth that counts for a model; BTS uses 80 m for streets, 10 m for rooms."""
        farthest = self.farthest or max(10.0, model.depth_range[1])
        return Protocol(self.crop, self.nearest, farthest)


@dataclass
class SetResult:
    """
    The measurements on one data set.

    :param chosen: indices of the images to measure.
    :param tallies: sums by condition.
    :param images: a row for each image: its name, index and size, and its metrics by condition.
    :param annotated: number of images with each kind of annotation.
    """

    source: str
    kind: str
    samples: Samples
    model: LoadedModel
    protocol: Protocol
    chosen: tuple[int, ...]
    tallies: dict[str, Tally]
    images: list[dict[str, Any]] = field(default_factory=list)
    annotated: dict[str, int] = field(default_factory=dict)

    def metrics(self) -> dict[str, GroupedMetrics]:
        """Return the metrics by condition, and their mean over the corruptions."""
        found = {name: tally.metrics() for name, tally in self.tallies.items()}
        corrupted = [found[name] for name in found if name != CLEAR]
        return {**found, MEAN: mean_metrics(corrupted)} if corrupted else found

    @property
    def warnings(self) -> list[str]:
        """Return what limits the metrics, one sentence each."""
        foreign = self.tallies[CLEAR].foreign_pixels
        known = int(self.tallies[CLEAR].confusion.counts.sum())
        if not foreign:
            return []
        fraction = foreign / (foreign + known)
        return [f'{fraction:.1%} of the labeled pixels have classes that the model does not have; '
                'they were left out.']  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """
    The results of one command.

    :param stopped: whether Ctrl-C ended it early.
    """

    options: EvalOptions
    results: tuple[SetResult, ...]
    stopped: bool


def mean_metrics(rows: Sequence[GroupedMetrics]) -> GroupedMetrics:
    """Return the mean of each metric over the rows that have it."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for group, values in row.items():
            for name, value in values.items():
                found.setdefault(group, {}).setdefault(name, []).append(value)
    return {group: {name: float(np.mean(values)) for name, values in names.items()}
            for group, names in found.items()}  # fmt: skip


def corrupted_image(
    sample: Sample, condition: str, index: int, options: EvalOptions
) -> NDArray[np.uint8]:
    """
    Return a sample's image under a condition.

    The random numbers depend only on the seed, the condition and the image's index in its set,
    not on the other images or on ``limit``.
    """
    if condition == CLEAR:
        return sample.image
    rng = np.random.default_rng((options.seed, zlib.crc32(condition.encode()), index))
    return corrupt(sample.image, condition, options.severity, rng, sample.depth)


def evaluate(
    model: str,
    data: Sequence[str],
    options: EvalOptions,
    *,
    model_options: Mapping[str, Any] | None = None,
    roots: Mapping[str, Path] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, source: None,
) -> Evaluation:
    """
    Measure a model on data sets; Ctrl-C ends it after the current image and keeps the results.

    :param data: ``KIND:FOLDER[:SPLIT][?options]`` each.
    :param model_options: further arguments of
        :func:`~hydranet_ros.training.evaluation.predictors.load_model`.
    :param roots: folders by the names in capitals that FOLDER may begin with.
    :param progress: called with the number of images done, the number of all images, and the
        current data set.
    :raises HydranetError: if the model or the data cannot be used, or there is nothing to
        measure.
    """
    results = [_prepare(model, text, options, model_options or {}, roots or {}) for text in data]
    total = sum(len(result.chosen) for result in results)
    done = 0
    with _ctrl_c() as stopped:
        for result in results:
            for index in result.chosen:
                if stopped():
                    break
                _measure_image(result, index, options)
                done += 1
                progress(done, total, result.source)
        ended = stopped()
    started = [result for result in results if result.images]
    for result in started:
        _require_metrics(result, ended)
    return Evaluation(options, tuple(started), ended)


def _prepare(
    model: str, text: str, options: EvalOptions, model_options: Mapping[str, Any],
    roots: Mapping[str, Path],
) -> SetResult:  # fmt: skip
    source = parse_source(text)
    samples = open_dataset(source, roots)
    if not len(samples):
        raise DatasetError(f'{text} is empty; there is nothing to measure.')
    classes = classes_of(samples)
    loaded = load_model(model, classes=classes, **model_options)
    _check_classes(loaded, classes, text)
    protocol = options.protocol(loaded)
    tallies = {
        name: Tally(max(1, len(loaded.classes)), loaded.focal_length, protocol)
        for name in options.conditions
    }
    chosen = spread(len(samples), options.limit)
    return SetResult(text, source.kind, samples, loaded, protocol, chosen, tallies)


def classes_of(samples: Any) -> tuple[ClassInfo, ...]:
    """Return the classes that a data set's labels are mapped to; empty if unknown."""
    while hasattr(samples, 'samples'):  # a reader around another
        samples = samples.samples
    return tuple(getattr(getattr(samples, 'classes', None), 'classes', ()))


def _check_classes(model: LoadedModel, classes: tuple[ClassInfo, ...], text: str) -> None:
    ours, theirs = ([item.name for item in row] for row in (model.classes, classes))
    if ours and theirs and ours != theirs:
        raise DatasetError(
            f'{text} has the classes {_short(theirs)}; the model has {_short(ours)}. Choose '
            'another class map with ?classes=NAME, or a model with these classes.'
        )


def _short(names: Sequence[str]) -> str:
    more = f', ... ({len(names)})' if len(names) > 6 else ''
    return ', '.join(names[:6]) + more


def spread(total: int, limit: int) -> tuple[int, ...]:
    """Return at most ``limit`` of the indices 0..total-1, evenly spread; 0 for all."""
    if not limit or limit >= total:
        return tuple(range(total))
    return tuple(int((2 * i + 1) * total / (2 * limit)) for i in range(limit))


def _measure_image(result: SetResult, index: int, options: EvalOptions) -> None:
    sample = result.samples[index]
    row: dict[str, Any] = {
        'name': sample.name, 'index': index, 'size': list(sample.image.shape[1::-1]),
        'focal_length': sample.focal_length or None,
    }  # fmt: skip
    for condition, tally in result.tallies.items():
        image = corrupted_image(sample, condition, index, options)
        row[condition] = tally.add(sample, result.model.predict(image))
    for name in ('labels', 'depth', 'normals'):
        given = getattr(sample, name) is not None
        result.annotated[name] = result.annotated.get(name, 0) + given
    result.images.append(row)


def _require_metrics(result: SetResult, stopped: bool) -> None:
    if result.tallies[CLEAR].metrics() or stopped:
        return
    found = ', '.join(f'{count} with {name}' for name, count in result.annotated.items())
    limits = result.protocol
    raise DatasetError(
        f'{result.source}: there is nothing to measure. The data set has {len(result.images)} '
        f'images, {found}; the model predicts {", ".join(result.model.tasks)}. Depth counts '
        f'between {limits.nearest:g} and {limits.farthest:g} m within the crop {limits.crop!r}.'
    )


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C was pressed; a second press interrupts."""
    pressed = False

    def note(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
