"""
What users of the official code run today, against this package, from image to mask and depth.

The official example: NumPy normalisation, eager PyTorch (NCHW float32, batch norm unfused, 5x5
max pools), ``cv2.resize`` with cubic interpolation of the logits and of the depth, argmax,
palette. Ours: :class:`~hydranet_ros.perception.pipeline.Perception` on the same image with the same
weights, exported as ``hydranet export`` does.

Ours resamples bilinearly unless the user asks for the official bicubic; both are measured.
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

from benchmarks.suites.material import SIZES, digest, picture, size_name
from benchmarks.suites.official import export_ours, official_network
from benchmarks.suites.result import (
    BenchOptions,
    Figure,
    PartResult,
    Series,
    Table,
    assert_agree,
    interleaved,
    pair_ratio,
)
from hydranet_ros.errors import BenchError, MissingDependencyError

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet

NAME = 'baseline'
UPSAMPLINGS = ('bilinear', 'bicubic')
# Where a class ends, bilinear and bicubic interpolation draw the border a little differently;
# the same interpolation differs by rounding alone.
SAME_LABELS = {'bilinear': 0.95, 'bicubic': 0.999}
DEPTH_TOLERANCE = {'bilinear': 0.1, 'bicubic': 1e-4}
_MEAN = np.array([0.485, 0.456, 0.406]).reshape((1, 1, 3))
_STD = np.array([0.229, 0.224, 0.225]).reshape((1, 1, 3))
_ROUNDS, _QUICK_ROUNDS = 10, 3


@dataclass(frozen=True)
class Answer:
    """
    What both sides compute of an image.

    :param labels: (H, W) uint8 or int64 class ids
    :param depth: (H, W) float32 metres; ours is NaN where there is no surface
    :param color: (H, W, 3) uint8 RGB
    """

    labels: NDArray
    depth: NDArray[np.float32]
    color: NDArray[np.uint8]


@dataclass
class OfficialExample:
    """
    The official example's steps on one image after another.

    :param palette: (256, 3) uint8 RGB
    :param stages: milliseconds of each step, a value an image
    """

    network: HydraNet
    palette: NDArray[np.uint8]
    stages: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, image: NDArray[np.uint8]) -> Answer:
        """Run on (H, W, 3) uint8 RGB."""
        import cv2
        import torch

        lap = self._laps()
        normalised = (image * (1.0 / 255) - _MEAN) / _STD
        tensor = torch.from_numpy(normalised.transpose(2, 0, 1)[None]).float()
        lap('normalise')
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
        answer = Answer(labels, np.abs(full_depth), self.palette[labels])
        lap('absolute depth, palette')
        return answer

    def _laps(self) -> Callable[[str], None]:
        last = time.perf_counter()

        def lap(name: str) -> None:
            nonlocal last
            now = time.perf_counter()
            self.stages.setdefault(name, []).append(1e3 * (now - last))
            last = now

        return lap


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """
    Measure both on the same images with the same weights.

    :raises MissingDependencyError: without torch and onnx
    :raises BenchError: if the answers disagree
    """
    torch = _torch()
    torch.set_num_threads(options.threads)
    sizes = SIZES[:1] if options.quick else SIZES
    rounds = min(options.rounds, _QUICK_ROUNDS if options.quick else _ROUNDS)
    figures: dict[str, Figure] = {}
    for size in SIZES[len(sizes) :]:
        figures[f'speedup_{size_name(size)}'] = None
    tables, inputs = [], {}
    with tempfile.TemporaryDirectory() as folder:
        say('exporting the network of the comparison, bilinear and bicubic')
        network = official_network()
        ours = {
            name: _ours(export_ours(network, Path(folder) / f'{name}.onnx', name), options)
            for name in UPSAMPLINGS
        }
        example = OfficialExample(network, ours['bilinear'].palette)
        for size in sizes:
            say(f'{size_name(size)}, {rounds} rounds')
            image = picture(*size)
            inputs[f'picture {size_name(size)}'] = digest(image)
            found, table = _measure(example, ours, image, rounds)
            figures.update({f'{key}_{size_name(size)}': value for key, value in found.items()})
            tables.append(table)
    return PartResult(NAME, figures, tables, _notes(options, torch.__version__), inputs)


def _torch() -> Any:
    try:
        import torch
    except ImportError as err:
        raise MissingDependencyError(
            "The baseline is PyTorch, which is not installed: pip install 'hydranet_ros[train]'."
        ) from err
    return torch


def _ours(model: Path, options: BenchOptions) -> Any:
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.perception.pipeline import Perception

    return Perception(Engine(model, EngineOptions(provider='cpu', threads=options.threads)))


def _measure(
    example: OfficialExample, ours: dict[str, Any], image: NDArray[np.uint8], rounds: int
) -> tuple[dict[str, Figure], Table]:
    from hydranet_ros.perception.pipeline import Output

    wanted = frozenset({Output.MASK, Output.DEPTH, Output.COLOR})
    reference = example(image)
    figures: dict[str, Figure] = {}
    for name, perception in ours.items():
        found = perception.process(image, wanted=wanted)
        share = compare(Answer(found.labels, found.depth, found.color), reference, name)
        figures[f'same_labels_{name}'] = round(share, 5)
    example.stages.clear()
    competitors: dict[str, Callable[[], object]] = {
        'official': lambda: example(image),
        **{
            name: partial(perception.process, image, wanted=wanted)
            for name, perception in ours.items()
        },
    }
    times = interleaved(competitors, rounds, warm_up=1)
    figures |= _figures(times)
    return figures, _table(times, example, rounds, size_name(image.shape[:2]))


def compare(ours: Answer, reference: Answer, upsampling: str) -> float:
    """
    Return the share of pixels with the same class.

    :raises BenchError: if it is too small, or depth or colours differ where they should not
    """
    same = ours.labels == reference.labels
    share = float(same.mean())
    if share < SAME_LABELS[upsampling]:
        raise BenchError(
            f'{upsampling}: {share:.3%} of the pixels have the class of the official example; '
            f'at least {SAME_LABELS[upsampling]:.1%} must, else the times mean nothing'
        )
    known = np.isfinite(ours.depth)
    assert_agree(
        f'depth, {upsampling}', ours.depth[known], reference.depth[known],
        DEPTH_TOLERANCE[upsampling],
    )  # fmt: skip
    if not np.array_equal(ours.color[same], reference.color[same]):
        raise BenchError(f'{upsampling}: another colour for the same class')
    return share


def _figures(times: dict[str, Series]) -> dict[str, Figure]:
    official = times['official']
    return {
        'speedup': round(pair_ratio(official, times['bilinear']).median, 3),
        'speedup_bicubic': round(pair_ratio(official, times['bicubic']).median, 3),
        'official_ms': round(official.median, 3),
        'ours_ms': round(times['bilinear'].median, 3),
    }


def _table(times: dict[str, Series], example: OfficialExample, rounds: int, title: str) -> Table:
    official = times['official']
    rows = [_row('official example', official, '')]
    for name, values in example.stages.items():
        rows.append(_row(f'  {name}', Series(name, tuple(values[-rounds:])), ''))
    for name in UPSAMPLINGS:
        rows.append(_row(f'ours, {name}', times[name], str(pair_ratio(official, times[name]))))
    return Table(
        f'Image to mask, depth and coloured mask, {title}',
        ('', 'median ms', 'p95 ms', 'times faster'), rows,
    )  # fmt: skip


def _row(name: str, series: Series, ratio: str) -> tuple[str, ...]:
    return (name, f'{series.median:.1f}', f'{series.p95:.1f}', ratio)


def _notes(options: BenchOptions, version: str) -> list[str]:
    notes = [
        'Both sides have the same weights, drawn at random: times do not depend on them.',
        f'Official example: eager PyTorch {version} on {options.threads} threads, the steps of '
        'its notebook; ours: ONNX Runtime through Perception on as many.',
        'Ours resamples bilinearly by default, the official example with bicubic splines: borders '
        'between classes lie a little differently. speedup_bicubic compares like with like.',
    ]
    if options.quick:
        notes.append(f'Quick: {size_name(SIZES[1])} was left out.')
    return notes
