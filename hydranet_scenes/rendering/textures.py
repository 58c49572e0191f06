"""Basics of procedural textures: fractal noise, uneven color, conversion to PNG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

# (rows, columns, 3) RGB.
Texture = NDArray[np.uint8]


def noise(
    rng: np.random.Generator, size: tuple[int, int], octaves: int = 5
) -> NDArray[np.float32]:
    """Return fractal noise of ``size`` (rows, columns), float32, about -1..1 with mean 0."""
    out = np.zeros(size, np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 2)
        shape = (min(cells, size[0]), min(cells, size[1]))
        grid = rng.standard_normal(shape, np.float32)
        out += cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC) / 1.7**octave
    return out / max(1e-6, float(np.abs(out).max()))


def tinted(
    rng: np.random.Generator, size: tuple[int, int], color: ArrayLike, contrast: float
) -> NDArray:
    """
    Return an uneven surface of one color, (rows, columns, 3) float32.

    :param color: RGB, 0..255.
    :param contrast: relative amplitude of the brightness variation.
    """
    fine = rng.standard_normal(size, np.float32) * 0.35
    shade = 1 + contrast * (noise(rng, size) + fine)[..., None]
    return np.asarray(color, np.float32) * shade


def to_uint8(image: NDArray) -> Texture:
    """Clip an image to 0..255 and convert it to uint8."""
    return np.clip(image, 0, 255).astype(np.uint8)


def encode_png(texture: Texture) -> bytes:
    """Encode an RGB texture as PNG."""
    done, data = cv2.imencode('.png', cv2.cvtColor(texture, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()
