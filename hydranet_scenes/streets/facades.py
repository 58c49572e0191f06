"""Facade textures: walls, windows with frames and shutters, doors, shop fronts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.textures import Texture, noise, tinted, to_uint8

# Width of a facade texture and height of a story, in meters.
FACADE_WIDTH = 12.0
STORY_HEIGHT = 3.0
# Size of a story in pixels.
_ROWS, _COLUMNS = 160, 640
_PLASTER = (
    (200, 190, 170), (225, 220, 210), (170, 120, 95), (150, 85, 65), (190, 170, 130),
    (120, 115, 110), (215, 195, 150), (165, 175, 185), (95, 80, 70), (235, 228, 200),
    (222, 165, 120), (140, 75, 55), (175, 140, 95), (240, 238, 235), (110, 65, 50),
)  # fmt: skip


@dataclass(frozen=True)
class Facade:
    """
    Textures of one style of house, each 12 m wide.

    :param upper: two upper stories, 6 m high.
    :param ground: the ground floor, 3 m high.
    :param color: color of the bare wall, RGB 0..1.
    """

    upper: Texture
    ground: Texture
    color: tuple[float, float, float]


@dataclass(frozen=True)
class _Style:
    """
    One style of facade; colors are RGB 0..255, positions in pixels of a story.

    :param count: windows per story; each is ``width`` wide and extends from ``top`` to ``bottom``.
    :param frame: gray value of the window frames.
    :param bars: vertical bars per window.
    """

    base: NDArray
    count: int
    width: int
    top: int
    bottom: int
    frame: float
    glass: NDArray
    shutters: NDArray | None
    brick: bool
    bars: int


def facade(rng: np.random.Generator) -> Facade:
    """Draw a facade of plaster, brick or concrete with windows of one style."""
    style = _random_style(rng)
    upper = np.concatenate([_story(rng, style), _story(rng, style)])
    kind = str(rng.choice(['home', 'shop', 'plain'], p=[0.5, 0.3, 0.2]))
    ground = {'home': _residential_floor, 'shop': _shop_floor, 'plain': _story}[kind](rng, style)
    red, green, blue = (float(value) for value in style.base / 255)
    return Facade(to_uint8(upper), to_uint8(ground), (red, green, blue))


def _random_style(rng: np.random.Generator) -> _Style:
    """Draw the colors and dimensions of a style."""
    base = np.asarray(_PLASTER[int(rng.integers(len(_PLASTER)))], np.float32)
    count = int(rng.integers(2, 9))
    office = rng.random() < 0.15
    share = rng.uniform(0.75, 0.93) if office else rng.uniform(0.3, 0.62)
    return _Style(
        base=np.clip(base * rng.uniform(0.65, 1.1), 0, 250),
        count=count,
        width=int(_COLUMNS / count * share),
        top=int(rng.uniform(20, 48)),
        bottom=int(rng.uniform(105, 150)),
        frame=rng.choice([rng.uniform(200, 250), rng.uniform(50, 140)]),
        glass=np.asarray((62, 70, 78), np.float32) * rng.uniform(0.35, 1.7),
        shutters=rng.uniform(30, 190, 3).astype(np.float32) if rng.random() < 0.3 else None,
        brick=rng.random() < 0.35,
        bars=int(rng.integers(0, 3)),
    )


def _wall(rng: np.random.Generator, style: _Style) -> NDArray[np.float32]:
    """Draw a story of bare wall."""
    image = tinted(rng, (_ROWS, _COLUMNS), style.base, 0.07).astype(np.float32)
    if style.brick:
        image[::5] *= 0.82
        image[::10, ::14] *= 0.85
        image *= 1 + 0.1 * rng.standard_normal((_ROWS // 5, _COLUMNS // 10, 1), np.float32).repeat(
            5, 0).repeat(10, 1)  # fmt: skip
    stains = noise(rng, (_ROWS, _COLUMNS), 4)[..., None]
    return np.asarray(image * (1 + 0.12 * stains), np.float32)


def _story(rng: np.random.Generator, style: _Style) -> NDArray[np.float32]:
    """Draw a story of windows."""
    image = _wall(rng, style)
    cell = _COLUMNS / style.count
    for index in range(style.count):
        left = int(index * cell + (cell - style.width) / 2)
        _draw_window(image, rng, style, (left, style.top, left + style.width, style.bottom))
    if style.bars == 0:
        image[-5:] *= 1.2
        image[-6:-5] *= 0.6
    return image


def _draw_window(
    image: NDArray, rng: np.random.Generator, style: _Style, box: tuple[int, int, int, int]
) -> None:
    """Draw a window with frame, bars and shutters; ``box`` is (left, top, right, bottom)."""
    left, top, right, bottom = box
    if style.shutters is not None and style.width < 0.45 * _COLUMNS / style.count:
        width = max(4, (right - left) // 2)
        for start in (left - width, right):
            image[top:bottom, max(0, start) : start + width] = style.shutters
            image[top:bottom:4, max(0, start) : start + width] *= 0.7
    image[top - 4 : bottom + 4, max(0, left - 4) : right + 4] = style.frame
    _draw_pane(image[top:bottom, left:right], rng, style)
    for bar in range(1, style.bars + 1):
        middle = left + (right - left) * bar // (style.bars + 1)
        image[top:bottom, middle - 1 : middle + 2] = style.frame
    image[top : top + 5, left:right] *= 0.45
    image[bottom + 2 : bottom + 6, max(0, left - 6) : right + 6] = min(250, style.frame * 1.1)
    image[bottom + 6 : bottom + 9, max(0, left - 6) : right + 6] *= 0.6


def _draw_pane(pane: NDArray, rng: np.random.Generator, style: _Style) -> None:
    """Draw glass with reflections, sometimes with a blind or curtains behind it."""
    height, width = pane.shape[:2]
    slope = np.linspace(1.5, 0.6, height, dtype=np.float32)[:, None, None]
    mirror = 1 + 0.4 * noise(rng, (height, width), 2)[..., None]
    pane[:] = style.glass * slope * mirror * rng.uniform(0.6, 1.5)
    kind = rng.random()
    if kind < 0.25:
        pane[: int(height * rng.uniform(0.2, 0.9))] = rng.uniform(120, 235)
    elif kind < 0.5:
        cloth = rng.uniform(110, 230)
        edge = max(1, width // 5)
        pane[:, :edge] = pane[:, width - edge :] = cloth


def _residential_floor(rng: np.random.Generator, style: _Style) -> NDArray[np.float32]:
    """Draw a ground floor with windows and one or two doors."""
    image = _story(rng, style)
    for _ in range(int(rng.integers(1, 3))):
        left, width = int(rng.integers(8, _COLUMNS - 70)), int(rng.uniform(48, 60))
        image[38:, left - 6 : left + width + 6] = style.frame
        image[44:, left : left + width] = rng.uniform(20, 170, 3)
        image[52:80, left + 8 : left + width - 8] = style.glass
        image[100:104, left + width - 10 : left + width - 5] = 210
    if rng.random() < 0.4:
        image[int(rng.uniform(118, 140)) :] *= rng.uniform(0.45, 0.8)
    return image


def _shop_floor(rng: np.random.Generator, style: _Style) -> NDArray[np.float32]:
    """Draw shop fronts: a colored sign above wide panes with a dimly visible interior."""
    image = _wall(rng, style)
    left = 0
    while left < _COLUMNS - 60:
        right = min(_COLUMNS, left + int(rng.uniform(150, 330)))
        sign = rng.uniform(10, 230, 3)
        inside = noise(rng, (112, right - left), 5)[..., None]
        image[40:152, left:right] = style.glass * 0.8 + 70 * np.clip(inside, 0, 1)
        for post in range(left, right, max(30, (right - left) // 3)):
            image[40:152, post : post + 5] = sign * 0.8
        image[12:40, left:right] = sign
        for letter in range(left + 30, right - 40, 11):
            image[20:33, letter : letter + int(rng.integers(3, 9))] = 255 - sign
        image[150:, left:right] = sign * 0.6
        image[:, left : left + 8] = style.base
        left = right
    return image
