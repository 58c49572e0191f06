"""Image sizes and test images of the suites, and their checksums."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

SIZES = ((480, 640), (375, 1242))
"""Height and width in pixels of the images that the suites measure."""


def size_name(size: tuple[int, int]) -> str:
    """Return (height, width) as in the names of metrics: ``640x480``."""
    return f'{size[1]}x{size[0]}'


def make_image(height: int, width: int, seed: int = 7) -> NDArray[np.uint8]:
    """Return (height, width, 3) uint8 RGB with gradients, edges, shapes and noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    made = np.stack(
        [255 * x / width, 255 * y / height, 127 + 120 * np.sin(x / 23) * np.cos(y / 31)], -1
    )
    made[height // 3 : height // 2, width // 4 : width // 2] = (30, 60, 90)
    made[(x - 0.7 * width) ** 2 + (y - 0.6 * height) ** 2 < (height / 5) ** 2] = (200, 180, 40)
    noise = np.random.default_rng(seed).normal(0, 8, made.shape)
    return np.clip(made + noise, 0, 255).astype(np.uint8)


def digest(array: NDArray) -> str:
    """Return the sha256 of an array's bytes, in hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
