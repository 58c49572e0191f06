"""Step 2: each provider runs a model of one convolution, so that its own failure is seen alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.doctor.full.libraries import mapped_libraries
from hydranet_ros.doctor.full.outcome import judged, not_run
from hydranet_ros.doctor.provider_trial import missing
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import run_once
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.resources import config_file

FILE = 'doctor/one_convolution.onnx'
SIZE = (48, 64)
BIAS = 0.5
TOLERANCES = {'float32': 1e-6, 'tf32': 2e-3, 'float16': 2e-3, 'bfloat16': 1e-2}
"""Largest deviation relative to the largest value, by precision."""


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Run the model in every precision that ``auto`` would try, and in float32.

    :param arguments: ``provider``, ``cache``.
    """
    name = arguments['provider']
    reason = missing(name)
    if reason:
        yield not_run(reason)
        return
    provider, path = PROVIDERS[name], config_file(FILE)
    options = EngineOptions(provider=name, cache_directory=Path(arguments['cache']))
    yield {'version': provider.version()}
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    found: dict[str, Any] = {}
    problems = []
    for precision in dict.fromkeys((*provider.automatic_precisions(options), 'float32')):
        request = SessionRequest(
            path.read_bytes(), path, options, precision, SIZE if provider.compiles else None
        )
        with closing(provider.open(request)) as session:
            depth = run_once(session, image, frozenset({'depth'}))['depth']
            found[precision] = {'deviation': deviation(depth, image), 'notes': session.notes}
        if not found[precision]['deviation'] <= TOLERANCES[precision]:
            problems.append(f'wrong in {precision}: {found[precision]["deviation"]:.2g}')
        yield {'precisions': found, 'mapped': mapped_libraries()}
    yield judged(problems, f'{provider.version()}: right in {", ".join(found)}')


def deviation(depth: NDArray[np.float32], image: NDArray[np.uint8]) -> float:
    """
    Return the largest deviation from the exact result, relative to its largest value.

    :param depth: (H, W) float32, output of the model for ``image``, (H, W, 3) uint8.
    """
    right = expected(image)
    return float(np.abs(depth - right).max() / np.abs(right).max())


def expected(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the exact output for an image, (H, W)."""
    height, width = image.shape[:2]
    padded = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    total = np.full((height, width), BIAS)
    for row in range(3):
        for column in range(3):
            part = padded[row : row + height, column : column + width]
            total += part @ kernel()[:, row, column]
    return total


def kernel() -> NDArray[np.float32]:
    """Return the weights, (3, 3, 3): multiples of 1/16, so that float32 has no rounding."""
    return ((np.arange(27) * 5 % 7 - 3) / 16).astype(np.float32).reshape(3, 3, 3)
