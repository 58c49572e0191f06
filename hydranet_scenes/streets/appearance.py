"""Turn a rendered street into a photo: sky, haze, exposure, lens and sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.renderer import RenderedFrame
from hydranet_scenes.rendering.textures import noise
from hydranet_scenes.streets.classes import SKY

# Weights of red, green and blue in the luma.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class AppearanceParams:
    """
    Weather and camera settings.

    :param horizon: (3,) RGB 0..255 of the sky at the horizon; ``zenith`` at the zenith.
    :param cloudiness: 0 (clear) to 1.2 (overcast).
    :param haze: extinction coefficient per meter.
    :param exposure: mean brightness of the street after exposure, 0..255.
    :param contrast: contrast factor; 1 leaves the image unchanged, as does ``saturation``.
    :param gain: (3,) white balance, factors of red, green and blue.
    :param noise: standard deviation in gray levels.
    :param blur: standard deviation in pixels.
    :param vignette: darkening toward the corners, 0..1.
    :param sharpen: strength of the sharpening.
    """

    horizon: NDArray[np.float32]
    zenith: NDArray[np.float32]
    cloudiness: float
    haze: float
    exposure: float
    contrast: float
    saturation: float
    gain: NDArray[np.float32]
    noise: float
    blur: float
    vignette: float
    sharpen: float


def mild_appearance(rng: np.random.Generator) -> AppearanceParams:
    """Return a clear day and a good camera, for demos."""
    return AppearanceParams(
        horizon=np.array([222, 232, 242], np.float32),
        zenith=np.array([rng.uniform(70, 105), rng.uniform(135, 165), 225], np.float32),
        cloudiness=rng.uniform(0.15, 0.5), haze=rng.uniform(0.0008, 0.002),
        exposure=rng.uniform(82, 92), contrast=1.2, saturation=1.05,
        gain=np.ones(3, np.float32), noise=1.5, blur=0.0, vignette=0.1, sharpen=0.0,
    )  # fmt: skip


def varied_appearance(rng: np.random.Generator) -> AppearanceParams:
    """Return random weather and a random camera, for training."""
    bright = rng.choice([rng.uniform(225, 275), rng.uniform(150, 235), rng.uniform(90, 150)],
                        p=[0.55, 0.3, 0.15])  # fmt: skip
    horizon = bright * np.clip(rng.normal((0.98, 1.0, 1.02), 0.02), 0.85, 1.1)
    green = rng.uniform(0.5, 0.85)
    blue = np.array([green - rng.uniform(0.08, 0.32), green, rng.uniform(0.85, 1.05)])
    clear = rng.random() < 0.5
    return AppearanceParams(
        horizon=horizon.astype(np.float32),
        zenith=(bright * (blue if clear else rng.uniform(0.75, 1.0))).astype(np.float32),
        cloudiness=rng.uniform(-0.3, 0.7) if clear else rng.uniform(-0.5, 1.2),
        haze=float(rng.choice([0.0, 1.0], p=[0.4, 0.6])) * rng.uniform(0.0003, 0.008),
        exposure=rng.uniform(45, 130), contrast=rng.uniform(0.85, 1.6),
        saturation=rng.uniform(0.35, 1.2),
        gain=np.exp(rng.normal(0, 0.05, 3)).astype(np.float32),
        noise=rng.uniform(0, 7), blur=float(rng.choice([0.0, rng.uniform(0.3, 1.0)])),
        vignette=rng.uniform(0, 0.4), sharpen=float(rng.choice([0.0, rng.uniform(0.2, 1.2)])),
    )  # fmt: skip


class StreetAppearance:
    """
    Applies weather and camera settings to the frames of one sequence.

    Only the sensor noise differs between frames. The first frame sets the exposure.

    :param params: see :func:`mild_appearance` and :func:`varied_appearance`.
    """

    def __init__(self, rng: np.random.Generator, params: AppearanceParams) -> None:
        self.rng, self.params = rng, params
        self._clouds = cv2.GaussianBlur(noise(rng, (512, 512), 7), (0, 0), 1.0)
        self._cloud_white = rng.uniform(0.95, 1.1)
        self._scale: float | None = None

    def apply(self, frame: RenderedFrame) -> NDArray[np.uint8]:
        """Return the photo of a rendered view, (H, W, 3) uint8 RGB."""
        image = frame.image.astype(np.float32)
        mask = (frame.labels == SKY).astype(np.float32)
        image = self._expose(image, mask) * self.params.gain
        image = self._haze(image, frame.depth)
        soft = cv2.GaussianBlur(mask, (0, 0), 0.6)[..., None]
        image = image * (1 - soft) + self._sky(frame.depth.shape) * soft
        return self._develop(image)

    def _expose(self, image: NDArray, sky: NDArray) -> NDArray[np.float32]:
        """Scale the brightness so that the street of the first frame has the set exposure."""
        if self._scale is None:
            street = image[sky == 0]
            mean = float(street.mean()) if street.size else 100.0
            self._scale = self.params.exposure / max(mean, 10.0)
        return np.asarray(image * self._scale, np.float32)

    def _sky(self, size: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a sky with clouds, (H, W, 3)."""
        height, width = size
        up = np.linspace(1.0, 0.0, height, dtype=np.float32)[:, None]
        shade = np.clip((up - 0.4) / 0.6, 0, 1)[..., None] ** 0.7
        plain = self.params.horizon * (1 - shade) + self.params.zenith * shade
        far = 1 / (np.clip(up - 0.45, 0, 1) + 0.12)
        across = np.linspace(-1, 1, width, dtype=np.float32)[None]
        x = ((across * far * 70 + 256) % 511).astype(np.float32)
        y = np.broadcast_to((far * 60) % 511, (height, width)).astype(np.float32)
        clouds = cv2.remap(self._clouds, x, y, cv2.INTER_LINEAR)[..., None]
        cover = np.clip(clouds * 2.2 + self.params.cloudiness - 0.15, 0, 1)
        white = self.params.horizon * self._cloud_white * (1 + 0.35 * (clouds - 0.3))
        return np.asarray(plain * (1 - cover) + white * cover, np.float32)

    def _haze(self, image: NDArray, depth: NDArray) -> NDArray:
        """Blend toward the color of the horizon with the true depth."""
        clear = np.exp(-self.params.haze * np.nan_to_num(depth, nan=1e4))[..., None]
        return image * clear.astype(np.float32) + self.params.horizon * (1 - clear)

    def _develop(self, image: NDArray) -> NDArray[np.uint8]:
        """Apply blur, color, contrast, sharpening, vignetting and noise."""
        params, (height, width) = self.params, image.shape[:2]
        if params.blur:
            image = cv2.GaussianBlur(image, (0, 0), params.blur)
        gray = (image @ _LUMA)[..., None]
        image = gray + params.saturation * (image - gray)
        pivot = 0.8 * params.exposure
        image = pivot + params.contrast * (image - pivot)
        image = np.where(image < 16, 16 * np.exp((image - 16) / 24), image)
        if params.sharpen:
            image = image + params.sharpen * (image - cv2.GaussianBlur(image, (0, 0), 1.2))
        if params.vignette:
            y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
            image = image * (1 - params.vignette * (x**2 + y**2) / 2)[..., None]
        grain = self.rng.standard_normal((height, width, 3), np.float32)
        if params.blur:
            grain = cv2.GaussianBlur(grain, (0, 0), 0.7)
        return np.clip(image + grain * params.noise, 0, 255).astype(np.uint8)
