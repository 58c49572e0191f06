"""
Network and whole frame on an NVIDIA GPU: TensorRT, ONNX Runtime's CUDA provider and PyTorch.

**This suite has not been run on hardware yet**; its counts, floors and tables are tested without
a GPU.

Each variant computes labels (B, H, W) uint8 and depth (B, H, W) float32 from uint8 pixels (B, H,
W, 3), all in device memory. *Device time* is measured between two CUDA events. A *callback* copies
the pixels from pinned memory, runs the variant, copies the results to pinned memory and waits;
the thread sleeps while it waits, in every variant as in the product.
Rows with the precision *tf32* round the factors of float32 products to 10 bits of mantissa; rows
in float32 do not. TensorRT's own float32 uses TF32, unless the suite runs with
``NVIDIA_TF32_OVERRIDE=0``, which leaves out the rows in TF32. The *naive pipeline* normalizes with
NumPy, runs eager PyTorch in float32, copies logits and depth back and resizes them with OpenCV.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness.inputs import digest, make_image
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import (
    Chart,
    Metric,
    Series,
    SuiteResult,
    Table,
    pair_ratio,
)
from benchmarks.models.official_network import official_network
from benchmarks.suites.gpu.baselines import (
    PYTORCH,
    SIZE,
    Variant,
    build_variants,
    naive_pipeline,
)
from benchmarks.suites.gpu.device_limits import WIDTHS, DeviceLimits, device_limits
from benchmarks.suites.gpu.layer_costs import Floors, convolutions, floors
from benchmarks.suites.gpu.pipeline import measure_pipeline, open_providers
from hydranet_ros.errors import BenchError, NotMeasuredError
from hydranet_ros.files import sha256_of
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.nvidia import wait_without_spinning
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.model_files.resolve import find_model
from hydranet_ros.perception.pipeline import Perception

if TYPE_CHECKING:
    import torch

BATCHES = (1, 2, 4, 8)
FRAME_RUN = '640x480, whole frame'
NAIVE = 'naive pipeline: PyTorch eager, NumPy, OpenCV'
FLOAT32_TOLERANCE = 1e-3
LABEL_TOLERANCE = 1e-2


def run(options: BenchOptions, progress: Callable[[str], None]) -> SuiteResult:
    """
    Measure at 640x480, batch 1, 2, 4 and 8; in quick mode batch 1.

    :raises NotMeasuredError: without a GPU that PyTorch can use.
    :raises BenchError: if a float32 variant differs from eager PyTorch.
    """
    import torch

    if not torch.cuda.is_available():
        raise NotMeasuredError(f'no NVIDIA GPU that PyTorch {torch.__version__} can use')
    wait_without_spinning()  # as the product does, and before PyTorch uses the GPU
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    limits = device_limits()
    found = _Results(limit_metrics(limits))
    for batch in BATCHES[:1] if options.quick else BATCHES:
        with tempfile.TemporaryDirectory() as folder:
            _measure_batch(batch, Path(folder), options, limits, found, progress)
    _measure_frames(options, found, progress)
    return SuiteResult(
        'gpu', found.metrics, found.tables, tuple(dict.fromkeys(found.notes)), found.inputs,
        found.runs, found.chart,
    )  # fmt: skip


def _measure_frames(
    options: BenchOptions, found: _Results, progress: Callable[[str], None]
) -> None:
    """Measure whole frames with the shipped model, as the node processes them."""
    import torch

    progress('whole frames on each provider')
    model = options.model or find_model('street.onnx')
    found.inputs[model.name] = sha256_of(model)
    pipelines = open_providers(model, found.notes)
    if not pipelines:
        return
    images = [make_image(*SIZE, seed=index) for index in range(4)]
    reference = Perception(Engine(model, EngineOptions('cpu', threads=options.threads)))
    with torch.no_grad():
        baseline = (NAIVE, naive_pipeline(torch.from_numpy(np.stack(images[:1])).pin_memory()))
        frames = measure_pipeline(pipelines, reference, images, options.rounds, baseline)
    found.metrics |= frames.metrics
    found.tables.append(frames.table)
    found.notes += frames.notes
    found.runs[FRAME_RUN] = frames.times
    found.chart = Chart(
        'Whole frame on the GPU', (FRAME_RUN,), (*pipelines, NAIVE), tuple(pipelines),
        next(iter(pipelines)),
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Times of one variant at one batch size, in milliseconds of the batch."""

    name: str
    precision: str
    batch: int
    device: float
    launch: float
    callback: Series
    floors: Floors

    @property
    def images_per_second(self) -> float:
        """Return the throughput by device time."""
        return 1e3 * self.batch / self.device

    @property
    def floor_share(self) -> float:
        """Return the binding floor divided by the device time."""
        return self.floors.binding / self.device


def rows_table(title: str, rows: Sequence[Row]) -> Table:
    """Return a table with one row per variant."""
    header = (
        '', 'device ms', 'launch ms', 'callback ms', 'callback p95 ms', 'images/s',
        'arithmetic floor ms', 'layer floor ms', 'fused floor ms', 'floor / device',
    )  # fmt: skip
    return Table(title, header, [
        (
            row.name, f'{row.device:.3f}', f'{row.launch:.3f}', f'{row.callback.median:.3f}',
            f'{row.callback.p95:.3f}', f'{row.images_per_second:.0f}',
            f'{row.floors.arithmetic:.3f}', f'{row.floors.layers:.3f}',
            f'{row.floors.fused:.3f}', f'{row.floor_share:.0%}',
        )
        for row in rows
    ])  # fmt: skip


