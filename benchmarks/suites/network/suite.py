"""
The network alone: our model file against what one would run instead, and against the machine.

Two comparisons, each of the same weights and interleaved. *Raw*: from the image to logits and
depth at a quarter of its size; ours takes uint8 pixels and normalises them itself, the others get
a float32 image that was normalised outside the time, which favours them. *Whole*: from uint8
pixels to labels and depth at the image's size; the others do in torch's plain operations what our
graph does around the network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suites.material import digest, picture
from benchmarks.suites.official import export_ours, official_network
from benchmarks.suites.operators import (
    Node,
    Roof,
    compute_share,
    count_macs,
    fastest,
    kinds_table,
    nodes_table,
    profile,
    share_of_roof,
)
from benchmarks.suites.peak import (
    GEMM_SIZES,
    WORKING_SETS,
    Gemm,
    best_gemms,
    measure_bandwidth,
    torch_threads,
)
from benchmarks.suites.plain import (
    RAW_OUTPUTS,
    WHOLE_OUTPUTS,
    cut_at_heads,
    export_raw,
    export_whole,
    in_channels_first,
)
from benchmarks.suites.result import (
    BenchOptions,
    Figure,
    PartResult,
    Series,
    Table,
    assert_agree,
    interleaved,
    pair_ratio,
    times_table,
)
from benchmarks.suites.runners import (
    eager,
    given_model,
    normalise,
    openvino,
    our_session,
    plain_session,
)
from hydranet_ros.errors import BenchError
from hydranet_ros.files import sha256_of

OURS, PLAIN, EAGER, OPENVINO = 'hydranet_ros', 'plain export', 'PyTorch eager', 'OpenVINO'
WHOLE, PLAIN_WHOLE, GIVEN = 'whole: hydranet_ros', 'whole: plain export', 'whole: model file'
TOLERANCE = 1e-5
LABEL_TOLERANCE = 1e-3
_GEMM = 'matrix product, '
_PROFILED_RUNS = 10
_TOP_NODES = 16
_QUICK_ROUNDS = 9


@dataclass(frozen=True)
class Case:
    """What is run: (height, width) in pixels, and the classes of the segmentation head."""

    height: int
    width: int
    classes: int = 6

    @property
    def title(self) -> str:
        """Return it for a reader."""
        return f'{self.width}x{self.height}, {self.classes} classes'

    @property
    def key(self) -> str:
        """Return it for the end of a figure's name; 6 classes are not named."""
        suffix = '' if self.classes == 6 else f'_{self.classes}classes'
        return f'{self.width}x{self.height}{suffix}'


SIZES = ((480, 640), (350, 1200), (375, 1242))
CASES = tuple(Case(*size, classes) for classes in (6, 40) for size in SIZES)
QUICK_CASES = CASES[:1]


@dataclass(frozen=True)
class Limits:
    """What the machine is measured by: sizes of matrix products and of working sets in bytes."""

    gemm_sizes: tuple[int, ...] = GEMM_SIZES
    working_sets: tuple[int, ...] = WORKING_SETS


def run(options: BenchOptions, say: Callable[[str], None]) -> PartResult:
    """Measure all sizes and both class counts; in quick mode 640x480 with 6 classes."""
    return measure(QUICK_CASES if options.quick else CASES, options, say)


def measure(
    cases: tuple[Case, ...],
    options: BenchOptions,
    say: Callable[[str], None],
    limits: Limits | None = None,
) -> PartResult:
    """
    Measure these cases; the first one's graph is taken apart by operator too.

    :raises BenchError: if the competitors' outputs do not agree.
    :raises MissingDependencyError: without onnx.
    """
    import torch  # noqa: F401  (said before anything is built, where it is missing)

    limits = limits or Limits()
    rounds = min(options.rounds, _QUICK_ROUNDS) if options.quick else options.rounds
    found = _Findings()
    gemms = best_gemms(options.threads, limits.gemm_sizes)
    with tempfile.TemporaryDirectory() as folder, torch_threads(options.threads):
        for case in cases:
            say(f'{case.title}: exporting')
            bench = _CaseBench(case, options, Path(folder), found.notes)
            say(f'{case.title}: comparing outputs, then {rounds} rounds')
            found.add(bench, bench.check(), bench.time(gemms, rounds), gemms)
            if case is cases[0]:
                found.take_apart(bench, gemms, measure_bandwidth(options.threads,
                                                                 limits.working_sets))  # fmt: skip
    return PartResult(
        'network', found.figures, [found.summary(), *found.tables], _NOTES + tuple(found.notes),
        found.inputs, found.runs,
    )  # fmt: skip


_NOTES = (
    'raw: uint8 image (ours; normalised in the graph) or normalised float32 image (others) to '
    'logits and depth at a quarter of the size; whole: uint8 image to labels and depth at its '
    'size, all competitors. The times called speedup are of raw, unless named whole.',
    'share_of_peak: operations of the convolutions (the fewer of our graph and the official '
    'structure, 2 a multiply-add) over the time of raw, as a share of the fastest float32 matrix '
    'product of the same rounds; share_of_largest_peak: the median time against the largest rate '
    'that any matrix product reached in any round, the strictest reading.',
)


