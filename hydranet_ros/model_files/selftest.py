"""
The self-test of a model file: one synthetic image and the outputs that it must give.

A runtime can load a graph and compute something else, silently. So the exporter stores the
outputs of PyTorch in float64 for an image that every machine can draw again, on a grid of pixels.
Inference runs the same image on its provider and compares.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError

MAX_PIXELS = 33_000
_GRID_POINTS = 2_000
_TYPES = {'labels': '<u1', 'confidence': '<u1', 'depth': '<f4', 'normals': '<f4'}
_PERCENTILE = 95

TOLERANCES: Mapping[str, Mapping[str, float]] = MappingProxyType({
    'float32': {
        'labels': 0.005, 'depth': 1e-3, 'depth_p95': 1e-2, 'confidence': 1.0, 'normals': 1e-3,
    },
    'float16': {
        'labels': 0.015, 'depth': 1e-2, 'depth_p95': 5e-2, 'confidence': 4.0, 'normals': 1e-2,
    },
    'tf32': {
        'labels': 0.015, 'depth': 1e-2, 'depth_p95': 5e-2, 'confidence': 4.0, 'normals': 1e-2,
    },
    'bfloat16': {
        'labels': 0.03, 'depth': 2e-2, 'depth_p95': 1e-1, 'confidence': 8.0, 'normals': 2e-2,
    },
    'int8': {
        'labels': 0.08, 'depth': 1e-1, 'depth_p95': 4e-1, 'confidence': 20.0, 'normals': 1e-1,
    },
})  # fmt: skip
"""
Largest deviation allowed, by precision of the arithmetic and by metric; see :class:`Deviation`.

