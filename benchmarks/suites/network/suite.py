"""
Inference time of the network: the exported model file, other runtimes, and the machine's limits.

All variants of a case have the same weights. The *heads* variants run from the image to logits and
depth at a quarter of its size; this package takes uint8 pixels and normalizes them inside the
graph, the others take a float32 image that was normalized outside the measured time. The *full*
variants run from uint8 pixels to labels and depth at the size of the image.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Chart, SuiteResult
from benchmarks.suites.network.cases import OPENVINO, OURS, PLAIN, PYTORCH, Case, CaseVariants
from benchmarks.suites.network.machine_limits import (
    GEMM_SIZES,
    WORKING_SETS,
    best_gemms,
    measure_bandwidth,
    torch_threads,
)
from benchmarks.suites.network.metrics import NetworkMetrics

SIZES = ((480, 640), (350, 1200), (375, 1242))
CASES = tuple(Case(*size, classes) for classes in (6, 40) for size in SIZES)
QUICK_CASES = CASES[:1]
CHARTED_SIZES = (SIZES[0], SIZES[2])
_QUICK_ROUNDS = 9
_NOTES = (
    'Variants without a prefix run from the image to logits and depth at a quarter of its size: '
    'hydranet_ros from uint8 pixels, the others from a float32 image that was normalized before. '
    'Variants with the prefix "full" run from uint8 pixels to labels and depth at full size.',
    'peak_share: operations of the convolutions (2 per multiply-add; the smaller count of our '
    'graph and the official structure) per second, divided by the fastest float32 matrix product '
    'of the same rounds. max_peak_share: the median time against the highest rate of any matrix '
    'product in any round.',
)


@dataclass(frozen=True)
class Limits:
    """Matrix sizes and working sets (bytes) that measure the limits of the machine."""

    gemm_sizes: tuple[int, ...] = GEMM_SIZES
    working_sets: tuple[int, ...] = WORKING_SETS


def run(options: BenchOptions, progress: Callable[[str], None]) -> SuiteResult:
    """Measure all sizes and class counts; in quick mode 640x480 with 6 classes."""
    return measure(QUICK_CASES if options.quick else CASES, options, progress)


def measure(
    cases: tuple[Case, ...],
    options: BenchOptions,
    progress: Callable[[str], None],
    limits: Limits | None = None,
) -> SuiteResult:
    """
    Measure these cases, and the roofline by operator of the first one.

    :raises BenchError: if the outputs of the variants differ.
    :raises MissingDependencyError: without onnx.
    """
    import torch  # noqa: F401  (fails before anything is built)

    limits = limits or Limits()
    rounds = min(options.rounds, _QUICK_ROUNDS) if options.quick else options.rounds
    found = NetworkMetrics()
    gemms = best_gemms(options.threads, limits.gemm_sizes)
    with tempfile.TemporaryDirectory() as folder, torch_threads(options.threads):
        for case in cases:
            progress(f'{case.title}: exporting')
            variants = CaseVariants(case, options, Path(folder), found.notes)
            progress(f'{case.title}: comparing outputs, then {rounds} rounds')
            found.add(variants, variants.check(), variants.time(gemms, rounds), gemms)
            if case is cases[0]:
                bandwidth = measure_bandwidth(options.threads, limits.working_sets)
                found.add_roofline(variants, gemms, bandwidth)
    return SuiteResult(
        'network', found.metrics, [found.summary(), *found.tables], _NOTES + tuple(found.notes),
        found.inputs, found.runs, chart(cases),
    )  # fmt: skip


def chart(cases: tuple[Case, ...]) -> Chart:
    """Return the bars to plot: all runtimes at the charted sizes, or at the only one measured."""
    shown = [case for case in cases
             if case.classes == 6 and (case.height, case.width) in CHARTED_SIZES]  # fmt: skip
    return Chart(
        'Network inference', [case.title for case in shown or cases[:1]],
        (OURS, PLAIN, OPENVINO, PYTORCH), (OURS,), OURS,
    )  # fmt: skip
