"""
The product's own path of a frame on a GPU, beside what one would write first.

It has not been run on hardware yet, see :mod:`benchmarks.suites.gpu`; on the CPU it is tested.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.suites.frame_rig import WANTED, camera_of
from benchmarks.suites.result import Figure, Series, Table, interleaved, pair_ratio
from hydranet_ros.inference.engine import Engine
from hydranet_ros.errors import BenchError, HydranetError
from hydranet_ros.perception.pipeline import Perception, PerceptionResult
from hydranet_ros.inference.providers import EngineOptions

WAYS = {
    'cuda_float32': EngineOptions('cuda'),
    'tensorrt_float32': EngineOptions('tensorrt'),
    'tensorrt_float16': EngineOptions('tensorrt', fp16=True),
}
SAME_LABELS = 0.98
"""Share of pixels that must have the class that the CPU says, in either precision."""
_STREAMED = 60


@dataclass(frozen=True)
class ProductFindings:
    """Figures, a table, notes, and the whole times."""

    figures: Mapping[str, Figure]
    table: Table
    notes: Sequence[str]
    times: Mapping[str, Series]


def open_ways(model: Path, notes: list[str]) -> dict[str, Perception]:
    """Return the product on each provider that can be had; the others are notes."""
    found = {}
    for name, options in WAYS.items():
        try:
            engine = Engine(model, options, report=notes.append)
        except HydranetError as err:
            notes.append(f'{name} was left out: {err}')
            continue
        notes += engine.warnings
        found[name] = Perception(engine)
    return found


def measure_product(
    ways: Mapping[str, Perception], reference: Perception, images: Sequence[NDArray[np.uint8]],
    rounds: int, baseline: tuple[str, Callable[[], object]],
) -> ProductFindings:  # fmt: skip
    """
    Time whole frames: from pixels in memory to mask, depth and cloud in the messages' arrays.

    :param reference: says what is right.
    :param images: (H, W, 3) uint8 RGB of one size; the first is used where one is timed.
    :param baseline: name of what is in turn with them, and a call.
    :raises BenchError: if labels or clouds differ from the reference's by more than rounding.
    """
    camera = camera_of(*images[0].shape[:2])
    wanted = reference.process(images[0], camera, wanted=WANTED)
    calls = {
        name: partial(perception.process, images[0], camera, wanted=WANTED)
        for name, perception in ways.items()
    }
    figures: dict[str, Figure] = {}
    notes = []
    for name, call in calls.items():
        same = _same_labels(name, call(), wanted)
        notes.append(f'{name}: the class of the CPU in {same:.3%} of the pixels')
    baseline_name, baseline_call = baseline
    times = interleaved({baseline_name: baseline_call, **calls}, rounds, rest=0.0)
    rows = []
    for name, perception in ways.items():
        rate = streamed(perception, images)
        speedup = pair_ratio(times[baseline_name], times[name])
        figures |= {
            f'product_{name}_640x480_ms': times[name].median,
            f'product_{name}_640x480_streamed_hz': rate,
            f'product_{name}_speedup_vs_pipeline_640x480': speedup.median,
        }
        rows.append((
            name, f'{times[name].median:.3f}', f'{times[name].p95:.3f}', f'{rate:.0f}',
            str(speedup),
        ))  # fmt: skip
    header = (
        '', 'frame ms', 'p95', 'frames/s, overlapping', f'times faster than {baseline_name}',
    )  # fmt: skip
    table = Table('the product, 640x480, pixels to mask, depth and cloud', header, rows)
    return ProductFindings(figures, table, notes, times)


def streamed(perception: Perception, images: Sequence[NDArray[np.uint8]]) -> float:
    """Return frames a second where one is at work while the results of another come down."""
    camera = camera_of(*images[0].shape[:2])
    frames = [(images[index % len(images)], camera, index) for index in range(_STREAMED)]
    started = time.perf_counter()
    for _ in perception.stream(frames, wanted=WANTED):
        pass
    return _STREAMED / (time.perf_counter() - started)


def _same_labels(name: str, got: PerceptionResult, wanted: PerceptionResult) -> float:
    if got.labels is None or wanted.labels is None or got.cloud is None:
        raise BenchError(f'{name} gives no labels or no cloud of this model; it needs both tasks.')
    same = float(np.mean(got.labels == wanted.labels))
    if same < SAME_LABELS or not np.array_equal(got.cloud.data['label'], got.labels):
        raise BenchError(
            f'{name}: {same:.2%} of the pixels have the class that the CPU says; at least '
            f'{SAME_LABELS:.0%} must, else the times mean nothing.'
        )
    return same
