"""
What the options of ``hydranet export`` change, and what they cost.

Exports one checkpoint with each option, runs all model files over the same pictures, and prints
for each data set the share of labels that differ from the default's, the median difference of
depth, the mean IoU, and what a picture costs, the files taking turns::

    python -m benchmarks.experiments.export_options street.ckpt camvid:CAMVID:val --int8 CAMVID/train
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.results import interleaved, pair_ratio
from hydranet_ros.inference.engine import Engine, EngineOptions, Prediction
from hydranet_ros.network.export import export_checkpoint
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.source import parse_source
from hydranet_ros.training.metrics import ConfusionMatrix
from hydranet_ros.training.sample import Sample

DEFAULT = 'default'


def options(pictures: Path | None) -> dict[str, dict[str, Any]]:
    """
    Return the arguments of the export by the name of the option; the default comes first.

    :param pictures: folder to calibrate 8-bit integers with; ``None`` leaves them out.
    """
    found: dict[str, dict[str, Any]] = {
        DEFAULT: {},
        '--target gpu': {'target': 'gpu'},
        '--upsampling bicubic': {'upsampling': 'bicubic'},
        '--internal-scale 0.75': {'internal_scale': 0.75},
        '--internal-scale 0.5': {'internal_scale': 0.5},
    }
    return found | ({'--int8': {'int8': pictures}} if pictures else {})


@dataclass
class Tally:
    """
    What one model file is found to answer.

    :param to_default: what its metres are multiplied by to be those of the default, which may
        count for a camera of another focal length.
    """

    classes: int
    to_default: float
    pixels: int = 0
    differing: int = 0
    depth: list[float] = field(default_factory=list)
    confusion: ConfusionMatrix = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = ConfusionMatrix(self.classes)

    def add(self, sample: Sample, found: Prediction, default: Prediction) -> None:
        """Add what it says of one picture, beside what the default says."""
        if found.labels is not None and default.labels is not None:
            self.pixels += found.labels.size
            self.differing += int((found.labels != default.labels).sum())
            if sample.labels is not None:
                self.confusion.add(sample.labels, found.labels)
        if found.depth is not None and default.depth is not None:
            metres = found.depth * self.to_default
            relative = np.abs(metres - default.depth) / np.maximum(default.depth, 1.0)
            self.depth.append(float(np.median(relative)))

    def row(self) -> str:
        """Return the answers as cells of a table."""
        score = f'{self.confusion.mean_iou:.1%}' if self.confusion.counts.any() else 'no labels'
        differing = self.differing / max(self.pixels, 1)
        return f'{differing:.2%} | {np.median(self.depth or [0]):.2%} | {score}'


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table a data set."""
    parser = argparse.ArgumentParser(description='What options of the export change and cost.')
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('data', nargs='+', metavar='KIND:FOLDER[:SPLIT]')
    parser.add_argument('--preset', default='street')
    parser.add_argument('--int8', type=Path, help='pictures to calibrate 8-bit integers with')
    parser.add_argument('--limit', type=int, default=40, help='pictures of each set')
    parser.add_argument('--rounds', type=int, default=20, help='in which the files take turns')
    parser.add_argument('--threads', type=int, default=0, help='0: one a core')
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        engines = {}
        for index, (name, values) in enumerate(options(given.int8).items()):
            path = Path(folder) / f'{index}.onnx'
            export_checkpoint(given.checkpoint, given.preset, path, **values)
            engines[name] = Engine(path, EngineOptions(provider='cpu', threads=given.threads))
        for item in given.data:
            samples = open_dataset(parse_source(item))[: given.limit]
            print(f'\n{item}, {len(samples)} pictures')
            print('\n'.join(compare(engines, samples, given.rounds)))


def compare(engines: Mapping[str, Engine], samples: Sequence[Sample], rounds: int) -> list[str]:
    """Return the lines of one data set's table."""
    focal_length = engines[DEFAULT].info.training_focal_length
    tallies = {
        name: Tally(len(engine.info.classes), focal_length / engine.info.training_focal_length)
        for name, engine in engines.items()
    }
    for sample in samples:
        default = engines[DEFAULT].infer(sample.image)
        for name, engine in engines.items():
            found = default if name == DEFAULT else engine.infer(sample.image)
            tallies[name].add(sample, found, default)
    image = samples[0].image
    times = interleaved(
        {name: partial(engine.infer, image) for name, engine in engines.items()}, rounds
    )
    lines = [
        '| option | labels that differ | depth, median | mean IoU | ms | of the default |',
        '|---|---|---|---|---|---|',
    ]
    for name, series in times.items():
        ratio = pair_ratio(series, times[DEFAULT])
        lines.append(f'| {name} | {tallies[name].row()} | {series.median:.1f} | {ratio} |')
    return lines


if __name__ == '__main__':
    main()
