"""
``hydranet eval``: data sets x conditions x images.

Each image is read once and measured under every condition before the next, so that a run that is
stopped compares all conditions over the same images.
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
from hydranet_ros.training.evaluation.predictors import LoadedModel, open_model
from hydranet_ros.training.evaluation.tally import Figures, Protocol, Tally
from hydranet_ros.training.metrics import NEAREST
from hydranet_ros.training.sample import Sample, Samples

CLEAR = 'clear'
MEAN = 'mean of corruptions'


@dataclass(frozen=True)
class EvalOptions:
    """
    How to measure.

    :param crop: part of the image whose depth counts.
    :param nearest: metres; see :class:`~hydranet_ros.training.evaluation.tally.Protocol`.
    :param farthest: metres; 0 for the end of the model's range, 10 m at least.
    :param severity: of the adverse corruptions, 1..5; 0 for clear images only.
    :param seed: of the corruptions.
    :param limit: at most so many images of each set, spread over it; 0 for all.
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
        """Return ``clear`` and the corruptions asked for."""
        return (CLEAR, *CORRUPTIONS) if self.severity else (CLEAR,)

    def protocol(self, model: LoadedModel) -> Protocol:
        """Return which depth counts for a model; BTS takes 80 m for streets, 10 m for rooms."""
        farthest = self.farthest or max(10.0, model.depth_range[1])
        return Protocol(self.crop, self.nearest, farthest)


@dataclass
class SetResult:
    """
    What was measured on one data set.

    :param chosen: indices of the images to measure.
    :param tallies: by condition.
    :param images: one row an image: its name, index, size, and by condition its own figures.
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

    def figures(self) -> dict[str, Figures]:
        """Return the figures by condition, and their mean over the corruptions."""
        found = {name: tally.figures() for name, tally in self.tallies.items()}
        corrupted = [found[name] for name in found if name != CLEAR]
        return {**found, MEAN: mean_figures(corrupted)} if corrupted else found

    @property
    def warnings(self) -> list[str]:
        """Return what a reader of the figures should know."""
        foreign = self.tallies[CLEAR].foreign_pixels
        known = int(self.tallies[CLEAR].confusion.counts.sum())
        if not foreign:
            return []
        share = foreign / (foreign + known)
        return [f'{share:.1%} of the labelled pixels have classes that the model does not know; '
                'they were left out.']  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """All results of one command; ``stopped`` by Ctrl-C."""

    options: EvalOptions
    results: tuple[SetResult, ...]
    stopped: bool


def mean_figures(rows: Sequence[Figures]) -> Figures:
    """Return the mean of each figure over the rows that have it."""
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

    The random numbers depend on the seed, the condition and the image's index in its set alone:
    neither on the other images nor on ``limit``.
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
    opener: Mapping[str, Any] | None = None,
    roots: Mapping[str, Path] | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Evaluation:
    """
    Measure a model on data sets; Ctrl-C ends it after the image at hand, with what was done.

    :param data: ``KIND:FOLDER[:SPLIT][?options]`` each.
    :param opener: further arguments of
        :func:`~hydranet_ros.training.evaluation.predictors.open_model`.
    :param roots: what the capital names of the data sources stand for.
    :param progress: told images done, images in all, and the set at hand.
    :raises HydranetError: if the model or the data cannot be used, or there is nothing to
        measure.
    """
    results = [_prepare(model, text, options, opener or {}, roots or {}) for text in data]
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
        _require_figures(result, ended)
    return Evaluation(options, tuple(started), ended)


def _prepare(
    model: str, text: str, options: EvalOptions, opener: Mapping[str, Any],
    roots: Mapping[str, Path],
) -> SetResult:  # fmt: skip
    source = parse_source(text)
    samples = open_dataset(source, roots)
    if not len(samples):
        raise DatasetError(f'{text} is empty: there is nothing to measure.')
    classes = classes_of(samples)
    loaded = open_model(model, classes=classes, **opener)
    _check_classes(loaded, classes, text)
    protocol = options.protocol(loaded)
    tallies = {
        name: Tally(max(1, len(loaded.classes)), loaded.focal_length, protocol)
        for name in options.conditions
    }
    chosen = spread(len(samples), options.limit)
    return SetResult(text, source.kind, samples, loaded, protocol, chosen, tallies)


def classes_of(samples: Any) -> tuple[ClassInfo, ...]:
    """Return the classes that a data set's labels are mapped to; empty where it does not say."""
    while hasattr(samples, 'samples'):  # a reader around another
        samples = samples.samples
    return tuple(getattr(getattr(samples, 'classes', None), 'classes', ()))


def _check_classes(model: LoadedModel, classes: tuple[ClassInfo, ...], text: str) -> None:
    ours, theirs = ([item.name for item in row] for row in (model.classes, classes))
    if ours and theirs and ours != theirs:
        raise DatasetError(
            f'{text} has the classes {_short(theirs)}, the model {_short(ours)}. Choose another '
            'class map with ?classes=NAME, or a model of these classes.'
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


def _require_figures(result: SetResult, stopped: bool) -> None:
    if result.tallies[CLEAR].figures() or stopped:
        return
    found = ', '.join(f'{count} with {name}' for name, count in result.annotated.items())
    limits = result.protocol
    raise DatasetError(
        f'{result.source}: there is nothing to measure. Of {len(result.images)} images {found}; '
        f'the model has {", ".join(result.model.tasks)}. Depth counts between {limits.nearest:g} '
        f'and {limits.farthest:g} m within the crop {limits.crop!r}.'
    )


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed; the second press ends at once."""
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
