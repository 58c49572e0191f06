"""Compare an exported graph with its PyTorch module on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ExportError
from hydranet_ros.network.export_module import ExportModule

# Multiple of PyTorch's own rounding in float32: the graph adds in another order.
_ROUNDING_FACTOR = 4.0
# Largest differences allowed; see GraphDifferences for their units.
TOLERANCES = {'labels': 1e-3, 'depth': 1e-3, 'normals': 1e-3, 'confidence': 2.0}


@dataclass(frozen=True)
class GraphDifferences:
    """
    Largest differences between an exported graph and PyTorch; 0 for outputs it does not have.

    :param labels: fraction of pixels whose class differs.
    :param depth: difference relative to the depth, or to 1 m where it is less.
    :param normals: difference of a component of the unit vectors.
    :param confidence: difference of the 8-bit values.
    """

    labels: float
    depth: float
    normals: float
    confidence: float


@dataclass(frozen=True)
class Reference:
    """
    What a network computes for one image, in float64 and in float32.

    :param exact: outputs by name, without the dimension of the batch; floats are float64.
    :param rounded: the same in float32.
    """

    image: NDArray[np.uint8]
    exact: Mapping[str, NDArray]
    rounded: Mapping[str, NDArray]


def reference_outputs(module: ExportModule, image: NDArray[np.uint8]) -> Reference:
    """
    Run a module on an image in float64 and in float32.

    :param module: in evaluation mode, in float32.
    :param image: (H, W, 3) uint8 RGB.
    """
    pixels = torch.from_numpy(image)[None]
    with torch.no_grad():
        rounded = [output[0].numpy() for output in module(pixels)]
        exact = [output[0].numpy() for output in deepcopy(module).double()(pixels)]
    names = module.output_names
    return Reference(image, dict(zip(names, exact)), dict(zip(names, rounded)))


def compare_graph(
    path: Path, references: Sequence[Reference], names: Sequence[str]
) -> GraphDifferences:
    """
    Run a graph on the images of references and compare it with PyTorch in float64.

    What is allowed is the larger of :data:`TOLERANCES` and a multiple of the difference between
    PyTorch in float32 and in float64: some networks amplify rounding.

    :param names: of the outputs, in the order of the graph.
    :raises ExportError: if a difference exceeds what is allowed, or is not finite.
    """
    session = open_reference_session(path)
    worst = dict.fromkeys(TOLERANCES, 0.0)
    for reference in references:
        found = session.run(list(names), {'image': reference.image[None]})
        for name, values in zip(names, found):
            exact = reference.exact[name]
            difference = _difference(name, exact, values[0])
            own = _difference(name, exact, reference.rounded[name])
            allowed = max(TOLERANCES[name], _ROUNDING_FACTOR * own)
            if not difference <= allowed or not np.isfinite(difference):
                raise ExportError(
                    f'The {name} of the exported graph differ from PyTorch by {difference:.3g}; '
                    f'allowed: {allowed:.3g}. {_worst_pixel(name, exact, values[0])} No file was '
                    'written. Check that the weights are finite.'
                )
            worst[name] = max(worst[name], difference)
    return GraphDifferences(**worst)


def open_reference_session(path: Path) -> Any:
    """Open a model in an ``onnxruntime.InferenceSession`` on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def _worst_pixel(name: str, want: NDArray, got: NDArray) -> str:
    """Return a sentence about the pixel with the largest difference."""
    error = np.abs(want.astype(np.float64) - got)
    error = np.where(np.isfinite(error), error, np.inf)
    if name == 'depth':
        error = error / np.maximum(np.abs(want), 1.0)
    row, column = np.unravel_index(int(error.argmax()), error.shape)[:2]
    return (
        f'Worst pixel: ({column}, {row}), expected {np.round(want[row, column], 4)}, found '
        f'{np.round(got[row, column], 4)}.'
    )


def _difference(name: str, want: NDArray, got: NDArray) -> float:
    if name == 'labels':
        return float((want != got).mean())
    scale = np.maximum(np.abs(want), 1.0) if name == 'depth' else 1.0
    return float((np.abs(want.astype(np.float64) - got) / scale).max())


def comparison_image(height: int, width: int) -> NDArray[np.uint8]:
    """Return a reproducible image (height, width, 3) uint8 with gradients, edges and noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = np.stack(
        [255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / 23) * np.cos(y / 31)], -1
    )
    base[height // 3 : height // 2, width // 4 : width // 2] = (30, 60, 90)
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)
