"""From a rendered view to a photograph: sky, haze, exposure, lens, sensor, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.scenes.builder import SKY
from hydranet_ros.scenes.renderer import RawFrame
from hydranet_ros.scenes.textures import noise


class Appearance:
    """
    The weather and the camera of one sequence; constant over its frames.

    :param mild: keep the picture clean, for showing; otherwise vary it, for training.
    """

    def __init__(self, rng: np.random.Generator, sky, *, mild: bool = False) -> None:
        self.rng = rng
        self.horizon = np.asarray(sky, np.float32) * 255
        blue = np.array([rng.uniform(60, 190), rng.uniform(110, 210), rng.uniform(190, 255)])
        if mild:
            blue = np.array([rng.uniform(70, 110), rng.uniform(140, 175), rng.uniform(215, 245)])
            self.horizon = np.array([226, 236, 246], np.float32)
        self.zenith = blue if (rng.random() < 0.5 or mild) else self.horizon * rng.uniform(0.6, 1)
        self.clouds = cv2.GaussianBlur(noise(rng, (256, 512), 6), (0, 0), 1.5)
        self.cloudiness = rng.uniform(0.1, 0.5) if mild else rng.uniform(0, 1.2)
        self.haze = rng.uniform(0.0005, 0.002) if mild else rng.choice([0, 1]) * rng.uniform(0, 0.012)
        self.gamma = 1.0 if mild else float(np.exp(rng.uniform(-0.35, 0.35)))
        self.gain = np.ones(3) if mild else np.exp(rng.uniform(-0.12, 0.12, 3)) * rng.uniform(0.65, 1.4)
        self.noise = 1.5 if mild else rng.uniform(0, 8)
        self.blur = 0.0 if mild else rng.choice([0.0, 0.0, rng.uniform(0.3, 1.0)])
        self.vignette = 0.0 if mild else rng.uniform(0, 0.5)

    def apply(self, frame: RawFrame) -> NDArray[np.uint8]:
        """Return the photograph, (H, W, 3) uint8 RGB, of a rendered view."""
        image = frame.image.astype(np.float32)
        sky = self._sky(image.shape[:2])
        mask = (frame.labels == SKY).astype(np.float32)
        mask = cv2.GaussianBlur(mask, (0, 0), 0.6)[..., None]
        hazed = self._haze(image, frame.depth)
        image = hazed * (1 - mask) + sky * mask
        return self._develop(image)

    def _sky(self, size: tuple[int, int]) -> NDArray[np.float32]:
        rows = np.linspace(1, 0, size[0], dtype=np.float32)[:, None, None] ** 0.8
        plain = self.horizon * (1 - rows) + self.zenith * rows
        clouds = cv2.resize(self.clouds[:128], size[::-1])[..., None]
        cover = np.clip(clouds * 2 + self.cloudiness - 0.2, 0, 1)
        return (plain * (1 - cover) + (200 + 55 * clouds) * cover).astype(np.float32)

    def _haze(self, image: NDArray, depth: NDArray) -> NDArray:
        clear = np.exp(-self.haze * np.nan_to_num(depth, nan=1e4))[..., None].astype(np.float32)
        return image * clear + self.horizon * (1 - clear)

    def _develop(self, image: NDArray) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        if self.blur:
            image = cv2.GaussianBlur(image, (0, 0), float(self.blur))
        image = np.clip(image / 255 * self.gain, 0, 1) ** self.gamma * 255
        if self.vignette:
            y = np.linspace(-1, 1, height)[:, None]
            x = np.linspace(-1, 1, width)[None, :]
            image = image * (1 - self.vignette * (x**2 + y**2) / 2)[..., None]
        image = image + self.rng.standard_normal(image.shape, np.float32) * self.noise
        return np.clip(image, 0, 255).astype(np.uint8)
