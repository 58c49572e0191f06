"""
Whole frames on a GPU: pixels to mask, depth and cloud, beside a simple pipeline.

Not run on hardware yet; see :mod:`benchmarks.suites.gpu.suite`; on the CPU it is tested.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.results import Metric, Series, Table, pair_ratio
from benchmarks.suites.frame.fixture import OUTPUTS, make_camera
from hydranet_ros.errors import BenchError, HydranetError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.perception.pipeline import Perception, PerceptionResult

PROVIDER_OPTIONS = {
    'cuda_float32': EngineOptions('cuda', 'float32'),
    'cuda_tf32': EngineOptions('cuda'),
    'tensorrt_float16': EngineOptions('tensorrt', 'float16'),
}
"""TensorRT in float32 is left out: it would switch off TF32 for the whole process."""
MIN_EQUAL_LABELS = 0.98
"""Share of labels that must equal those of the CPU, in either precision."""
_STREAM_FRAMES = 60


@dataclass(frozen=True)
class PipelineResult:
    """Metrics, a table, notes and times."""

    metrics: Mapping[str, Metric]
    table: Table
    notes: Sequence[str]
    times: Mapping[str, Series]


def open_providers(model: Path, notes: list[str]) -> dict[str, Perception]:
    """Return the pipeline on each provider that works here; add a note for each other one."""
    found = {}
    for name, options in PROVIDER_OPTIONS.items():
        try:
            engine = Engine(model, options, report=notes.append)
        except HydranetError as err:
            notes.append(f'{name} was left out: {err}')
            continue
        notes += [f'{name} computes in {engine.precision}', *engine.warnings]
        found[name] = Perception(engine)
    return found


def measure_pipeline(
    pipelines: Mapping[str, Perception], reference: Perception,
    images: Sequence[NDArray[np.uint8]], rounds: int, baseline: tuple[str, Callable[[], object]],
) -> PipelineResult:  # fmt: skip
    """
    Time whole frames: from pixels in memory to mask, depth and cloud in message arrays.

    :param reference: pipeline on the CPU.
    :param images: (H, W, 3) uint8 RGB of one size; single frames use the first one.
    :param baseline: name and call of the baseline, which runs interleaved with them.
    :raises BenchError: if labels or clouds differ from the reference.
    """
    camera = make_camera(*images[0].shape[:2])
    wanted = reference.process(images[0], camera, wanted=OUTPUTS)
    calls = {
        name: partial(perception.process, images[0], camera, wanted=OUTPUTS)
        for name, perception in pipelines.items()
    }
    metrics: dict[str, Metric] = {}
    notes = []
    for name, call in calls.items():
        equal = _equal_labels(name, call(), wanted)
        notes.append(f'{name}: {equal:.3%} of the labels equal those of the CPU')
    baseline_name, baseline_call = baseline
    times = interleaved({baseline_name: baseline_call, **calls}, rounds, rest=0.0)
    rows = []
    for name, perception in pipelines.items():
        rate = stream_rate(perception, images)
        speedup = pair_ratio(times[baseline_name], times[name])
        metrics |= {
            f'frame_ms_{name}_640x480': times[name].median,
            f'stream_hz_{name}_640x480': rate,
            f'frame_speedup_vs_naive_{name}_640x480': speedup.median,
        }
        rows.append((
            name, f'{times[name].median:.3f}', f'{times[name].p95:.3f}', f'{rate:.0f}',
            str(speedup),
        ))  # fmt: skip
    header = (
        '', 'frame ms', 'p95 ms', 'frames/s, overlapped', f'{baseline_name} / ours',
    )  # fmt: skip
    table = Table('Whole frame, 640x480: pixels to mask, depth and cloud', header, rows)
    return PipelineResult(metrics, table, notes, times)


def stream_rate(perception: Perception, images: Sequence[NDArray[np.uint8]]) -> float:
    """Return frames per second when computing and copying of consecutive frames overlap."""
    camera = make_camera(*images[0].shape[:2])
    frames = [(images[index % len(images)], camera, index) for index in range(_STREAM_FRAMES)]
    started = time.perf_counter()
    for _ in perception.stream(frames, wanted=OUTPUTS):
        pass
    return _STREAM_FRAMES / (time.perf_counter() - started)


def _equal_labels(name: str, got: PerceptionResult, wanted: PerceptionResult) -> float:
    if got.labels is None or wanted.labels is None or got.cloud is None:
        raise BenchError(f'{name}: no labels or no cloud; the model must have both tasks.')
    same = float(np.mean(got.labels == wanted.labels))
    if same < MIN_EQUAL_LABELS or not np.array_equal(got.cloud.data['label'], got.labels):
        raise BenchError(
            f'{name}: {same:.2%} of the labels equal those of the CPU; expected at least '
            f'{MIN_EQUAL_LABELS:.0%}.'
        )
    return same
