"""Textures drawn with numpy: asphalt with lane marks, paving, facades, leaves, grass."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

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


def tinted(rng: np.random.Generator, size: tuple[int, int], color, contrast: float) -> NDArray:
    """Return a float32 (rows, columns, 3) surface of one colour, uneven by ``contrast``."""
    fine = rng.standard_normal(size, np.float32) * 0.35
    shade = 1 + contrast * (noise(rng, size) + fine)[..., None]
    return np.asarray(color, np.float32) * shade


def _finish(image: NDArray) -> Texture:
    return np.clip(image, 0, 255).astype(np.uint8)


def asphalt(rng: np.random.Generator, *, lanes: int, marks: bool) -> Texture:
    """
    Return 12 m of road, driving direction along the columns, full width along the rows.

    Lane marks, worn; patches and tyre tracks.
    """
    grey = rng.uniform(55, 150)
    image = tinted(rng, (256, 512), (grey, grey, grey * rng.uniform(0.95, 1.06)), 0.07)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.integers(0, 512), rng.integers(0, 256)
        w, h = rng.integers(30, 200), rng.integers(10, 70)
        image[y : y + h, x : x + w] *= rng.uniform(0.75, 1.15)
    if marks:
        white = rng.uniform(170, 250)
        color = (white, white, white * rng.uniform(0.6, 1.0))
        _lane_marks(image, lanes, color, rng)
    return _finish(image)


def _lane_marks(image: NDArray, lanes: int, color, rng: np.random.Generator) -> None:
    wear = 0.55 + 0.45 * np.clip(noise(rng, image.shape[:2]) + 0.8, 0, 1)[..., None]
    paint = np.zeros(image.shape[:2], bool)
    half = 3
    for lane in range(1, lanes):
        row = 256 * lane // lanes
        paint[row - half : row + half, : int(512 * rng.uniform(0.3, 0.6))] = True
    if rng.random() < 0.6:
        for row in (10, 246):
            paint[row - half : row + half] = True
    image[paint] = (image * (1 - wear) + np.asarray(color) * wear)[paint]


def paving(rng: np.random.Generator) -> Texture:
    """Return about 4 m x 4 m of sidewalk: slabs or plain concrete."""
    grey = rng.uniform(95, 190)
    warm = rng.uniform(0.85, 1.0)
    image = tinted(rng, (256, 256), (grey, grey * (1 + warm) / 2, grey * warm), 0.06)
    if rng.random() < 0.7:
        step = int(rng.choice([16, 32, 64]))
        dark = rng.uniform(0.7, 0.9)
        image[::step] *= dark
        image[:, ::step] *= dark
    return _finish(image)


def grass(rng: np.random.Generator) -> Texture:
    """Return grass, dry or fresh."""
    green = rng.uniform(70, 140)
    color = (green * rng.uniform(0.5, 1.0), green, green * rng.uniform(0.25, 0.6))
    return _finish(tinted(rng, (256, 256), color, 0.3))


def leaves(rng: np.random.Generator) -> Texture:
    """Return foliage: dark gaps between lit clumps."""
    green = rng.uniform(40, 125)
    color = (green * rng.uniform(0.45, 1.05), green, green * rng.uniform(0.2, 0.7))
    image = tinted(rng, (256, 256), color, 0.45)
    clumps = cv2.GaussianBlur(rng.standard_normal((256, 256), np.float32), (0, 0), 3)
    return _finish(image * (1 + 4.0 * np.clip(clumps, -0.18, 0.25))[..., None])


_PLASTER = (
    (200, 190, 170), (225, 220, 210), (170, 120, 95), (150, 85, 65), (190, 170, 130),
    (120, 115, 110), (215, 195, 150), (165, 175, 185), (95, 80, 70), (235, 228, 200),
)  # fmt: skip


def facade(rng: np.random.Generator) -> Texture:
    """
    Return one storey, 6 m wide and 3 m high: wall, one to four windows, frames, sometimes sills.
    """
    base = np.asarray(_PLASTER[int(rng.integers(len(_PLASTER)))], np.float32)
    image = tinted(rng, (192, 384), base * rng.uniform(0.6, 1.1), 0.08)
    if rng.random() < 0.35:
        image[::8] *= 0.8
        image[:, ::24] *= 0.9
    _windows(image, rng)
    if rng.random() < 0.4:
        image[:6] *= rng.uniform(0.6, 1.3)
    return _finish(image)


def _windows(image: NDArray, rng: np.random.Generator) -> None:
    count = int(rng.integers(1, 5))
    cell = 384 // count
    width = int(cell * rng.uniform(0.3, 0.75))
    top, bottom = int(rng.uniform(30, 60)), int(rng.uniform(120, 180))
    glass = np.asarray((60, 70, 80), np.float32) * rng.uniform(0.4, 1.8)
    frame = rng.uniform(60, 245)
    for index in range(count):
        left = index * cell + (cell - width) // 2
        image[top - 5 : bottom + 5, left - 5 : left + width + 5] = frame
        pane = glass * (1 + 0.5 * noise(rng, (bottom - top, width), 2)[..., None])
        image[top:bottom, left : left + width] = pane
        if rng.random() < 0.6:
            image[top:bottom, left + width // 2 - 2 : left + width // 2 + 2] = frame


def roof(rng: np.random.Generator) -> Texture:
    """Return tiles or slate."""
    color = ((150, 70, 50), (90, 85, 85), (120, 60, 50))[int(rng.integers(3))]
    image = tinted(rng, (128, 128), color, 0.15)
    image[::8] *= 0.7
    return _finish(image)


def encode(texture: Texture) -> bytes:
    """Return the PNG bytes of an RGB texture."""
    done, data = cv2.imencode('.png', cv2.cvtColor(texture, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()
