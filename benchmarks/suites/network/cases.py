"""One case of the suite: an image size and class count, its variants, and their agreement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness.agreement import assert_agree
from benchmarks.harness.inputs import make_image
from benchmarks.harness.interleaving import interleaved
from benchmarks.harness.options import BenchOptions
from benchmarks.harness.results import Series
from benchmarks.models.official_network import export_model, official_network
from benchmarks.models.plain_export import (
    FULL_OUTPUTS,
    HEAD_OUTPUTS,
    cut_at_heads,
    export_full,
    export_heads,
    in_channels_first,
)
from benchmarks.suites.network.machine_limits import Gemm
from benchmarks.suites.network.roofline import Node, count_macs, profile
from benchmarks.suites.network.runtimes import (
    default_session,
    engine_session,
    openvino,
    pytorch,
    shipped_model,
)
from hydranet_ros.errors import BenchError

if TYPE_CHECKING:
    from hydranet_ros.network.hydranet import HydraNet

OURS, PLAIN = 'hydranet_ros', 'ONNX Runtime, plain export'
PYTORCH, OPENVINO = 'PyTorch eager', 'OpenVINO'
FULL, FULL_PLAIN, FULL_SHIPPED = (
    'full: hydranet_ros', 'full: ONNX Runtime, plain export', 'full: shipped model',
)  # fmt: skip
MATRIX_PRODUCT = 'matrix product, '
TOLERANCE = 1e-5
LABEL_TOLERANCE = 1e-3
_PROFILED_RUNS = 10


@dataclass(frozen=True)
class Case:
    """An image size in pixels, and the number of classes of the segmentation head."""

    height: int
    width: int
    classes: int = 6

    @property
    def title(self) -> str:
        """Return the case as text for tables."""
        return f'{self.width}x{self.height}, {self.classes} classes'

    @property
    def key(self) -> str:
        """Return the case as it ends the names of metrics; 6 classes are left out."""
        suffix = '' if self.classes == 6 else f'_{self.classes}classes'
        return f'{self.width}x{self.height}{suffix}'


class CaseVariants:
    """Models and variants of one case, all with equal weights."""

    def __init__(self, case: Case, options: BenchOptions, folder: Path, notes: list[str]) -> None:
        self.case, self.options, self.notes = case, options, notes
        self.network = official_network(case.classes)
        size = (case.height, case.width)
        self.path = export_model(self.network, folder / f'ours_{case.key}.onnx')
        self.model = self.path.read_bytes()
        self.plain = export_heads(self.network, folder / f'heads_{case.key}.onnx', size)
        self.plain_full = export_full(self.network, folder / f'full_{case.key}.onnx', size)
        self.image = make_image(*size)
        self.pixels = {'image': self.image[None]}
        self.normalized = {'image': _normalized(self.network, self.image)}
        self.heads, self.head_outputs = cut_at_heads(self.model)
        self.heads_session = engine_session(self.heads, options.threads)
        self.variants = self._variants()

    def _variants(self) -> dict[str, Callable[[], list[np.ndarray]]]:
        from hydranet_ros.inference.subgraph import prune

        threads, names = self.options.threads, list(FULL_OUTPUTS)
        heads, head_names = self.heads_session, list(self.head_outputs)
        plain = default_session(self.plain, threads)
        full = engine_session(prune(self.model, names), threads)
        plain_full = default_session(self.plain_full, threads)
        found: dict[str, Callable[[], list[np.ndarray]]] = {
            OURS: lambda: heads.run(head_names, self.pixels),
            PLAIN: lambda: plain.run(list(HEAD_OUTPUTS), self.normalized),
            PYTORCH: pytorch(self.network, self.normalized['image']),
        }
        vino = openvino(self.plain, self.normalized['image'], threads)
        if vino:
            found[OPENVINO] = vino
        elif not any(OPENVINO in note for note in self.notes):
            self.notes.append(
                "OpenVINO is not installed and was left out: pip install 'hydranet_ros[bench]'"
            )
        found[FULL] = lambda: full.run(names, self.pixels)
        found[FULL_PLAIN] = lambda: plain_full.run(names, self.pixels)
        shipped = shipped_model(self.options, self.case.classes)
        if shipped is not None:
            session = engine_session(prune(shipped.read_bytes(), names), threads)
            found[FULL_SHIPPED] = lambda: session.run(names, self.pixels)
        return found

    def check(self) -> dict[str, float]:
        """
        Compare all outputs with the plain export; return the largest difference of each variant.

        :raises BenchError: if a difference exceeds the tolerance.
        """
        outputs = {name: call() for name, call in self.variants.items() if name != FULL_SHIPPED}
        like = outputs[PLAIN]
        reference = in_channels_first(like, like)
        found = {
            name: assert_agree(
                f'{name}, {self.case.title}', in_channels_first(outputs[name], like), reference,
                TOLERANCE,
            )
            for name in (OURS, PYTORCH, OPENVINO)
            if name in outputs
        }  # fmt: skip
        (labels, depth), (plain_labels, plain_depth) = outputs[FULL], outputs[FULL_PLAIN]
        found[FULL] = assert_agree(
            f'{FULL}, depth, {self.case.title}', depth, plain_depth, TOLERANCE
        )
        differing = float((labels != plain_labels).mean())
        if differing > LABEL_TOLERANCE:
            raise BenchError(
                f'{FULL}, {self.case.title}: {differing:.2%} of the labels differ from the plain '
                f'export; allowed: {LABEL_TOLERANCE:.2%}.'
            )
        return found

    def time(self, gemms: list[Gemm], rounds: int) -> dict[str, Series]:
        """Run all variants and the matrix products interleaved; return their times."""
        products = {f'{MATRIX_PRODUCT}{gemm.name}': gemm.call for gemm in gemms}
        return interleaved({**self.variants, **products}, rounds)

    def macs(self) -> tuple[int, int]:
        """Return the exact multiply-adds of our graph and of the official structure."""
        return (
            count_macs(self.heads, self.pixels),
            count_macs(self.plain.read_bytes(), self.normalized),
        )

    def nodes(self) -> tuple[Node, ...]:
        """Return the profiled nodes of our graph, up to the heads."""
        return profile(self.heads_session, self.heads, self.pixels, _PROFILED_RUNS)


def _normalized(network: HydraNet, image: np.ndarray) -> np.ndarray:
    """Map an image (H, W, 3) uint8 to the network's input, (1, 3, H, W) float32."""
    import torch

    return network.normalize(torch.from_numpy(image)[None]).contiguous().numpy()