class _CaseBench:
    """One size and class count: models, competitors, their agreement, their times."""

    def __init__(self, case: Case, options: BenchOptions, folder: Path, notes: list[str]) -> None:
        self.case, self.options, self.notes = case, options, notes
        self.network = official_network(case.classes)
        size = (case.height, case.width)
        self.path = export_ours(self.network, folder / f'ours_{case.key}.onnx')
        self.ours = self.path.read_bytes()
        self.plain = export_raw(self.network, folder / f'raw_{case.key}.onnx', size)
        self.plain_whole = export_whole(self.network, folder / f'whole_{case.key}.onnx', size)
        self.image = picture(*size)
        self.pixels = {'image': self.image[None]}
        self.normalised = {'image': normalise(self.image)}
        self.raw, self.raw_outputs = cut_at_heads(self.ours)
        self.raw_session = our_session(self.raw, options.threads)
        self.competitors = self._competitors()

    def _competitors(self) -> dict[str, Callable[[], list[np.ndarray]]]:
        from hydranet_ros.inference.subgraph import prune

        threads, names = self.options.threads, list(WHOLE_OUTPUTS)
        raw, raw_names = self.raw_session, list(self.raw_outputs)
        plain = plain_session(self.plain, threads)
        whole = our_session(prune(self.ours, names), threads)
        plain_whole = plain_session(self.plain_whole, threads)
        found: dict[str, Callable[[], list[np.ndarray]]] = {
            OURS: lambda: raw.run(raw_names, self.pixels),
            PLAIN: lambda: plain.run(list(RAW_OUTPUTS), self.normalised),
            EAGER: eager(self.network, self.normalised['image']),
        }
        vino = openvino(self.plain, self.normalised['image'], threads)
        if vino:
            found[OPENVINO] = vino
        elif not any(OPENVINO in note for note in self.notes):
            self.notes.append(
                "OpenVINO is not installed and was left out: pip install 'hydranet_ros[bench]'"
            )
        found[WHOLE] = lambda: whole.run(names, self.pixels)
        found[PLAIN_WHOLE] = lambda: plain_whole.run(names, self.pixels)
        given = given_model(self.options, self.case.classes)
        if given is not None:
            session = our_session(prune(given.read_bytes(), names), threads)
            found[GIVEN] = lambda: session.run(names, self.pixels)
        return found

    def check(self) -> dict[str, float]:
        """Compare the competitors' outputs; return each one's difference from plain export."""
        outputs = {name: call() for name, call in self.competitors.items() if name != GIVEN}
        like = outputs[PLAIN]
        reference = in_channels_first(like, like)
        found = {
            name: assert_agree(
                f'{name}, {self.case.title}', in_channels_first(outputs[name], like), reference,
                TOLERANCE,
            )
            for name in (OURS, EAGER, OPENVINO)
            if name in outputs
        }  # fmt: skip
        (labels, depth), (plain_labels, plain_depth) = outputs[WHOLE], outputs[PLAIN_WHOLE]
        found[WHOLE] = assert_agree(
            f'{WHOLE}, depth, {self.case.title}', depth, plain_depth, TOLERANCE
        )
        differing = float((labels != plain_labels).mean())
        if differing > LABEL_TOLERANCE:
            raise BenchError(
                f'{WHOLE}, {self.case.title}: {differing:.2%} of the labels are not those of the '
                f'plain export; allowed: {LABEL_TOLERANCE:.2%}.'
            )
        return found

    def time(self, gemms: list[Gemm], rounds: int) -> dict[str, Series]:
        """Run all competitors and the matrix products in turn."""
        products = {f'{_GEMM}{gemm.name}': gemm.call for gemm in gemms}
        return interleaved({**self.competitors, **products}, rounds)

    def macs(self) -> tuple[int, int]:
        """Return the exact multiply-adds of our graph and of the official structure."""
        return (
            count_macs(self.raw, self.pixels),
            count_macs(self.plain.read_bytes(), self.normalised),
        )

    def nodes(self) -> tuple[Node, ...]:
        """Return our graph's nodes as they run, up to the heads."""
        return profile(self.raw_session, self.raw, self.pixels, _PROFILED_RUNS)


@dataclass(frozen=True)
class _Rates:
    """
    Operations a second of a case, in units of 1e9.

    :param product: the fastest matrix product; ``largest`` is the most it reached in any round.
    :param share: the network's rate over that of the product, of each round, the median.
    """

    macs: int
    official_macs: int
    achieved: float
    product: float
    largest: float
    share: float


