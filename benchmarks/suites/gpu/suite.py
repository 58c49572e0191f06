"""
The network and what follows it on an NVIDIA GPU: TensorRT, CUDA, PyTorch, side by side.

**This module has not been run on hardware yet**: it was written where no GPU was. Its counts,
floors and tables are tested without one. It runs from one command where there is a GPU::

    python -m benchmarks gpu --json gpu.json

Every competitor takes uint8 pixels (B, H, W, 3) that lie on the device and leaves labels
(B, H, W) uint8 and depth (B, H, W) float32 there. Device time is between two CUDA events around
that; the whole callback is copy in from pinned memory, that, copy out to pinned memory, and
waiting. What one would write first stands beside it: it normalises with NumPy, runs eager PyTorch
in float32, copies logits and depth back and resizes them with OpenCV.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.suites.gpu_competitors import (
    BASELINE,
    SIZE,
    WIDTHS,
    Competitor,
    DeviceLimits,
    build_competitors,
    device_limits,
    first_pipeline,
)
from benchmarks.suites.gpu_product import measure_product, open_ways
from benchmarks.suites.layers import Floors, convolutions, floors
from benchmarks.suites.material import digest, picture
from benchmarks.suites.official import official_network
from benchmarks.suites.result import (
    BenchOptions,
    Figure,
    PartResult,
    Series,
    Table,
    interleaved,
    pair_ratio,
)
from hydranet_ros.errors import BenchError, NotMeasuredError
from hydranet_ros.files import sha256_of
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.providers import EngineOptions
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.resources import find_model

if TYPE_CHECKING:
    import torch

BATCHES = (1, 2, 4, 8)
PIPELINE = 'eager PyTorch, NumPy and OpenCV'
FLOAT32_TOLERANCE = 1e-3
LABEL_TOLERANCE = 1e-2


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """
    Measure at 640x480, batch 1, 2, 4 and 8; in quick mode batch 1.

    :raises NotMeasuredError: without a GPU that PyTorch can use.
    :raises BenchError: if a competitor in float32 does not agree with eager PyTorch.
    """
    os.environ['NVIDIA_TF32_OVERRIDE'] = '0'  # float32 means float32, in TensorRT too
    import torch

    if not torch.cuda.is_available():
        raise NotMeasuredError(
            f'no NVIDIA GPU that PyTorch {torch.__version__} can use; run this part where one is'
        )
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    limits = device_limits()
    found = _Findings(limit_figures(limits))
    for batch in BATCHES[:1] if options.quick else BATCHES:
        with tempfile.TemporaryDirectory() as folder:
            _measure_batch(batch, Path(folder), options, limits, found, say)
    _measure_product(options, found, say)
    return PartResult(
        'gpu', found.figures, found.tables, tuple(dict.fromkeys(found.notes)), found.inputs,
        found.runs,
    )  # fmt: skip


def _measure_product(options: BenchOptions, found: _Findings, say: Callable[[str], None]) -> None:
    """Run the path of the node with its cloud, as a user has it."""
    import torch

    say('the product on each provider')
    model = options.model or find_model('street.onnx')
    found.inputs[model.name] = sha256_of(model)
    ways = open_ways(model, found.notes)
    if not ways:
        return
    images = [picture(*SIZE, seed=index) for index in range(4)]
    reference = Perception(Engine(model, EngineOptions('cpu', threads=options.threads)))
    with torch.no_grad():
        baseline = (PIPELINE, first_pipeline(torch.from_numpy(np.stack(images[:1])).pin_memory()))
        product = measure_product(ways, reference, images, options.rounds, baseline)
    found.figures |= product.figures
    found.tables.append(product.table)
    found.notes += product.notes
    found.runs['640x480, the product'] = product.times


@dataclass(frozen=True)
class Row:
    """What was found of one competitor at one batch; milliseconds of the batch."""

    name: str
    precision: str
    batch: int
    device: float
    launch: float
    callback: Series
    floors: Floors

    @property
    def images_a_second(self) -> float:
        """Return the throughput of the device alone."""
        return 1e3 * self.batch / self.device

    @property
    def of_floor(self) -> float:
        """Return the share of the device time that its binding floor explains."""
        return self.floors.binding / self.device


def rows_table(title: str, rows: Sequence[Row]) -> Table:
    """Return a row for each competitor."""
    header = (
        '', 'device ms', 'launch ms', 'callback ms', 'p95', 'images/s', 'arithmetic floor ms',
        'layer floor ms', 'fused floor ms', 'floor / device',
    )  # fmt: skip
    return Table(title, header, [
        (
            row.name, f'{row.device:.3f}', f'{row.launch:.3f}', f'{row.callback.median:.3f}',
            f'{row.callback.p95:.3f}', f'{row.images_a_second:.0f}',
            f'{row.floors.arithmetic:.3f}', f'{row.floors.layers:.3f}',
            f'{row.floors.fused:.3f}', f'{row.of_floor:.0%}',
        )
        for row in rows
    ])  # fmt: skip


def copy_bytes(batch: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the bytes of a batch of images, and of its labels and depths."""
    pixels = batch * size[0] * size[1]
    return 3 * pixels, (1 + 4) * pixels


@dataclass
class _Findings:
    figures: dict[str, Figure] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Mapping[str, Series]] = field(default_factory=dict)


