"""Surface textures of rooms: wood, tiles, carpet, wallpaper, cloth, stone, cardboard."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydranet_scenes.rendering.textures import Texture, noise, tinted, to_uint8

_WOODS = (
    (196, 152, 104), (160, 110, 66), (118, 74, 44), (84, 54, 38), (214, 184, 142), (140, 84, 54),
    (222, 212, 196), (70, 60, 54), (176, 132, 84),
)  # fmt: skip
_PAINTS = (
    (238, 234, 224), (228, 220, 200), (214, 204, 184), (200, 210, 206), (186, 200, 214),
    (224, 206, 176), (206, 186, 160), (176, 190, 168), (230, 214, 206), (168, 172, 178),
    (214, 190, 130), (190, 140, 110), (150, 172, 186),
)  # fmt: skip


def pick_color(rng: np.random.Generator, colors: ArrayLike) -> NDArray:
    """Return one of the RGB colors, slightly lighter or darker, (3,) float."""
    colors = np.asarray(colors, float)
    return np.asarray(colors[int(rng.integers(len(colors)))] * rng.uniform(0.85, 1.08))


def random_color(rng: np.random.Generator, low: float = 0.1, high: float = 0.75) -> NDArray:
    """Return a color of random hue, (3,) RGB 0..255, with a saturation in ``low``..``high``."""
    hue, saturation = rng.uniform(0, 360), low + (high - low) * rng.random() ** 1.8
    hsv = np.array([[[hue, saturation, rng.uniform(0.25, 0.95)]]])
    return np.asarray(cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)[0, 0] * 255.0)


def wall_paint_color(rng: np.random.Generator) -> NDArray:
    """Return a color of wall paint, (3,) RGB 0..255."""
    return np.clip(pick_color(rng, _PAINTS), 0, 245)


def _grain(rng: np.random.Generator, size: tuple[int, int], color: ArrayLike) -> NDArray:
    """Return wood grain along the columns, (rows, columns, 3) float32."""
    rows, columns = size
    coarse = cv2.resize(noise(rng, (rows, max(4, columns // 16)), 6), (columns, rows))
    rings = np.sin(coarse * rng.uniform(8, 25))
    fine = cv2.blur(rng.standard_normal((rows, columns), np.float32), (31, 1))
    shade = 1 + rng.uniform(0.03, 0.1) * rings + 0.35 * fine + 0.05 * coarse
    return np.asarray(color, np.float32) * shade[..., None]


def wood(rng: np.random.Generator) -> Texture:
    """Return about 1 m x 1 m of veneer with its grain along the columns."""
    return to_uint8(_grain(rng, (256, 256), pick_color(rng, _WOODS)))


def planks(rng: np.random.Generator) -> Texture:
    """Return 2 m x 2 m of floorboards along the columns."""
    color, count = pick_color(rng, _WOODS[:6]), int(rng.choice([8, 12, 16, 24]))
    edges = np.linspace(0, 512, count + 1).astype(int)
    image = np.empty((512, 512, 3), np.float32)
    uneven = rng.uniform(0.03, 0.14)
    for top, bottom in zip(edges, edges[1:]):
        row = _grain(rng, (bottom - top, 512), color)
        joint = int(rng.integers(60, 450))
        row[:, :joint] *= rng.uniform(1 - uneven, 1 + uneven)
        row[:, joint:] *= rng.uniform(1 - uneven, 1 + uneven)
        row[:, joint : joint + 2] *= 0.6
        row[:1] *= 0.6
        image[top:bottom] = row
    return to_uint8(image)


def tiles(rng: np.random.Generator, color: ArrayLike | None = None) -> Texture:
    """Return 2 m x 2 m of tiles with joints, in one or two colors."""
    base = wall_paint_color(rng) if color is None else np.asarray(color, float)
    second = random_color(rng, 0.1, 0.5) if rng.random() < 0.3 else base
    across, along = rng.choice([[4, 4], [8, 8], [8, 16], [16, 16], [6, 6]])
    image = np.empty((512, 512, 3), np.float32)
    rows, columns = (np.linspace(0, 512, n + 1).astype(int) for n in (across, along))
    checks = rng.random() < 0.4
    for i, (top, bottom) in enumerate(zip(rows, rows[1:])):
        for j, (left, right) in enumerate(zip(columns, columns[1:])):
            other = (i + j) % 2 == 0 if checks else rng.random() < 0.1
            image[top:bottom, left:right] = (second if other else base) * rng.uniform(0.96, 1.03)
    image *= 1 + 0.04 * noise(rng, (512, 512), 6)[..., None]
    joint = float(rng.uniform(0.55, 1.1)) * base
    for row in rows[:-1]:
        image[row : row + 3] = joint
    for column in columns[:-1]:
        image[:, column : column + 3] = joint
    return to_uint8(image)


def carpet(rng: np.random.Generator) -> Texture:
    """Return 2 m x 2 m of carpet."""
    color = random_color(rng, 0.05, 0.35) * 0.8
    image = tinted(rng, (512, 512), color, rng.uniform(0.12, 0.3))
    if rng.random() < 0.25:
        image[::16, ::16] *= 0.5
    return to_uint8(image)


def plaster(rng: np.random.Generator) -> Texture:
    """Return 2 m x 2 m of a white ceiling, smooth or rough."""
    return to_uint8(tinted(rng, (256, 256), [rng.uniform(222, 246)] * 3, rng.uniform(0.005, 0.04)))


def wallpaper(rng: np.random.Generator, color: ArrayLike) -> Texture:
    """Return 2 m x 2 m of wall: paint, stripes or dots."""
    image = tinted(rng, (512, 512), color, 0.012)
    image *= 1 + 0.05 * noise(rng, (512, 512), 2)[..., None]
    kind = rng.random()
    tone = rng.uniform(0.82, 0.95) * np.clip(rng.normal(1, 0.04, 3), 0.85, 1.1)
    if kind < 0.15:
        step = int(rng.choice([32, 64, 128]))
        for left in range(0, 512, step):
            image[:, left : left + step // 2] *= tone
    elif kind < 0.28:
        step = int(rng.choice([32, 64]))
        for index, top in enumerate(range(0, 512, step)):
            for left in range(step // 2 * (index % 2), 512, step):
                cv2.circle(image, (left, top), step // 5, (np.asarray(color) * tone).tolist(), -1)
    return to_uint8(image)


def fabric(rng: np.random.Generator, color: ArrayLike | None = None) -> Texture:
    """Return 1 m x 1 m of cloth: plain, striped, checked or dotted."""
    base = random_color(rng, 0.05, 0.7) if color is None else np.asarray(color, float)
    image = tinted(rng, (256, 256), base, 0.05)
    image[::2] *= rng.uniform(0.9, 1.0)
    image[:, ::2] *= rng.uniform(0.9, 1.0)
    kind, other = rng.random(), random_color(rng) / np.maximum(base, 20.0)
    step = int(rng.choice([16, 32, 64]))
    if kind < 0.25:
        for left in range(0, 256, step):
            image[:, left : left + step // 3] *= other
    elif kind < 0.35:
        for left in range(0, 256, step):
            image[:, left : left + step // 3] *= np.sqrt(other)
            image[left : left + step // 3] *= np.sqrt(other)
    elif kind < 0.45:
        for _ in range(40):
            x, y = (int(value) for value in rng.integers(0, 256, 2))
            cv2.circle(image, (x, y), step // 4, (base * other).tolist(), -1)
    return to_uint8(image)


def rug(rng: np.random.Generator) -> Texture:
    """Return a whole rug with a border."""
    color, second, third = random_color(rng), random_color(rng), random_color(rng)
    image = tinted(rng, (256, 256), color, 0.12)
    border = int(rng.integers(10, 36))
    shade = 1 + 0.1 * rng.standard_normal((256, 256, 1), np.float32)
    frame = np.ones((256, 256), bool)
    frame[border:-border, border:-border] = False
    image[frame] = (second * shade)[frame]
    kind = rng.random()
    if kind < 0.4:
        for radius in range(int(rng.integers(60, 95)), 8, -int(rng.integers(12, 24))):
            points = cv2.ellipse2Poly((128, 128), (radius, radius), 0, 0, 360,
                                      int(rng.choice([10, 45, 90])))  # fmt: skip
            cv2.fillPoly(image, [points], (third if radius // 12 % 2 else second).tolist())
    elif kind < 0.7:
        for top in range(border, 256 - border, 24):
            image[top : top + 10, border:-border] = third * shade[top : top + 10, border:-border]
    return to_uint8(image * (1 + 0.08 * rng.standard_normal((256, 256, 1), np.float32)))


def stone(rng: np.random.Generator) -> Texture:
    """Return 1 m x 1 m of a countertop: granite, marble or laminate."""
    gray = rng.uniform(50, 225)
    color = np.array([gray, gray * rng.uniform(0.92, 1), gray * rng.uniform(0.8, 1)])
    image = tinted(rng, (256, 256), color, rng.uniform(0.03, 0.2))
    veins = np.abs(noise(rng, (256, 256), 5)) < 0.02
    image[veins] *= rng.uniform(0.7, 1.2)
    return to_uint8(image)


def cardboard(rng: np.random.Generator) -> Texture:
    """Return a side of a cardboard box with a strip of tape, brown or colored."""
    color = np.array([178, 138, 96]) * rng.uniform(0.8, 1.15)
    if rng.random() < 0.4:
        color = random_color(rng)
    image = tinted(rng, (64, 64), color, 0.05)
    image[29:35] *= rng.uniform(0.8, 1.2)
    if rng.random() < 0.5:
        image[44:54, 8:30] = rng.uniform(20, 240)
    return to_uint8(image)
