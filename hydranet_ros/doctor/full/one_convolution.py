"""Step 2: each provider runs a model of one convolution, so that its own failure is seen alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.doctor.full.images import noise
from hydranet_ros.doctor.full.libraries import mapped_libraries
from hydranet_ros.doctor.full.outcome import judged, not_run
from hydranet_ros.doctor.provider_trial import missing
from hydranet_ros.inference.node_assignment import node_assignment
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import run_once
from hydranet_ros.inference.session import Session, SessionRequest
from hydranet_ros.resources import config_file

FILE = 'doctor/one_convolution.onnx'
SIZE = (48, 64)
BIAS = 0.5
TOLERANCES = {'float32': 1e-6, 'tf32': 2e-3, 'float16': 2e-3, 'bfloat16': 1e-2}
"""Largest deviation relative to the largest value, by precision."""


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    Run the model on one provider.

    :param arguments: ``provider``, ``precision``, ``cache``.
    """
    name, precision = arguments['provider'], arguments['precision']
    reason = missing(name)
    if reason:
        yield not_run(reason)
        return
    provider, path = PROVIDERS[name], config_file(FILE)
    yield {'version': provider.version()}
    options = EngineOptions(provider=name, cache_directory=Path(arguments['cache']))
    size = SIZE if provider.compiles else None
    request = SessionRequest(path.read_bytes(), path, options, precision, size)
    image = noise(SIZE)
    with closing(provider.open(request)) as session:
        yield {'notes': session.notes, 'nodes': assigned_nodes(session)}
        depth = run_once(session, image, frozenset({'depth'}))['depth']
    yield {'mapped': mapped_libraries()}
    found = deviation(depth, image)
    problems = [] if found <= TOLERANCES[precision] else [f'its result is off by {found:.2g}']
    yield judged(problems, f'{provider.version()}, largest deviation {found:.1g}', deviation=found)


def assigned_nodes(session: Session) -> dict[str, dict[str, int]]:
    """Return the number of nodes by operator, by provider; empty if it was not recorded."""
    found = node_assignment(getattr(session, 'session', None))
    return {provider: dict(operators) for provider, operators in found.items()}


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
