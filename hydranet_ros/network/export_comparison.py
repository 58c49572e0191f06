"""Compare an exported graph with its PyTorch module on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ExportError
from hydranet_ros.network.export_module import ExportModule

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


def compare_graph(module: ExportModule, path: Path, size: tuple[int, int]) -> GraphDifferences:
    """
    Run a graph and its module on one image of the given size and one of about half the size.

    :param size: (height, width).
    :raises ExportError: if a difference exceeds :data:`TOLERANCES`, or is NaN.
    """
    session = open_reference_session(path)
    worst = dict.fromkeys(TOLERANCES, 0.0)
    for height, width in (size, (size[0] // 2 + 7, size[1] // 2 + 5)):
        image = comparison_image(height, width)
        with torch.no_grad():
            expected = module(torch.from_numpy(image)[None])
        found = session.run(module.output_names, {'image': image[None]})
        for name, want, got in zip(module.output_names, expected, found):
            difference = _difference(name, want.numpy(), got)
            worst[name] = float(np.maximum(worst[name], difference))
    for name, value in worst.items():
        if not value <= TOLERANCES[name]:
            raise ExportError(
                f'The {name} of the exported graph differ from PyTorch by {value:.3g}; allowed: '
                f'{TOLERANCES[name]:g}. No file was written. Check that the weights are finite, '
                'or try --target gpu.'
            )
    return GraphDifferences(**worst)


def open_reference_session(path: Path) -> Any:
    """Open a model in an ``onnxruntime.InferenceSession`` on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


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
