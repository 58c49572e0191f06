"""Textures with an image: pictures, screens, papers, whiteboards, book spines, window views."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.textures import Texture, noise, tinted, to_uint8
from hydranet_scenes.rooms.textures import random_color


def _scenery(rng: np.random.Generator, size: tuple[int, int]) -> NDArray:
    """Draw a landscape of sky and hills, with or without a sun."""
    height, width = size
    up = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    slope = random_color(rng, 0.2, 0.5) * (1 - up) + random_color(rng, 0.05, 0.3) * up
    image = np.array(np.broadcast_to(slope, (height, width, 3)), np.float32, order='C')
    if rng.random() < 0.5:
        center = (int(rng.uniform(0, width)), int(rng.uniform(0.1, 0.4) * height))
        cv2.circle(image, center, height // 12, (250, 235, 190), -1)
    level = rng.uniform(0.35, 0.6)
    while level < 1.0:
        line = (level + 0.12 * noise(rng, (4, width), 4)[0]) * height
        image[np.arange(height)[:, None] > line[None]] = random_color(rng, 0.2, 0.7) * 0.8
        level += rng.uniform(0.1, 0.25)
    return np.asarray(image * (1 + 0.1 * noise(rng, size, 6)[..., None]), np.float32)


def _abstract(rng: np.random.Generator, size: tuple[int, int]) -> NDArray:
    """Draw polygons and lines."""
    height, width = size
    image = tinted(rng, size, random_color(rng, 0.05, 0.4), 0.05).astype(np.float32)
    for _ in range(int(rng.integers(4, 16))):
        points = rng.uniform(0, 1, (int(rng.integers(3, 6)), 2)) * (width, height)
        cv2.fillPoly(image, [points.astype(np.int32)], random_color(rng).tolist())
    for _ in range(int(rng.integers(0, 8))):
        a, b = (rng.uniform(0, 1, (2, 2)) * (width, height)).astype(int).tolist()
        cv2.line(image, a, b, random_color(rng).tolist(), int(rng.integers(1, 7)))
    return image


def _portrait(rng: np.random.Generator, size: tuple[int, int]) -> NDArray:
    """Draw head and shoulders of a person."""
    height, width = size
    image = tinted(rng, size, random_color(rng, 0.1, 0.4) * 0.6, 0.15).astype(np.float32)
    skin = np.array([215, 165, 130]) * rng.uniform(0.4, 1.1)
    middle = (width // 2, int(height * 0.4))
    cv2.ellipse(image, (width // 2, height), (int(width * 0.38), int(height * 0.4)), 0, 0, 360,
                random_color(rng).tolist(), -1)  # fmt: skip
    cv2.ellipse(image, middle, (int(width * 0.2), int(height * 0.24)), 0, 0, 360,
                (skin * rng.uniform(0.1, 0.6)).tolist(), -1)  # fmt: skip
    cv2.ellipse(image, (middle[0], middle[1] + height // 25), (width // 7, height // 6), 0, 0,
                360, skin.tolist(), -1)  # fmt: skip
    return image


def picture(rng: np.random.Generator, size: tuple[int, int] = (128, 128)) -> Texture:
    """Draw a painting, with or without a white mat; ``size`` is (rows, columns)."""
    kind = (_scenery, _abstract, _portrait)[int(rng.integers(3))]
    image = cv2.GaussianBlur(kind(rng, size), (0, 0), 0.8)
    if rng.random() < 0.5:
        mount = int(min(size) * rng.uniform(0.06, 0.18))
        cv2.rectangle(image, (0, 0), (size[1] - 1, size[0] - 1), (240, 238, 230), 2 * mount)
    return to_uint8(image)


def screen(rng: np.random.Generator) -> Texture:
    """Draw the screen of a television or monitor: off, a landscape, or a desktop."""
    kind = rng.random()
    if kind < 0.45:
        slope = np.linspace(1.4, 0.5, 128, dtype=np.float32)[:, None, None]
        return to_uint8(np.full((96, 128, 3), rng.uniform(8, 30)) * slope.reshape(1, 128, 1))
    if kind < 0.7:
        return to_uint8(_scenery(rng, (96, 128)))
    image = tinted(rng, (96, 128), random_color(rng, 0.3, 0.8), 0.02).astype(np.float32)
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(2, 50)), int(rng.integers(2, 35))
        w, h = int(rng.integers(40, 75)), int(rng.integers(30, 56))
        image[y : y + h, x : x + w] = rng.uniform(200, 250)
        image[y : y + 4, x : x + w] = random_color(rng) * 0.7
        for row in range(y + 8, y + h - 3, 4):
            image[row : row + 2, x + 4 : x + int(w * rng.uniform(0.4, 0.95))] = rng.uniform(
                50, 150
            )
    image[-5:] = rng.uniform(20, 90)
    return to_uint8(image)


def paper(rng: np.random.Generator) -> Texture:
    """Draw a printed sheet of paper: lines of text, with or without a picture."""
    image = np.full((96, 68, 3), rng.uniform(225, 250), np.float32)
    if rng.random() < 0.4:
        top = int(rng.integers(8, 40))
        image[top : top + 30, 8:60] = _abstract(rng, (30, 52))
    for row in range(8, 88, int(rng.integers(4, 7))):
        if image[row, 12].min() > 200:
            image[row : row + 2, 8 : int(rng.uniform(25, 62))] = rng.uniform(40, 150)
    return to_uint8(image)


def whiteboard(rng: np.random.Generator) -> Texture:
    """Draw a whiteboard with writing and boxes in four colors."""
    image = np.full((128, 192, 3), rng.uniform(225, 248), np.float32)
    image *= 1 + 0.02 * noise(rng, (128, 192), 3)[..., None]
    pens = ((40, 40, 50), (30, 60, 170), (190, 40, 40), (30, 130, 60))
    for _ in range(int(rng.integers(2, 9))):
        x, y = int(rng.integers(5, 140)), int(rng.integers(5, 100))
        pen = pens[int(rng.integers(4))]
        if rng.random() < 0.3:
            cv2.rectangle(image, (x, y), (x + int(rng.integers(15, 45)), y + 20), pen, 1)
            continue
        for line in range(int(rng.integers(1, 5))):
            steps = rng.normal((2.2, 0), (0.8, 2.0), (int(rng.integers(8, 26)), 2))
            points = np.cumsum(steps, 0) * (1, 0.2) + (x, y + 7 * line)
            points[:, 1] += steps[:, 1]
            cv2.polylines(image, [points.astype(np.int32)], False, pen, 1)
    return to_uint8(image)


def book_spine(rng: np.random.Generator) -> Texture:
    """Draw the spine of a book."""
    color = random_color(rng, 0.05, 0.85) * rng.uniform(0.4, 1.0)
    image = tinted(rng, (64, 16), color, 0.03).astype(np.float32)
    ink = np.clip(255 - color + rng.normal(0, 30, 3), 0, 255)
    image[int(rng.integers(4, 12)) :][: int(rng.integers(12, 30)), 5:11] = ink
    image[-10:-7] = ink
    return to_uint8(image)


def window_view(rng: np.random.Generator, brightness: float) -> Texture:
    """Draw the blurred view from a window; ``brightness`` is about 0.05 (night) to 1.4."""
    image = np.empty((128, 128, 3), np.float32)
    up = np.linspace(1, 0, 128, dtype=np.float32)[:, None, None]
    green = np.array([90, 120, 70]) * rng.uniform(0.6, 1.3)
    edge = (rng.uniform(0.4, 0.9) + 0.15 * noise(rng, (4, 128), 5)[0]) * 128
    trees = np.arange(128)[:, None] > edge[None]
    image[:] = np.array([215, 232, 250]) * (0.8 + 0.25 * up)
    leaves = 1 + 0.5 * noise(rng, (128, 128), 6)[..., None]
    image[trees] = (green * leaves)[trees]
    if rng.random() < 0.4:
        left, top = int(rng.integers(0, 90)), int(rng.integers(20, 80))
        image[top:, left : left + int(rng.integers(30, 80))] = random_color(rng, 0.05, 0.3)
    return to_uint8(cv2.GaussianBlur(image, (0, 0), 1.5) * brightness)
