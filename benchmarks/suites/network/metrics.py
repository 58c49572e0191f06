"""Metrics and tables of the suite, collected over its cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.harness.inputs import digest
from benchmarks.harness.results import Metric, Series, Table, pair_ratio, times_table
from benchmarks.suites.network.cases import (
    FULL,
    FULL_PLAIN,
    FULL_SHIPPED,
    MATRIX_PRODUCT,
    OPENVINO,
    OURS,
    PLAIN,
    PYTORCH,
    CaseVariants,
)
from benchmarks.suites.network.machine_limits import Bandwidth, Gemm
from benchmarks.suites.network.roofline import (
    Roof,
    compute_bound_share,
    fastest,
    kinds_table,
    nodes_table,
    roofline_share,
)
from benchmarks.suites.network.runtimes import shipped_model
from hydranet_ros.files import sha256_of

_TOP_NODES = 16
_SUMMARY_HEADER = (
    '', 'ours ms', 'plain export / ours', 'PyTorch / ours', 'OpenVINO / ours',
    'full: plain export / ours', 'GMAC', 'GFLOP/s', 'peak GFLOP/s', 'share of peak',
    'share of max peak', 'max error', 'max error of PyTorch',
)  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """
    Arithmetic rates of a case, in 1e9 operations per second.

    :param peak: fastest matrix product of the run; ``max_peak`` its highest rate in any round.
    :param peak_share: rate of the network divided by the peak, median of the rounds.
    """

    macs: int
    official_macs: int
    achieved: float
    peak: float
    max_peak: float
    peak_share: float


def _product(times: Mapping[str, Series], gemm: Gemm) -> Series:
    return times[f'{MATRIX_PRODUCT}{gemm.name}']


def _rates(case: CaseVariants, times: Mapping[str, Series], gemms: list[Gemm]) -> Rates:
    own, official = case.macs()
    gflop = 2e-9 * min(own, official)
    gemm = min(gemms, key=lambda item: _product(times, item).median / item.gflop)
    product = _product(times, gemm)
    return Rates(
        own, official, 1e3 * gflop / times[OURS].median, 1e3 * gemm.gflop / product.median,
        1e3 * max(item.gflop / _product(times, item).best for item in gemms),
        pair_ratio(product, times[OURS]).median * gflop / gemm.gflop,
    )  # fmt: skip


@dataclass
class NetworkMetrics:
    """Collected results of the suite."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Mapping[str, Series]] = field(default_factory=dict)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(
        self, variants: CaseVariants, errors: dict[str, float], times: dict[str, Series],
        gemms: list[Gemm],
    ) -> None:  # fmt: skip
        """Add metrics and a table of a case."""
        case, ours = variants.case, times[OURS]
        self.runs[case.title] = times
        self.inputs[f'ours_{case.key}.onnx'] = sha256_of(variants.path)
        self.inputs[f'image_{case.width}x{case.height}'] = digest(variants.image)
        self.tables.append(times_table(case.title, times))
        openvino = times.get(OPENVINO)
        ratios = {
            'speedup_vs_plain_export': pair_ratio(times[PLAIN], ours),
            'speedup_vs_pytorch': pair_ratio(times[PYTORCH], ours),
            'speedup_vs_openvino': pair_ratio(openvino, ours) if openvino else None,
            'full_speedup_vs_plain_export': pair_ratio(times[FULL_PLAIN], times[FULL]),
        }
        rates = _rates(variants, times, gemms)
        found: dict[str, Metric] = {
            name: one.median if one else None for name, one in ratios.items()
        }
        found |= {
            'network_ms': ours.median,
            'peak_share': rates.peak_share,
            'max_peak_share': rates.achieved / rates.max_peak,
            'achieved_gflops': rates.achieved,
            'peak_gflops': rates.peak,
            'max_peak_gflops': rates.max_peak,
            'macs': float(rates.macs),
            'official_macs': float(rates.official_macs),
            'max_error': errors[OURS],
            'max_error_pytorch': errors[PYTORCH],
        }
        self.metrics |= {f'{name}_{case.key}': value for name, value in found.items()}
        self.rows.append((
            case.title, f'{ours.median:.1f}', *(str(one or '-') for one in ratios.values()),
            f'{rates.macs / 1e9:.3f}', f'{rates.achieved:.0f}', f'{rates.peak:.0f}',
            f'{rates.peak_share:.1%}', f'{rates.achieved / rates.max_peak:.1%}',
            f'{errors[OURS]:.1e}', f'{errors[PYTORCH]:.1e}',
        ))  # fmt: skip
        if FULL_SHIPPED in times:
            self._add_shipped(variants, times)

    def _add_shipped(self, variants: CaseVariants, times: Mapping[str, Series]) -> None:
        model = shipped_model(variants.options, variants.case.classes)
        assert model is not None
        self.inputs[model.name] = sha256_of(model)
        ratio = pair_ratio(times[FULL_SHIPPED], times[FULL])
        self.metrics[f'shipped_to_exported_{variants.case.key}'] = ratio.median
        self.notes.append(
            f'{FULL_SHIPPED}, {variants.case.title}: {model.name} with its own weights takes '
            f'{ratio} times as long as a file exported now; its outputs are not compared.'
        )

    def add_roofline(
        self, variants: CaseVariants, gemms: list[Gemm], bandwidth: Bandwidth
    ) -> None:  # fmt: skip
        """Add the roofline by operator of a case."""
        times = self.runs[variants.case.title]
        product = max(gemm.gflop / _product(times, gemm).best for gemm in gemms) * 1e12
        nodes = variants.nodes()
        flops = max(product, fastest(nodes))  # a faster node proves a higher limit
        roof = Roof(flops, bandwidth)
        source = 'matrix product' if flops == product else 'convolution'
        limits = (
            f'{variants.case.title}; limits: {flops / 1e9:.0f} GFLOP/s (fastest {source}), '
            f'{bandwidth.memory / 1e9:.1f} GB/s'
        )
        self.tables += [
            kinds_table(f'by operator, {limits}', nodes, roof),
            nodes_table(f'slowest nodes, {limits}', nodes, roof, _TOP_NODES),
        ]
        self.metrics |= {
            f'roofline_share_{variants.case.key}': roofline_share(nodes, roof),
            f'compute_bound_share_{variants.case.key}': compute_bound_share(nodes, roof),
            'memory_bandwidth_gbs': bandwidth.memory / 1e9,
        }

    def summary(self) -> Table:
        """Return a table with one row per case."""
        return Table('Network: median ratio of the rounds (p5..p95)', _SUMMARY_HEADER, self.rows)
