"""Textures drawn with numpy: asphalt with lane marks, paving, leaves, grass, roofs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Texture = NDArray[np.uint8]


def noise(rng: np.random.Generator, size: tuple[int, int], octaves: int = 5) -> NDArray:
    """Return fractal noise of ``size`` (rows, columns), float32, mean 0, about -1..1."""
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
    """Return a float32 (rows, columns, 3) surface of one colour, uneven by ``contrast``."""
    fine = rng.standard_normal(size, np.float32) * 0.35
    shade = 1 + contrast * (noise(rng, size) + fine)[..., None]
    return np.asarray(color, np.float32) * shade


def finished(image: NDArray) -> Texture:
    """Return an image clipped to uint8."""
    return np.clip(image, 0, 255).astype(np.uint8)


def asphalt(rng: np.random.Generator, *, lanes: int, marks: bool, kerb: float = 0.0) -> Texture:
    """
    Return 12 m of road, driving direction along the columns, full width along the rows.

    Patches, cracks, tyre tracks and worn lane marks.

    :param kerb: share of the width on either side that is no lane (parking).
    """
    grey = rng.uniform(60, 150)
    image = tinted(rng, (512, 512), (grey, grey, grey * rng.uniform(0.95, 1.06)), 0.06)
    image *= 1 + rng.uniform(0.03, 0.12) * noise(rng, (512, 512), 3)[..., None]
    _tracks(image, rng, lanes, kerb)
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.integers(0, 512), rng.integers(0, 512)
        w, h = rng.integers(30, 250), rng.integers(20, 130)
        image[y : y + h, x : x + w] *= rng.uniform(0.75, 1.15)
    for _ in range(int(rng.integers(0, 6))):
        _crack(image, rng)
    if marks:
        white = rng.uniform(170, 250)
        color = (white, white, white * rng.uniform(0.75, 1.0))
        _lane_marks(image, rng, lanes, kerb, color)
    return finished(image)


def _rows_of_lanes(lanes: int, kerb: float) -> NDArray:
    return np.linspace(512 * kerb, 512 * (1 - kerb), lanes + 1)


def _tracks(image: NDArray, rng: np.random.Generator, lanes: int, kerb: float) -> None:
    rows = np.arange(512)[:, None]
    edges = _rows_of_lanes(lanes, kerb)
    strength = rng.uniform(-0.1, 0.12)
    for low, high in zip(edges, edges[1:]):
        for share in (0.25, 0.75):
            centre, width = low + (high - low) * share, (high - low) * 0.11
            image *= (1 - strength * np.exp(-(((rows - centre) / width) ** 2)))[..., None]


def _crack(image: NDArray, rng: np.random.Generator) -> None:
    steps = rng.normal(0, 7, (24, 2)) + rng.normal(0, 9, 2)
    points = np.cumsum(steps, 0) + rng.uniform(0, 512, 2)
    dark = float(image.mean() * rng.uniform(0.4, 0.8))
    cv2.polylines(image, [points.astype(np.int32)], False, (dark,) * 3, int(rng.integers(1, 4)))


def _lane_marks(
    image: NDArray, rng: np.random.Generator, lanes: int, kerb: float, color: ArrayLike
) -> None:
    wear = 0.5 + 0.5 * np.clip(noise(rng, image.shape[:2]) + 0.8, 0, 1)[..., None]
    paint = np.zeros(image.shape[:2], bool)
    half = int(rng.integers(3, 6))
    edges = _rows_of_lanes(lanes, kerb).astype(int)
    dash = int(512 * rng.uniform(0.25, 0.6))
    solid_middle = rng.random() < 0.2
    for index, row in enumerate(edges[1:-1], 1):
        whole = solid_middle and 2 * index == lanes
        paint[row - half : row + half, : 512 if whole else dash] = True
    if rng.random() < 0.55:
        margin = 10 if kerb == 0 else 0
        for row in (edges[0] + margin, edges[-1] - margin):
            paint[row - half : row + half] = True
    image[paint] = (image * (1 - wear) + np.asarray(color) * wear)[paint]


def zebra(rng: np.random.Generator) -> Texture:
    """Return one stripe and one gap of a crossing, 1 m along the columns."""
    grey, white = rng.uniform(60, 120), rng.uniform(180, 245)
    image = tinted(rng, (64, 64), (grey, grey, grey), 0.08)
    wear = 0.6 + 0.4 * np.clip(noise(rng, (64, 32), 4) + 0.8, 0, 1)[..., None]
    image[:, :32] = image[:, :32] * (1 - wear) + white * wear
    return finished(image)


def paving(rng: np.random.Generator) -> Texture:
    """Return about 4 m x 4 m of sidewalk: slabs, plain concrete, or asphalt like the road's."""
    grey = rng.uniform(95, 190) if rng.random() < 0.65 else rng.uniform(60, 120)
    warm = rng.uniform(0.85, 1.0)
    image = tinted(rng, (256, 256), (grey, grey * (1 + warm) / 2, grey * warm), 0.06)
    if rng.random() < 0.7:
        step = int(rng.choice([16, 32, 64]))
        dark = rng.uniform(0.7, 0.9)
        image[::step] *= dark
        image[:, ::step] *= dark
    return finished(image)


def grass(rng: np.random.Generator) -> Texture:
    """Return grass, dry or fresh."""
    green = rng.uniform(70, 140)
    color = (green * rng.uniform(0.5, 1.0), green, green * rng.uniform(0.25, 0.6))
    return finished(tinted(rng, (256, 256), color, 0.3))


def leaves(rng: np.random.Generator) -> Texture:
    """Return foliage from the top of a crown, lit, to its bottom, in shade: gaps and clumps."""
    green = rng.uniform(45, 120)
    color = (green * rng.uniform(0.5, 1.05), green, green * rng.uniform(0.2, 0.65))
    if rng.random() < 0.12:
        color = (green * rng.uniform(1.1, 1.5), green * 0.9, green * 0.35)
    image = tinted(rng, (256, 256), color, 0.3)
    for sigma, strength in ((1.2, 1.6), (4.0, 5.0), (10.0, 9.0)):
        clumps = cv2.GaussianBlur(rng.standard_normal((256, 256), np.float32), (0, 0), sigma)
        image = image * (1 + strength * np.clip(clumps, -0.3 / sigma, 0.22 / sigma))[..., None]
    shade = np.linspace(1.25, rng.uniform(0.45, 0.8), 256, dtype=np.float32)
    return finished(image * shade[:, None, None])


def roof(rng: np.random.Generator) -> Texture:
    """Return tiles or slate."""
    colors = ((150, 70, 50), (90, 85, 85), (120, 60, 50), (105, 65, 50), (70, 68, 72))
    color = np.asarray(colors[int(rng.integers(len(colors)))]) * rng.uniform(0.7, 1.2)
    image = tinted(rng, (128, 128), color, 0.15)
    image[::8] *= 0.7
    return finished(image)


def encode(texture: Texture) -> bytes:
    """Return the PNG bytes of an RGB texture."""
    done, data = cv2.imencode('.png', cv2.cvtColor(texture, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()
