"""
Effect of the options of ``hydranet export`` on results and run time.

Exports one checkpoint with each option and runs all models on the same images, in ONNX Runtime on
the CPU. The default is the form that is rewritten for it; ``portable form`` is the other one. For
each data set it prints the share of labels that differ from the default, the median difference of
depth, the mean IoU, and the interleaved time of one image::

    python -m benchmarks.experiments.export_options street.ckpt camvid:CAMVID:val \\
        --int8 CAMVID/train
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    markdown_table,
    write_json,
)
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.results import pair_ratio
from hydranet_ros.inference.engine import Engine, EngineOptions, Prediction
from hydranet_ros.model_files.forms import sibling
from hydranet_ros.network.export import export_checkpoint
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.source import parse_source
from hydranet_ros.training.metrics import ConfusionMatrix
from hydranet_ros.training.sample import Sample

NAME = 'export_options'
DEFAULT = 'default'
PORTABLE = 'portable form'
HEADER = ('option', 'labels that differ', 'depth difference, median', 'mean IoU', 'ms',
          'time / default')  # fmt: skip


def export_options(calibration: Path | None) -> dict[str, dict[str, Any]]:
    """
    Return the arguments of the export by option; the default comes first.

    :param calibration: folder of images to calibrate 8-bit integers; ``None`` leaves them out.
    """
    found: dict[str, dict[str, Any]] = {
        DEFAULT: {},
        PORTABLE: {},
        '--upsampling bicubic': {'upsampling': 'bicubic'},
        '--internal-scale 0.75': {'internal_scale': 0.75},
        '--internal-scale 0.5': {'internal_scale': 0.5},
    }
    return found | ({'--int8': {'int8': calibration}} if calibration else {})


@dataclass
class Comparison:
    """
    Predictions of one model file, compared with those of the default.

    :param depth_factor: factor from its depth to that of the default, whose training camera may
        have another focal length.
    """

    classes: int
    depth_factor: float
    pixels: int = 0
    differing: int = 0
    depth: list[float] = field(default_factory=list)
    confusion: ConfusionMatrix = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = ConfusionMatrix(self.classes)

    def add(self, sample: Sample, found: Prediction, default: Prediction) -> None:
        """Add the predictions for one image."""
        if found.labels is not None and default.labels is not None:
            self.pixels += found.labels.size
            self.differing += int((found.labels != default.labels).sum())
            if sample.labels is not None:
                self.confusion.add(sample.labels, found.labels)
        if found.depth is not None and default.depth is not None:
            meters = found.depth * self.depth_factor
            relative = np.abs(meters - default.depth) / np.maximum(default.depth, 1.0)
            self.depth.append(float(np.median(relative)))

    def cells(self) -> tuple[str, str, str]:
        """Return the table cells: share of labels, difference of depth, mean IoU."""
        score = f'{self.confusion.mean_iou:.1%}' if self.confusion.counts.any() else 'no labels'
        share = self.differing / max(self.pixels, 1)
        return f'{share:.2%}', f'{np.median(self.depth or [0]):.2%}', score


def compare(
    engines: Mapping[str, Engine], samples: Sequence[Sample], rounds: int
) -> list[tuple[str, ...]]:
    """Return the rows of one data set's table."""
    focal_length = engines[DEFAULT].info.training_focal_length
    comparisons = {
        name: Comparison(
            len(engine.info.classes), focal_length / engine.info.training_focal_length
        )
        for name, engine in engines.items()
    }
    for sample in samples:
        default = engines[DEFAULT].infer(sample.image)
        for name, engine in engines.items():
            found = default if name == DEFAULT else engine.infer(sample.image)
            comparisons[name].add(sample, found, default)
    image = samples[0].image
    times = interleaved(
        {name: partial(engine.infer, image) for name, engine in engines.items()}, rounds
    )
    return [
        (name, *comparisons[name].cells(), f'{series.median:.1f}',
         str(pair_ratio(series, times[DEFAULT])))
        for name, series in times.items()
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table for each data set."""
    parser = argument_parser(__doc__, NAME)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('data', nargs='+', metavar='KIND:FOLDER[:SPLIT]')
    parser.add_argument('--preset', default='street', help='preset of the checkpoint')
    parser.add_argument('--int8', type=Path, help='images to calibrate 8-bit integers')
    parser.add_argument('--limit', type=int, default=40, help='images of each data set')
    parser.add_argument('--rounds', type=int, default=20, help='rounds of the interleaved run')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads; 0: one per core')
    given = parser.parse_args(arguments)
    tables: dict[str, list[tuple[str, ...]]] = {}
    with exit_on_error(NAME), tempfile.TemporaryDirectory() as folder:
        engines = {}
        for index, (name, values) in enumerate(export_options(given.int8).items()):
            path = Path(folder) / f'{index}.onnx'
            export_checkpoint(given.checkpoint, given.preset, path, **values)
            if name == PORTABLE:
                sibling(path, 'cpu').unlink()
            precision = 'int8' if 'int8' in values else 'float32'
            engines[name] = Engine(path, EngineOptions('cpu', precision, given.threads))
        for item in given.data:
            samples = open_dataset(parse_source(item))[: given.limit]
            tables[item] = compare(engines, samples, given.rounds)
            print(f'\n{item}, {len(samples)} images\n')
            print(markdown_table(HEADER, tables[item]))
    write_json({'header': HEADER, 'tables': tables}, given.json)


if __name__ == '__main__':
    main()
