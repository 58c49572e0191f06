"""Fog, rain and snow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.adverse.layout import Scene
from hydranet_ros.training.adverse.pixels import bright_level, mix, smooth_field, to_bytes

# Extinction in 1/m. By Koschmieder's law the visibility is 3.9 / beta: 300, 200, 130, 85 and 55 m
# in fog. Foggy Cityscapes (Sakaridis et al. 2018) has 0.005, 0.01 and 0.02.
_FOG = (0.013, 0.02, 0.03, 0.045, 0.07)
_RAIN_HAZE = (0.003, 0.005, 0.008, 0.011, 0.015)
_SNOW_HAZE = (0.004, 0.007, 0.010, 0.014, 0.020)


def fog(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """
    Add fog by Koschmieder's law: ``I exp(-beta d) + A (1 - exp(-beta d))``.

    The extinction varies by a fifth over the image; the airlight follows the brightness.
    """
    patches = 0.8 + 0.4 * smooth_field(scene.size, (3, 4), rng)
    return to_bytes(_haze(scene.image, scene, _FOG[severity - 1] * patches, rng, 0.9))


def _haze(
    image: NDArray, scene: Scene, extinction: NDArray[np.float32] | float,
    rng: np.random.Generator, light: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Add haze; ``light`` is the airlight relative to a bright sky."""
    level = np.clip(bright_level(scene.image) * 1.15, 120, 245) * light * rng.uniform(0.92, 1.08)
    cold = rng.uniform(0.0, 0.04)
    airlight = level * np.array((1 - cold, 1.0, 1 + cold))
    opaque = 1 - cv2.exp(np.float32(-1) * extinction * scene.depth)
    return mix(image, tuple(np.minimum(airlight, 250)), opaque)