def _rates(bench: _CaseBench, times: Mapping[str, Series], gemms: list[Gemm]) -> _Rates:
    own, official = bench.macs()
    gflop = 2e-9 * min(own, official)
    gemm = min(gemms, key=lambda item: times[f'{_GEMM}{item.name}'].median / item.gflop)
    product = times[f'{_GEMM}{gemm.name}']
    return _Rates(
        own, official, 1e3 * gflop / times[OURS].median, 1e3 * gemm.gflop / product.median,
        1e3 * max(item.gflop / times[f'{_GEMM}{item.name}'].best for item in gemms),
        pair_ratio(product, times[OURS]).median * gflop / gemm.gflop,
    )  # fmt: skip


@dataclass
class _Findings:
    """What is collected over the cases."""

    figures: dict[str, Figure] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Mapping[str, Series]] = field(default_factory=dict)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(
        self, bench: _CaseBench, differences: dict[str, float], times: dict[str, Series],
        gemms: list[Gemm],
    ) -> None:  # fmt: skip
        """Turn the times of a case into figures and a table."""
        case, ours = bench.case, times[OURS]
        self.runs[case.title] = times
        self.inputs[f'ours_{case.key}.onnx'] = sha256_of(bench.path)
        self.inputs[f'image_{case.width}x{case.height}'] = digest(bench.image)
        self.tables.append(times_table(case.title, times))
        ratios = {
            'speedup_vs_plain': pair_ratio(times[PLAIN], ours),
            'speedup_vs_eager': pair_ratio(times[EAGER], ours),
            'speedup_vs_openvino': pair_ratio(times[OPENVINO], ours)
            if OPENVINO in times
            else None,
            'speedup_whole_vs_plain': pair_ratio(times[PLAIN_WHOLE], times[WHOLE]),
        }
        rates = _rates(bench, times, gemms)
        found: dict[str, Figure] = {
            name: one.median if one else None for name, one in ratios.items()
        }
        found |= {
            'share_of_peak': rates.share,
            'share_of_largest_peak': rates.achieved / rates.largest,
            'difference': differences[OURS],
            'difference_of_eager': differences[EAGER],
            'macs': float(rates.macs),
            'official_macs': float(rates.official_macs),
        }
        self.figures |= {f'{name}_{case.key}': value for name, value in found.items()}
        self.figures |= {
            f'network_{case.key}_ms': ours.median,
            f'achieved_{case.key}_gflops': rates.achieved,
            f'peak_{case.key}_gflops': rates.product,
            f'largest_peak_{case.key}_gflops': rates.largest,
        }
        self.rows.append((
            case.title, f'{ours.median:.1f}', *(str(one or '-') for one in ratios.values()),
            f'{rates.macs / 1e9:.3f}', f'{rates.achieved:.0f}', f'{rates.product:.0f}',
            f'{rates.share:.1%}', f'{rates.achieved / rates.largest:.1%}',
            f'{differences[OURS]:.1e}', f'{differences[EAGER]:.1e}',
        ))  # fmt: skip
        if GIVEN in times:
            self._add_given(bench, times)

    def _add_given(self, bench: _CaseBench, times: Mapping[str, Series]) -> None:
        given = given_model(bench.options, bench.case.classes)
        assert given is not None
        self.inputs[given.name] = sha256_of(given)
        ratio = pair_ratio(times[GIVEN], times[WHOLE])
        self.figures[f'model_file_vs_whole_{bench.case.key}'] = ratio.median
        self.notes.append(
            f'{GIVEN}, {bench.case.title}: {given.name}, with its own weights, takes {ratio} '
            'times what a file exported now takes; its outputs are not compared.'
        )

    def take_apart(self, bench: _CaseBench, gemms: list[Gemm], bandwidth: Any) -> None:
        """Add the roofline by operator of a case."""
        times = self.runs[bench.case.title]
        product = max(gemm.gflop / times[f'{_GEMM}{gemm.name}'].best for gemm in gemms) * 1e12
        nodes = bench.nodes()
        flops = max(product, fastest(nodes))  # a node that was faster shows the machine can do it
        roof = Roof(flops, bandwidth)
        where = f'{bench.case.title}; roof {flops / 1e9:.0f} GFLOP/s (fastest '
        where += f'{"matrix product" if flops == product else "convolution"}), memory '
        where += f'{bandwidth.memory / 1e9:.1f} GB/s'
        self.tables += [
            kinds_table(f'by operator, {where}', nodes, roof),
            nodes_table(f'dearest nodes, {where}', nodes, roof, _TOP_NODES),
        ]
        self.figures |= {
            f'share_of_roof_{bench.case.key}': share_of_roof(nodes, roof),
            f'compute_bound_share_{bench.case.key}': compute_share(nodes, roof),
            'memory_bandwidth_gbs': bandwidth.memory / 1e9,
        }

    def summary(self) -> Table:
        """Return a row a case."""
        header = (
            '', 'ours ms', 'plain / ours', 'eager / ours', 'OpenVINO / ours',
            'whole: plain / ours', 'GMAC', 'GFLOP/s', 'peak', 'of peak', 'of largest',
            'difference', 'of eager',
        )  # fmt: skip
        return Table('network: ratios of pairs, median (p5..p95)', header, self.rows)