def _measure_batch(
    batch: int, folder: Path, options: BenchOptions, limits: DeviceLimits, found: _Findings,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    import torch

    images = np.stack([picture(*SIZE, seed=index) for index in range(batch)])
    found.inputs[f'images_gpu_batch{batch}'] = digest(images)
    host = torch.from_numpy(images).pin_memory()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), torch.no_grad():
        image = torch.empty_like(host, device='cuda')
        image.copy_(host)
        competitors = build_competitors(batch, image, folder, stream, found.notes, say)
        _check(competitors, found, batch)
        callbacks = {item.name: _Callback(item, host, image, stream) for item in competitors}
        calls: dict[str, Callable[[], object]] = dict(callbacks)
        if batch == 1:
            calls[PIPELINE] = first_pipeline(host)
        say(f'batch {batch}: {options.rounds} rounds of {len(calls)} competitors')
        for item in competitors:
            item.device_ms.clear()
        times = interleaved(calls, options.rounds, rest=0.0)
    layers = convolutions(official_network(), batch, SIZE)
    outside = sum(copy_bytes(batch, SIZE))
    rows = [
        Row(
            item.name, item.precision, batch, float(np.median(item.device_ms[-options.rounds :])),
            float(np.median(item.launch_ms[-options.rounds :])), times[item.name],
            floors(layers, width=WIDTHS[item.precision], outside=outside,
                   flops=limits.flops[item.precision], bandwidth=limits.memory),
        )
        for item in competitors
    ]  # fmt: skip
    found.runs[f'640x480, batch {batch}, whole callback'] = times
    copies = 1e3 * sum(copy_bytes(batch, SIZE)) / limits.copy
    found.tables.append(
        rows_table(f'gpu, 640x480, batch {batch}; copies alone {copies:.3f} ms', rows)
    )
    found.figures |= batch_figures(rows, times)


def batch_figures(rows: Sequence[Row], times: Mapping[str, Series]) -> dict[str, Figure]:
    """
    Return the figures of one batch.

    :param times: of the whole callbacks, :data:`BASELINE` among them; :data:`PIPELINE` where it
        was run.
    """
    batch = rows[0].batch
    found: dict[str, Figure] = {}
    for precision in sorted({row.precision for row in rows}):
        best = min((row for row in rows if row.precision == precision), key=lambda row: row.device)
        end = f'{precision}_640x480_batch{batch}'
        found |= {
            f'device_{end}_ms': best.device,
            f'fastest_{end}': best.name,
            f'images_{end}_hz': best.images_a_second,
            f'floor_over_device_{end}': best.of_floor,
        }
    fastest = min(rows, key=lambda row: row.callback.median).callback
    found |= {
        f'callback_640x480_batch{batch}_ms': fastest.median,
        f'fastest_callback_640x480_batch{batch}': fastest.name,
        f'speedup_vs_eager_640x480_batch{batch}': pair_ratio(times[BASELINE], fastest).median,
    }
    if PIPELINE in times:
        found['speedup_vs_pipeline_640x480'] = pair_ratio(times[PIPELINE], fastest).median
    return found


def limit_figures(limits: DeviceLimits) -> dict[str, Figure]:
    """Return the figures of the device itself."""
    return {
        **{f'peak_{name}_gflops': value / 1e9 for name, value in limits.flops.items()},
        'memory_gbs': limits.memory / 1e9,
        'copy_gbs': limits.copy / 1e9,
    }


class _Callback:
    """Copy in, run between two events, copy out, wait; as a node's callback does."""

    def __init__(
        self, competitor: Competitor, host: torch.Tensor, image: torch.Tensor, stream: Any
    ) -> None:
        import torch

        self.competitor, self.host, self.image, self.stream = competitor, host, image, stream
        shape = host.shape[:3]
        self.labels = torch.empty(shape, dtype=torch.uint8).pin_memory()
        self.depth = torch.empty(shape, dtype=torch.float32).pin_memory()
        self.begin, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def __call__(self) -> None:
        self.image.copy_(self.host, non_blocking=True)
        self.begin.record(self.stream)
        started = time.perf_counter()
        labels, depth = self.competitor.call()
        self.competitor.launch_ms.append((time.perf_counter() - started) * 1e3)
        self.end.record(self.stream)
        self.labels.copy_(labels, non_blocking=True)
        self.depth.copy_(depth, non_blocking=True)
        self.stream.synchronize()
        self.competitor.device_ms.append(self.begin.elapsed_time(self.end))


def _check(competitors: Sequence[Competitor], found: _Findings, batch: int) -> None:
    """Compare with eager PyTorch in float32; a lower precision is reported, float32 must agree."""
    import torch

    want_labels, want_depth = (item.clone() for item in competitors[0].call())
    for item in competitors[1:]:
        labels, depth = item.call()
        torch.cuda.current_stream().synchronize()
        differing = float((labels != want_labels).float().mean())
        error = float((depth - want_depth).abs().max() / want_depth.abs().max())
        found.notes.append(
            f'batch {batch}: {item.name} gives other labels in {differing:.3%} of the pixels, '
            f'depth differs by {error:.1e} of its scale'
        )
        strict = item.precision == 'float32' and not item.name.startswith('TensorRT')
        if strict and (differing > LABEL_TOLERANCE or error > FLOAT32_TOLERANCE):
            raise BenchError(f'{found.notes[-1]}; in float32 that is no rounding.')
        if not np.isfinite(error):
            raise BenchError(f'{item.name} gives depths that are not finite.')
