"""Textures of streets: asphalt with lane markings, paving, leaves, grass, roofs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydranet_scenes.rendering.textures import Texture, noise, tinted, to_uint8


def asphalt(
    rng: np.random.Generator, *, lanes: int, markings: bool, margin: float = 0.0
) -> Texture:
    """
    Return 12 m of road with patches, cracks, tire tracks and worn lane markings.

    The columns run in the driving direction, the rows across the whole width.

    :param margin: width between each curb and the lanes, as a share of the whole width.
    """
    gray = rng.uniform(60, 150)
    image = tinted(rng, (512, 512), (gray, gray, gray * rng.uniform(0.95, 1.06)), 0.06)
    image *= 1 + rng.uniform(0.03, 0.12) * noise(rng, (512, 512), 3)[..., None]
    _add_tire_tracks(image, rng, lanes, margin)
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.integers(0, 512), rng.integers(0, 512)
        w, h = rng.integers(30, 250), rng.integers(20, 130)
        image[y : y + h, x : x + w] *= rng.uniform(0.75, 1.15)
    for _ in range(int(rng.integers(0, 6))):
        _add_crack(image, rng)
    if markings:
        white = rng.uniform(170, 250)
        color = (white, white, white * rng.uniform(0.75, 1.0))
        _paint_markings(image, rng, lanes, margin, color)
    return to_uint8(image)


def _lane_edges(lanes: int, margin: float) -> NDArray:
    """Return the rows of the ``lanes`` + 1 lane edges."""
    return np.linspace(512 * margin, 512 * (1 - margin), lanes + 1)


def _add_tire_tracks(image: NDArray, rng: np.random.Generator, lanes: int, margin: float) -> None:
    rows = np.arange(512)[:, None]
    edges = _lane_edges(lanes, margin)
    strength = rng.uniform(-0.1, 0.12)
    for low, high in zip(edges, edges[1:]):
        for share in (0.25, 0.75):
            center, width = low + (high - low) * share, (high - low) * 0.11
            image *= (1 - strength * np.exp(-(((rows - center) / width) ** 2)))[..., None]


def _add_crack(image: NDArray, rng: np.random.Generator) -> None:
    steps = rng.normal(0, 7, (24, 2)) + rng.normal(0, 9, 2)
    points = np.cumsum(steps, 0) + rng.uniform(0, 512, 2)
    dark = float(image.mean() * rng.uniform(0.4, 0.8))
    cv2.polylines(image, [points.astype(np.int32)], False, (dark,) * 3, int(rng.integers(1, 4)))


def _paint_markings(
    image: NDArray, rng: np.random.Generator, lanes: int, margin: float, color: ArrayLike
) -> None:
    """Draw worn dashed or solid lines between the lanes, and sometimes at their edges."""
    wear = 0.5 + 0.5 * np.clip(noise(rng, image.shape[:2]) + 0.8, 0, 1)[..., None]
    paint = np.zeros(image.shape[:2], bool)
    half = int(rng.integers(3, 6))
    edges = _lane_edges(lanes, margin).astype(int)
    dash = int(512 * rng.uniform(0.25, 0.6))
    solid_middle = rng.random() < 0.2
    for index, row in enumerate(edges[1:-1], 1):
        solid = solid_middle and 2 * index == lanes
        paint[row - half : row + half, : 512 if solid else dash] = True
    if rng.random() < 0.55:
        inset = 10 if margin == 0 else 0
        for row in (edges[0] + inset, edges[-1] - inset):
            paint[row - half : row + half] = True
    image[paint] = (image * (1 - wear) + np.asarray(color) * wear)[paint]


def crosswalk(rng: np.random.Generator) -> Texture:
    """Return one stripe and one gap of a crosswalk, 1 m along the columns."""
    gray, white = rng.uniform(60, 120), rng.uniform(180, 245)
    image = tinted(rng, (64, 64), (gray, gray, gray), 0.08)
    wear = 0.6 + 0.4 * np.clip(noise(rng, (64, 32), 4) + 0.8, 0, 1)[..., None]
    image[:, :32] = image[:, :32] * (1 - wear) + white * wear
    return to_uint8(image)


def paving(rng: np.random.Generator) -> Texture:
    """Return 4 m x 4 m of sidewalk: slabs, plain concrete, or asphalt as dark as a road."""
    gray = rng.uniform(95, 190) if rng.random() < 0.65 else rng.uniform(60, 120)
    warm = rng.uniform(0.85, 1.0)
    image = tinted(rng, (256, 256), (gray, gray * (1 + warm) / 2, gray * warm), 0.06)
    if rng.random() < 0.7:
        step = int(rng.choice([16, 32, 64]))
        dark = rng.uniform(0.7, 0.9)
        image[::step] *= dark
        image[:, ::step] *= dark
    return to_uint8(image)


def grass(rng: np.random.Generator) -> Texture:
    """Return dry or fresh grass."""
    green = rng.uniform(70, 140)
    color = (green * rng.uniform(0.5, 1.0), green, green * rng.uniform(0.25, 0.6))
    return to_uint8(tinted(rng, (256, 256), color, 0.3))


def leaves(rng: np.random.Generator) -> Texture:
    """Return foliage with gaps and clumps, bright in the top row and dark in the bottom row."""
    green = rng.uniform(45, 120)
    color = (green * rng.uniform(0.5, 1.05), green, green * rng.uniform(0.2, 0.65))
    if rng.random() < 0.12:
        color = (green * rng.uniform(1.1, 1.5), green * 0.9, green * 0.35)
    image = tinted(rng, (256, 256), color, 0.3)
    for sigma, strength in ((1.2, 1.6), (4.0, 5.0), (10.0, 9.0)):
        clumps = cv2.GaussianBlur(rng.standard_normal((256, 256), np.float32), (0, 0), sigma)
        image = image * (1 + strength * np.clip(clumps, -0.3 / sigma, 0.22 / sigma))[..., None]
    shade = np.linspace(1.25, rng.uniform(0.45, 0.8), 256, dtype=np.float32)
    return to_uint8(image * shade[:, None, None])


def roof(rng: np.random.Generator) -> Texture:
    """Return roof tiles or slate."""
    colors = ((150, 70, 50), (90, 85, 85), (120, 60, 50), (105, 65, 50), (70, 68, 72))
    color = np.asarray(colors[int(rng.integers(len(colors)))]) * rng.uniform(0.7, 1.2)
    image = tinted(rng, (128, 128), color, 0.15)
    image[::8] *= 0.7
    return to_uint8(image)
