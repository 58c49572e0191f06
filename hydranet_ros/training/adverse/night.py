"""Night: dim tinted light, lamps and photon noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.adverse.layout import Scene
from hydranet_ros.training.adverse.pixels import normal_noise, quarter_grid, to_bytes

_GAIN = (0.75, 0.62, 0.5, 0.4, 0.32)
_GAMMA = (1.15, 1.28, 1.42, 1.58, 1.75)
# Photons of a full-scale value, and the readout noise in gray levels.
_PHOTONS = (700.0, 350.0, 180.0, 100.0, 55.0)
_READOUT = (1.0, 1.6, 2.4, 3.4, 4.8)
_MOON = (0.86, 0.96, 1.18)
_SODIUM = (1.22, 0.98, 0.66)


def night(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """
    Darken by gain and gamma, darken the sky more, tint, add lamps and photon noise.

    The variance of the noise in gray levels is ``I * 255 / photons + readout ** 2``: shot noise
    plus a constant.
    """
    level = severity - 1
    share = rng.random()
    tint = share * np.array(_MOON) + (1 - share) * np.array(_SODIUM)
    ramp = np.linspace(0, 1, 256)[:, None]
    # Half of the correction of an automatic exposure keeps a dark street visible.
    exposure = np.clip(np.sqrt(100 / (scene.image[::8, ::8].mean() + 1)), 0.8, 1.6)
    gain = _GAIN[level] * exposure * rng.uniform(0.9, 1.1)
    table = (255 * gain * ramp ** _GAMMA[level] * tint).astype(np.float32)[None]
    out = cv2.LUT(_desaturate(scene.image, 0.35), table)
    _darken_sky(out, scene, 0.35 + 0.08 * severity)
    light = _lamps(scene, severity, rng)
    out *= light
    out += (light - 1) * np.float32(6)  # humid air scatters some light of the lamps
    deviation = np.sqrt(
        np.arange(256) * (255 / _PHOTONS[level]) + _READOUT[level] ** 2
    ).astype(np.float32)  # fmt: skip
    out += normal_noise(out.shape, rng) * cv2.LUT(to_bytes(out), deviation)
    return to_bytes(out)


def _desaturate(image: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Reduce the saturation, as dim light does."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.addWeighted(image, 1 - share, cv2.merge([gray] * 3), share, 0)


def _darken_sky(image: NDArray[np.float32], scene: Scene, strength: float) -> None:
    """Darken bright pixels above the horizon, which are sky."""
    gray = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY)
    bright = cv2.LUT(gray, np.clip((np.arange(256) - 110) / 90, 0, 1).astype(np.float32))
    bright = cv2.blur(bright, (5, 5)) * (1 - scene.ground)
    bright *= np.float32(-strength)
    bright += 1
    image *= bright[..., None]


def _lamps(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the brightness factor of the lamps, (H, W, 3) float32, 1 without light."""
    height, width = scene.size
    rows, columns = quarter_grid(height, width)
    light = np.ones((len(rows), columns.shape[1], 3), np.float32)
    if rng.random() < 0.8:  # the headlights, on the ground ahead
        across = (columns - width * rng.uniform(0.45, 0.55)) / (0.33 * width)
        along = (rows - (scene.horizon + 0.28 * height)) / (0.22 * height)
        pool = np.exp(-(across**2) - along**2)[..., None]
        light += pool * np.array((1.0, 0.96, 0.85), np.float32) * np.float32(0.3 * severity)
    for _ in range(rng.integers(0, 4)):  # street lamps, above the horizon
        color = np.array(_SODIUM if rng.random() < 0.6 else (1.0, 1.0, 0.95), np.float32)
        x, y = rng.uniform(0, width), scene.horizon - rng.uniform(0.05, 0.45) * height
        radius = rng.uniform(0.05, 0.18) * height
        distance = ((columns - x) ** 2 + (rows - y) ** 2) / radius**2
        light += (rng.uniform(0.6, 1.5) / (1 + distance) ** 2)[..., None] * color
    return cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