TF32 is float32 with the mantissa of float16 in products, on NVIDIA GPUs.
"""
# What PyTorch's own rounding in float32 may be multiplied by: another order of additions.
_ROUNDING_FACTOR = 4.0


@dataclass(frozen=True)
class Deviation:
    """
    How far outputs are from the expected ones.

    :param metrics: ``labels``: fraction of the grid whose class differs; ``depth`` and
        ``depth_p95``: median and 95th percentile of the difference relative to the depth;
        ``confidence``: mean difference of the 8-bit values; ``normals``: mean difference of a
        component. NaN where an output is not finite.
    :param limits: largest value allowed of each metric.
    """

    metrics: Mapping[str, float]
    limits: Mapping[str, float]

    @property
    def accepted(self) -> bool:
        """Return whether every metric is within its limit; NaN is not."""
        return all(value <= self.limits[name] for name, value in self.metrics.items())

    def __str__(self) -> str:
        """Return the metrics that are outside their limits, or all if none is."""
        outside = {k: v for k, v in self.metrics.items() if not v <= self.limits[k]}
        return ', '.join(
            f'{name} differ by {value:.3g} (allowed: {self.limits[name]:.3g})'
            if name in outside
            else f'{name} {value:.3g}'
            for name, value in (outside or self.metrics).items()
        )


@dataclass(frozen=True)
class SelfTest:
    """
    Expected outputs for :func:`self_test_image`.

    :param size: (height, width) of the image in pixels.
    :param step: distance between the rows and columns of the grid in pixels.
    :param expected: by name of the output, the values on the grid, row by row, little-endian, as
        base64: uint8 for labels and confidence; float32 for depth (meters) and normals (three
        components a point).
    :param rounding: metric by metric, the deviation of PyTorch in float32 from float64. A network
        that amplifies rounding is allowed a multiple of it.
    """

    size: tuple[int, int]
    step: int
    expected: Mapping[str, str]
    rounding: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_outputs(
        cls,
        size: tuple[int, int],
        outputs: Mapping[str, NDArray],
        rounded: Mapping[str, NDArray] | None = None,
    ) -> SelfTest:
        """
        Return the self-test that expects these outputs.

        :param size: (height, width) of the image the outputs belong to.
        :param outputs: by name, (H, W) or, for normals, (H, W, 3).
        :param rounded: the same outputs computed in float32; ``None`` if unknown.
        """
        step = max(1, round(math.sqrt(size[0] * size[1] / _GRID_POINTS)))
        expected = {
            name: base64.b64encode(_on_grid(name, values, step).tobytes()).decode('ascii')
            for name, values in sorted(outputs.items())
        }
        test = cls(size, step, expected)
        if rounded is None:
            return test
        return cls(size, step, expected, test.compare(rounded, 'float32').metrics)

    def image(self) -> NDArray[np.uint8]:
        """Return the image of this test, (H, W, 3) uint8 RGB."""
        return self_test_image(*self.size)

    def compare(self, outputs: Mapping[str, NDArray], precision: str) -> Deviation:
        """
        Compare outputs with the expected ones; outputs without an expectation are ignored.

        :param outputs: by name, for :meth:`image`: (H, W) or, for normals, (H, W, 3).
        :param precision: key of :data:`TOLERANCES`.
        """
        metrics: dict[str, float] = {}
        for name, values in outputs.items():
            if name in self.expected:
                found = output_metrics(name, self._values(name), _on_grid(name, values, self.step))
                metrics |= found if np.isfinite(values).all() else dict.fromkeys(found, math.nan)
        limits = {
            name: max(TOLERANCES[precision][name], _ROUNDING_FACTOR * self.rounding.get(name, 0.0))
            for name in metrics
        }
        return Deviation(metrics, limits)

    def check(self) -> None:
        """
        Check that the expected values fit the grid.

        :raises ModelError: if they do not.
        """
        height, width = self.size
        if not (0 < self.step <= min(height, width) and 0 < height * width <= MAX_PIXELS * 64):
            raise ModelError(f'self_test has the size {self.size} and the step {self.step}.')
        for name in self.expected:
            if name not in _TYPES:
                raise ModelError(f'self_test has an output {name!r}; allowed: {sorted(_TYPES)}.')
            self._values(name)

    def _values(self, name: str) -> NDArray:
        shape = tuple(len(range(self.step // 2, side, self.step)) for side in self.size)
        if name == 'normals':
            shape += (3,)
        try:
            data = base64.b64decode(self.expected[name], validate=True)
            return np.frombuffer(data, _TYPES[name]).reshape(shape)
        except (binascii.Error, ValueError) as err:
            raise ModelError(f'self_test.expected.{name} is damaged: {err}.') from err


def self_test_size(native: tuple[int, int]) -> tuple[int, int]:
    """
    Return the size of the self-test image for a model: the native size, halved until it is small.

    :param native: (height, width) in pixels.
    """
    return halved_size(native, MAX_PIXELS)


def halved_size(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """
    Return a size halved until it has at most ``max_pixels``.

    :param size: (height, width) in pixels.
    """
    height, width = size
    while height * width > max_pixels:
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def self_test_image(height: int, width: int) -> NDArray[np.uint8]:
    """
    Draw the image of the self-test: sky, ground, boxes and texture, the same on every machine.

    Only integer arithmetic is used, so that no library version changes a pixel.

    :returns: (height, width, 3) uint8 RGB.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    image = np.empty((height, width, 3), np.int64)
    horizon = 2 * height // 5
    image[:] = np.stack(
        [120 + 80 * y // height, 160 + 60 * y // height, 235 - 20 * y // height], -1
    )
    ground = y >= horizon
    image[ground] = (90, 88, 86)
    middle = np.abs(2 * x - width) * (height - horizon)
    lane = ground & (middle < (y - horizon) * 3 * width // 2)
    image[ground & ~lane] = (70, 120, 60)
    for index in range(7):
        left, span = index * width // 7, width // 9
        top = horizon - (index * 37 % 11 + 4) * height // 48
        box = (
            (x >= left)
            & (x < left + span)
            & (y >= top)
            & (y < horizon + (index % 3) * height // 9)
        )
        image[box] = (60 + 25 * index, 190 - 20 * index, 50 + 30 * (index % 4))
    noise = ((x * 73_856_093 ^ y * 19_349_663) & 0xFFFF) * 40_503 >> 9 & 31
    stripes = (x // 4 + y // 6) % 2 * 8
    return np.clip(image + (noise - 16 + stripes)[..., None], 0, 255).astype(np.uint8)


def _on_grid(name: str, values: NDArray, step: int) -> NDArray:
    return np.ascontiguousarray(values[step // 2 :: step, step // 2 :: step].astype(_TYPES[name]))


def output_metrics(name: str, expected: NDArray, found: NDArray) -> dict[str, float]:
    """
    Return the metrics of one output, as :class:`Deviation` explains them.

    :param name: labels, confidence, depth or normals.
    :param expected: values of the shape of ``found``.
    """
    if name == 'labels':
        return {'labels': float((expected != found).mean())}
    difference = np.abs(expected.astype(np.float64) - found)
    if name != 'depth':
        return {name: float(difference.mean())}
    relative = difference / np.maximum(np.abs(expected), 1e-6)
    return {
        'depth': float(np.median(relative)),
        'depth_p95': float(np.percentile(relative, _PERCENTILE)),
    }
