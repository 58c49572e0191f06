"""
Bilinear against bicubic upsampling of logits and depth.

Exports one checkpoint both ways, runs both model files over the same annotated pictures, and
prints the share of labels that differ, the median difference of depth, the mean IoU of each, and
what a frame costs with each::

    python benchmarks/upsampling.py street.ckpt camvid:CAMVID:val coloured:KITTI --limit 40
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hydranet_ros.engine import Engine, EngineOptions, Prediction
from hydranet_ros.network.deployed import UPSAMPLINGS
from hydranet_ros.network.export import export_checkpoint
from hydranet_ros.training.data.catalogue import open_dataset
from hydranet_ros.training.data.source import parse_source
from hydranet_ros.training.metrics import ConfusionMatrix
from hydranet_ros.training.sample import Sample


@dataclass
class Tally:
    """What is added up over the pictures, by upsampling where it belongs to one."""

    classes: int
    pixels: int = 0
    differing: int = 0
    depth: list[float] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in UPSAMPLINGS}
    )
    confusion: dict[str, ConfusionMatrix] = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = {name: ConfusionMatrix(self.classes) for name in UPSAMPLINGS}

    def add(self, sample: Sample, engines: dict[str, Engine]) -> None:
        """Run both engines, one after the other, on one picture."""
        found = {name: self._timed(name, engine, sample) for name, engine in engines.items()}
        first, second = (found[name] for name in UPSAMPLINGS)
        if first.labels is not None and second.labels is not None:
            self.pixels += first.labels.size
            self.differing += int((first.labels != second.labels).sum())
        if first.depth is not None and second.depth is not None:
            relative = np.abs(first.depth - second.depth) / np.maximum(first.depth, 1.0)
            self.depth.append(float(np.median(relative)))
        for name, prediction in found.items():
            if sample.labels is not None and prediction.labels is not None:
                self.confusion[name].add(sample.labels, prediction.labels)

    def _timed(self, name: str, engine: Engine, sample: Sample) -> Prediction:
        started = time.perf_counter()
        prediction = engine.infer(sample.image)
        self.seconds[name].append(time.perf_counter() - started)
        return prediction

    def report(self) -> str:
        """Return the result as lines."""
        lines = [
            f'labels that differ    {self.differing / max(self.pixels, 1):.3%} of {self.pixels}',
            f'depth, median         {np.median(self.depth or [0]):.3%} relative',
        ]
        for name in UPSAMPLINGS:
            matrix = self.confusion[name]
            score = f'mean IoU {matrix.mean_iou:.4f}' if matrix.counts.any() else 'no labels'
            fastest = 1e3 * min(self.seconds[name])
            median = 1e3 * float(np.median(self.seconds[name]))
            lines.append(f'{name:21} {score}, {fastest:.1f} ms at best, {median:.1f} ms median')
        return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one block of lines a data set."""
    parser = argparse.ArgumentParser(description='Bilinear against bicubic upsampling.')
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('data', nargs='+', metavar='KIND:FOLDER[:SPLIT]')
    parser.add_argument('--preset', default='street')
    parser.add_argument('--limit', type=int, default=40, help='pictures of each set')
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        engines = {}
        for name in UPSAMPLINGS:
            path = Path(folder) / f'{name}.onnx'
            export_checkpoint(given.checkpoint, given.preset, path, upsampling=name)
            engines[name] = Engine(path, EngineOptions(provider='cpu'))
        for item in given.data:
            print(item)
            print(_compare(engines, open_dataset(parse_source(item))[: given.limit]))


def _compare(engines: dict[str, Engine], samples: Sequence[Sample]) -> str:
    tally = Tally(len(engines[UPSAMPLINGS[0]].info.classes))
    for engine in engines.values():
        engine.warm_up(*samples[0].image.shape[:2])
    for sample in samples:
        tally.add(sample, engines)
    return tally.report()


if __name__ == '__main__':
    main()
