"""
The official example beside this package, from an image to labels, depth and a colored mask.

The official example normalizes with NumPy, runs eager PyTorch (NCHW float32, batch norm not fused,
5x5 max pools), resizes logits and depth with cubic ``cv2.resize``, and applies argmax and a
palette. This package runs :class:`~hydranet_ros.perception.pipeline.Perception` with the same
weights, exported as ``hydranet export`` does: with bilinear upsampling (the default) and with the
official bicubic upsampling.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.agreement import assert_agree
from benchmarks.harness.inputs import SIZES, digest, make_image, size_name
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Chart, Metric, Series, SuiteResult, Table, pair_ratio
from benchmarks.models.official_network import export_model, official_network
from hydranet_ros.errors import BenchError, MissingDependencyError

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet

UPSAMPLINGS = ('bilinear', 'bicubic')
OFFICIAL = 'official example'
OURS = {name: f'hydranet_ros, {name}' for name in UPSAMPLINGS}
# Bilinear and bicubic upsampling place class borders slightly differently; with the same
# upsampling only rounding differs.
MIN_EQUAL_LABELS = {'bilinear': 0.95, 'bicubic': 0.999}
DEPTH_TOLERANCE = {'bilinear': 0.1, 'bicubic': 1e-4}
_MEAN = np.array([0.485, 0.456, 0.406]).reshape((1, 1, 3))
_STD = np.array([0.229, 0.224, 0.225]).reshape((1, 1, 3))
_ROUNDS, _QUICK_ROUNDS = 10, 3


@dataclass(frozen=True)
class Result:
    """
    Result of one image.

    :param labels: (H, W) uint8 or int64 class ids.
    :param depth: (H, W) float32 meters; ours is NaN for classes without a surface.
    :param color: (H, W, 3) uint8 RGB.
    """

    labels: NDArray
    depth: NDArray[np.float32]
    color: NDArray[np.uint8]


@dataclass
class OfficialExample:
    """
    The steps of the official example.

    :param palette: (256, 3) uint8 RGB.
    :param stages: milliseconds of each step, one value an image.
    """

    network: HydraNet
    palette: NDArray[np.uint8]
    stages: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, image: NDArray[np.uint8]) -> Result:
        """Process an image, (H, W, 3) uint8 RGB."""
        import cv2
        import torch

        lap = self._stopwatch()
        normalized = (image * (1.0 / 255) - _MEAN) / _STD
        tensor = torch.from_numpy(normalized.transpose(2, 0, 1)[None]).float()
        lap('normalize')
        with torch.no_grad():
            found = self.network(tensor)
        lap('network')
        size = image.shape[1::-1]
        logits, depth = (found[name][0].numpy() for name in ('segmentation', 'depth'))
        full = cv2.resize(logits.transpose(1, 2, 0), size, interpolation=cv2.INTER_CUBIC)
        full_depth = cv2.resize(depth[0], size, interpolation=cv2.INTER_CUBIC)
        lap('two cubic resizes')
        labels = full.argmax(axis=2)
        lap('argmax')
        result = Result(labels, np.abs(full_depth), self.palette[labels])
        lap('absolute depth, palette')
        return result

    def _stopwatch(self) -> Callable[[str], None]:
        last = time.perf_counter()

        def lap(name: str) -> None:
            nonlocal last
            now = time.perf_counter()
            self.stages.setdefault(name, []).append(1e3 * (now - last))
            last = now

        return lap


def run(options: BenchOptions, progress: Callable[[str], None]) -> SuiteResult:
    """
    Measure both on the same images with the same weights.

    :raises MissingDependencyError: without torch and onnx.
    :raises BenchError: if the results differ.
    """
    from hydranet_ros.perception.colormaps import palette

    torch = _torch()
    torch.set_num_threads(options.threads)
    sizes = SIZES[:1] if options.quick else SIZES
    rounds = min(options.rounds, _QUICK_ROUNDS if options.quick else _ROUNDS)
    metrics: dict[str, Metric] = {
        f'speedup_{size_name(size)}': None for size in SIZES[len(sizes) :]
    }
    tables, inputs, runs = [], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        progress('exporting with bilinear and bicubic upsampling')
        network = official_network()
        ours = {
            name: _perception(export_model(network, Path(folder) / f'{name}.onnx', name), options)
            for name in UPSAMPLINGS
        }
        example = OfficialExample(network, palette(ours['bilinear'].engine.info.classes))
        for size in sizes:
            title = size_name(size)
            progress(f'{title}, {rounds} rounds')
            image = make_image(*size)
            inputs[f'image_{title}'] = digest(image)
            equal = _check(example, ours, image)
            runs[title] = _time(example, ours, image, rounds)
            found = equal | _metrics(runs[title])
            metrics |= {f'{key}_{title}': value for key, value in found.items()}
            tables.append(_table(runs[title], example, rounds, title))
    notes = _notes(options, torch.__version__)
    return SuiteResult('official', metrics, tables, notes, inputs, runs, _chart(list(runs)))


def _chart(runs: list[str]) -> Chart:
    return Chart(
        'Image to labels, depth and colored mask', runs, (*OURS.values(), OFFICIAL),
        tuple(OURS.values()), OURS['bilinear'],
    )  # fmt: skip


def _torch() -> Any:
    try:
        import torch
    except ImportError as err:
        raise MissingDependencyError(
            "The official example needs PyTorch; pip install 'hydranet_ros[train]'."
        ) from err
    return torch


def _perception(model: Path, options: BenchOptions) -> Any:
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.perception.pipeline import Perception

    return Perception(Engine(model, EngineOptions(provider='cpu', threads=options.threads)))


def _outputs() -> frozenset[Any]:
    from hydranet_ros.perception.outputs import Output

    return frozenset({Output.MASK, Output.DEPTH, Output.COLOR})


def _check(
    example: OfficialExample, ours: dict[str, Any], image: NDArray[np.uint8]
) -> dict[str, Metric]:
    """Return the share of equal labels, by upsampling."""
    reference = example(image)
    found: dict[str, Metric] = {}
    for name, perception in ours.items():
        result = perception.process(image, wanted=_outputs())
        equal = compare(Result(result.labels, result.depth, result.color), reference, name)
        found[f'equal_labels_{name}'] = round(equal, 5)
    return found


def _time(
    example: OfficialExample, ours: dict[str, Any], image: NDArray[np.uint8], rounds: int
) -> dict[str, Series]:
    outputs = _outputs()
    example.stages.clear()
    variants: dict[str, Callable[[], object]] = {
        OFFICIAL: lambda: example(image),
        **{
            OURS[name]: partial(perception.process, image, wanted=outputs)
            for name, perception in ours.items()
        },
    }
    return interleaved(variants, rounds, warm_up=1)


def compare(ours: Result, reference: Result, upsampling: str) -> float:
    """
    Return the share of pixels with equal labels.

    :raises BenchError: if it is too small, or depth or colors differ.
    """
    equal = ours.labels == reference.labels
    share = float(equal.mean())
    if share < MIN_EQUAL_LABELS[upsampling]:
        raise BenchError(
            f'{upsampling}: {share:.3%} of the labels equal those of the official example; '
            f'expected at least {MIN_EQUAL_LABELS[upsampling]:.1%}.'
        )
    known = np.isfinite(ours.depth)
    assert_agree(
        f'depth, {upsampling}', ours.depth[known], reference.depth[known],
        DEPTH_TOLERANCE[upsampling],
    )  # fmt: skip
    if not np.array_equal(ours.color[equal], reference.color[equal]):
        raise BenchError(f'{upsampling}: colors differ where the labels are equal.')
    return share


def _metrics(times: dict[str, Series]) -> dict[str, Metric]:
    official, ours = times[OFFICIAL], times[OURS['bilinear']]
    return {
        'speedup': round(pair_ratio(official, ours).median, 3),
        'speedup_bicubic': round(pair_ratio(official, times[OURS['bicubic']]).median, 3),
        'official_ms': round(official.median, 3),
        'ours_ms': round(ours.median, 3),
    }


def _table(times: dict[str, Series], example: OfficialExample, rounds: int, title: str) -> Table:
    official = times[OFFICIAL]
    rows = [_row(OFFICIAL, official, '')]
    for name, values in example.stages.items():
        rows.append(_row(f'  {name}', Series(name, tuple(values[-rounds:])), ''))
    for name in OURS.values():
        rows.append(_row(name, times[name], str(pair_ratio(official, times[name]))))
    return Table(
        f'Image to labels, depth and colored mask, {title}',
        ('', 'median ms', 'p95 ms', 'official / ours'), rows,
    )  # fmt: skip


def _row(name: str, series: Series, ratio: str) -> tuple[str, ...]:
    return (name, f'{series.median:.1f}', f'{series.p95:.1f}', ratio)


def _notes(options: BenchOptions, version: str) -> list[str]:
    notes = [
        'Both have the same random weights; the run time does not depend on them.',
        f'{OFFICIAL}: eager PyTorch {version}, {options.threads} threads, the steps of the '
        'official notebook. hydranet_ros: ONNX Runtime through Perception, same threads.',
        'The default upsampling is bilinear, the official one bicubic; speedup_bicubic compares '
        'equal upsampling.',
    ]
    if options.quick:
        notes.append(f'Quick mode: {size_name(SIZES[1])} was left out.')
    return notes