def copy_bytes(batch: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the bytes of a batch of images, and of its labels and depths."""
    pixels = batch * size[0] * size[1]
    return 3 * pixels, (1 + 4) * pixels


@dataclass
class _Results:
    """Collected results of the suite."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Mapping[str, Series]] = field(default_factory=dict)
    chart: Chart | None = None


def _measure_batch(
    batch: int, folder: Path, options: BenchOptions, limits: DeviceLimits, found: _Results,
    progress: Callable[[str], None],
) -> None:  # fmt: skip
    import torch

    images = np.stack([make_image(*SIZE, seed=index) for index in range(batch)])
    found.inputs[f'images_gpu_batch{batch}'] = digest(images)
    host = torch.from_numpy(images).pin_memory()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), torch.no_grad():
        image = torch.empty_like(host, device='cuda')
        image.copy_(host)
        variants = build_variants(batch, image, folder, stream, found.notes, progress)
        _check(variants, found, batch)
        callbacks = {item.name: _Callback(item, host, image, stream) for item in variants}
        calls: dict[str, Callable[[], object]] = dict(callbacks)
        if batch == 1:
            calls[NAIVE] = naive_pipeline(host)
        progress(f'batch {batch}: {options.rounds} rounds of {len(calls)} variants')
        for item in variants:
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
        for item in variants
    ]  # fmt: skip
    found.runs[f'640x480, batch {batch}, callback'] = times
    copies = 1e3 * sum(copy_bytes(batch, SIZE)) / limits.copy
    found.tables.append(
        rows_table(f'GPU, 640x480, batch {batch}; copies alone: {copies:.3f} ms', rows)
    )
    found.metrics |= batch_metrics(rows, times)


def batch_metrics(rows: Sequence[Row], times: Mapping[str, Series]) -> dict[str, Metric]:
    """
    Return the metrics of one batch size.

    :param times: times of the callbacks, and of :data:`NAIVE` if it was run.
    """
    batch = rows[0].batch
    found: dict[str, Metric] = {}
    for precision in sorted({row.precision for row in rows}):
        best = min((row for row in rows if row.precision == precision), key=lambda row: row.device)
        end = f'{precision}_640x480_batch{batch}'
        found |= {
            f'device_ms_{end}': best.device,
            f'fastest_{end}': best.name,
            f'images_hz_{end}': best.images_per_second,
            f'floor_to_device_{end}': best.floor_share,
        }
    fastest = min(rows, key=lambda row: row.callback.median).callback
    found |= {
        f'callback_ms_640x480_batch{batch}': fastest.median,
        f'fastest_callback_640x480_batch{batch}': fastest.name,
        f'speedup_vs_pytorch_640x480_batch{batch}': pair_ratio(times[PYTORCH], fastest).median,
    }
    if NAIVE in times:
        found['speedup_vs_naive_640x480'] = pair_ratio(times[NAIVE], fastest).median
    return found


def limit_metrics(limits: DeviceLimits) -> dict[str, Metric]:
    """Return the measured limits of the device as metrics."""
    return {
        **{f'peak_gflops_{name}': value / 1e9 for name, value in limits.flops.items()},
        'memory_bandwidth_gbs': limits.memory / 1e9,
        'copy_bandwidth_gbs': limits.copy / 1e9,
    }


class _Callback:
    """Copy the image to the device, run a variant between two events, copy the results back."""

    def __init__(
        self, variant: Variant, host: torch.Tensor, image: torch.Tensor, stream: Any
    ) -> None:
        import torch

        self.variant, self.host, self.image, self.stream = variant, host, image, stream
        shape = host.shape[:3]
        self.labels = torch.empty(shape, dtype=torch.uint8).pin_memory()
        self.depth = torch.empty(shape, dtype=torch.float32).pin_memory()
        self.begin, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def __call__(self) -> None:
        self.image.copy_(self.host, non_blocking=True)
        self.begin.record(self.stream)
        started = time.perf_counter()
        labels, depth = self.variant.call()
        self.variant.launch_ms.append((time.perf_counter() - started) * 1e3)
        self.end.record(self.stream)
        self.labels.copy_(labels, non_blocking=True)
        self.depth.copy_(depth, non_blocking=True)
        self.stream.synchronize()
        self.variant.device_ms.append(self.begin.elapsed_time(self.end))


def _check(variants: Sequence[Variant], found: _Results, batch: int) -> None:
    """Compare all variants with eager PyTorch in float32; only float32 variants must agree."""
    import torch

    want_labels, want_depth = (item.clone() for item in variants[0].call())
    for item in variants[1:]:
        labels, depth = item.call()
        torch.cuda.current_stream().synchronize()
        differing = float((labels != want_labels).float().mean())
        error = float((depth - want_depth).abs().max() / want_depth.abs().max())
        found.notes.append(
            f'batch {batch}: {item.name}: {differing:.3%} of the labels differ from {PYTORCH}, '
            f'relative depth difference {error:.1e}'
        )
        strict = item.precision == 'float32' and not item.name.startswith('TensorRT')
        if strict and (differing > LABEL_TOLERANCE or error > FLOAT32_TOLERANCE):
            raise BenchError(f'{found.notes[-1]}; too large for float32.')
        if not np.isfinite(error):
            raise BenchError(f'{item.name}: depth is not finite.')