def rain(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add rain: dim gray light, haze, reflections on a wet road, streaks, drops on the lens."""
    dim = 1 - 0.06 * severity
    gray = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
    saturation = 1 - 0.09 * severity
    out = scene.image.astype(np.float32) * np.float32(dim * saturation)
    out += cv2.merge([gray] * 3) * np.float32(dim * (1 - saturation))
    _mirror(out, scene, 0.07 * severity)
    out = _haze(out, scene, _RAIN_HAZE[severity - 1], rng, 0.75)
    drops = to_bytes(out)
    _drops_on_glass(drops, scene, severity, rng)
    streaks = _streaks(scene, severity, rng)
    return to_bytes(mix(drops, (205.0, 210.0, 215.0), streaks))


def _mirror(image: NDArray[np.float32], scene: Scene, strength: float) -> None:
    """Blend the blurred mirror image of the region above the horizon into the ground."""
    height, width = scene.size
    top = int(np.clip(scene.horizon, 0, height))
    rows = min(top, height - top)
    if rows < 8:
        return
    above = cv2.resize(image[top - rows : top][::-1], (-(-width // 4), rows // 4))
    blurred = cv2.resize(cv2.blur(above, (3, max(3, rows // 16))), (width, rows))
    weight = strength * scene.ground[top : top + rows, :, None]
    image[top : top + rows] += (blurred - image[top : top + rows]) * weight


def _streaks(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the coverage of each pixel by falling drops, (H, W) float32."""
    height, width = scene.size
    layer = np.zeros((height, width), np.uint8)
    slant = rng.uniform(-0.25, 0.25)
    # Far drops are numerous, short and faint; near drops are few, long and thick.
    for count, length, opacity, thickness in (
        (330, 9, 45, 1), (150, 18, 65, 1), (24, 38, 65, 2),
    ):  # fmt: skip
        number = int(count * (0.3 + 0.35 * severity))
        reach = length * scene.unit * rng.uniform(0.7, 1.3, (number, 1))
        start = rng.random((number, 2)) * (width * 1.1, height * 1.1) - 0.05 * height
        end = start + reach * (slant, 1.0)
        lines = np.rint(np.stack((start, end), 1) * 16).astype(np.int32)
        thick = max(1, round(thickness * scene.unit))
        for shade, part in zip((0.6, 1.0, 1.4), np.array_split(lines, 3)):
            cv2.polylines(layer, list(part), False, opacity * shade, thick, cv2.LINE_AA, 4)
    layer = cv2.blur(layer, (2, 3))
    return layer.astype(np.float32) * np.float32((0.7 + 0.1 * severity) / 255)


def _drops_on_glass(
    image: NDArray[np.uint8], scene: Scene, severity: int, rng: np.random.Generator
) -> None:
    """Replace small ellipses by the image in a drop: the scene upside down and out of focus."""
    height, width = scene.size
    for _ in range(int(rng.integers(0, 3 + 3 * severity))):
        radius = int(rng.uniform(3, 5 + 1.6 * severity) * scene.unit) + 1
        x = int(rng.integers(radius, max(width - radius, radius + 1)))
        y = int(rng.integers(radius, max(height - radius, radius + 1)))
        part = image[y - radius : y + radius + 1, x - radius : x + radius + 1]
        if part.shape[0] != 2 * radius + 1 or part.shape[1] != 2 * radius + 1:
            continue
        lens = cv2.blur(part[::-1], (max(3, radius), max(3, radius)))
        mask = np.zeros(part.shape[:2], np.float32)
        axes = (max(1, int(radius * 0.55)), max(1, int(radius * 0.8)))
        cv2.ellipse(mask, (radius, radius), axes, 0, 0, 360, 0.85, -1, cv2.LINE_AA)
        mask = cv2.blur(mask, (3, 3))
        part[:] = to_bytes(mix(part, lens.astype(np.float32), mask))


def snow(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add snow: haze, a white ground, and flakes from specks to blurred disks."""
    gray = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
    saturation = 1 - 0.07 * severity
    out = scene.image.astype(np.float32) * np.float32(saturation)
    out += cv2.merge([gray] * 3) * np.float32(1 - saturation)
    # From a low camera, patches on the ground look wide and flat.
    patches = np.clip(smooth_field(scene.size, (30, 8), rng) * 2.2 - 0.6, 0, 1)
    cover = (0.08 + 0.09 * severity) * (0.35 + 0.65 * patches) * scene.ground
    out = mix(out, (225.0, 229.0, 236.0), cover.astype(np.float32))
    out = _haze(out, scene, _SNOW_HAZE[severity - 1], rng, 0.95)
    return to_bytes(mix(out, (246.0, 248.0, 250.0), _flakes(scene, severity, rng)))


def _flakes(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the coverage of each pixel by flakes, (H, W) float32."""
    height, width = scene.size
    wind = rng.uniform(-1.0, 1.0)
    layer = np.zeros((height, width), np.uint8)
    # Count at severity 1, radius in pixels at 480x360, opacity, blur in radii.
    for count, radius, opacity, streak in (
        (520, 0.5, 120, 1.5), (140, 0.9, 170, 2.5), (40, 1.6, 180, 2.5), (5, 3.4, 120, 1.5),
    ):  # fmt: skip
        number = int(count * (0.2 + 0.75 * severity))
        start = rng.random((number, 2)) * (width, height)
        sizes = radius * scene.unit * rng.uniform(0.7, 1.4, number)
        end = start + sizes[:, None] * streak * np.array((wind, 1.0))
        lines = np.rint(np.stack((start, end), 1) * 16).astype(np.int32)
        thin = max(1, round(2 * radius * scene.unit))
        for scale, part in zip((0.7, 1.0, 1.3), np.array_split(lines, 3)):
            thick = max(1, round(thin * scale))
            cv2.polylines(layer, list(part), False, opacity * scale, thick, cv2.LINE_AA, 4)
    layer = cv2.blur(layer, (2, 2))
    return layer.astype(np.float32) * np.float32(0.9 / 255)
