"""Turn a rendered room into a photo: ambient occlusion, exposure, white balance, sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.renderer import RenderedFrame
from hydranet_scenes.rooms.ambient_occlusion import ambient_visibility

# Weights of red, green and blue in the luma.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class AppearanceParams:
    """
    Camera settings for a room.

    :param exposure: mean brightness of the first frame after exposure, 0..255.
    :param contrast: contrast factor; 1 leaves the image unchanged, as does ``saturation``.
    :param gain: (3,) white balance, factors of red, green and blue.
    :param occlusion: strength of the ambient occlusion, 0..1.
    :param noise: standard deviation in gray levels.
    :param blur: standard deviation in pixels of an image 640 pixels wide.
    :param vignette: darkening toward the corners, 0..1.
    :param bloom: strength of the glow around bright areas.
    """

    exposure: float
    contrast: float
    saturation: float
    gain: NDArray[np.float32]
    occlusion: float
    noise: float
    blur: float
    vignette: float
    bloom: float


def mild_appearance(rng: np.random.Generator) -> AppearanceParams:
    """Return a good camera, for demos."""
    warm = rng.normal(0, 0.03)
    return AppearanceParams(
        exposure=rng.uniform(105, 125), contrast=1.08, saturation=0.95,
        gain=np.array([1 + warm, 1, 1 - warm], np.float32), occlusion=0.75, noise=1.5, blur=0.5,
        vignette=0.1, bloom=0.15,
    )  # fmt: skip


def varied_appearance(rng: np.random.Generator) -> AppearanceParams:
    """Return a random camera, for training."""
    warm, tint = rng.normal(0.03, 0.07), rng.normal(0, 0.02)
    return AppearanceParams(
        exposure=rng.uniform(80, 150), contrast=rng.uniform(0.85, 1.35),
        saturation=rng.uniform(0.45, 1.1),
        gain=np.array([1 + warm, 1 + tint, 1 - warm], np.float32),
        occlusion=rng.uniform(0.4, 0.95), noise=rng.uniform(0.3, 4.5),
        blur=float(rng.choice([0.4, rng.uniform(0.5, 1.6)])),
        vignette=rng.uniform(0, 0.35), bloom=rng.uniform(0, 0.3),
    )  # fmt: skip


class RoomAppearance:
    """
    Applies camera settings to the frames of one sequence.

    Only the sensor noise differs between frames. The first frame sets the exposure.

    :param params: see :func:`mild_appearance` and :func:`varied_appearance`.
    :param focal_length: fx = fy in pixels.
    """

    def __init__(
        self, rng: np.random.Generator, params: AppearanceParams, focal_length: float
    ) -> None:
        self.rng, self.params, self._focal_length = rng, params, focal_length
        self._scale: float | None = None

    def apply(self, frame: RenderedFrame) -> NDArray[np.uint8]:
        """Return the photo of a rendered view, (H, W, 3) uint8 RGB."""
        params, (height, width) = self.params, frame.depth.shape
        scale = width / 640
        visibility = ambient_visibility(frame.depth, self._focal_length)
        # Depth has hard edges, shadows have soft ones.
        visibility = cv2.GaussianBlur(visibility, (0, 0), max(0.5, 1.2 * scale))
        image = frame.image.astype(np.float32)
        image *= (1 - params.occlusion * (1 - visibility))[..., None]
        if self._scale is None:
            self._scale = params.exposure / max(float(image.mean()), 15.0)
        image = image * (self._scale * params.gain)
        if params.bloom:
            glow = cv2.GaussianBlur(np.clip(image - 200, 0, 120), (0, 0), 14 * scale)
            image = image + params.bloom * 3 * glow
        gray = (image @ _LUMA)[..., None]
        image = gray + params.saturation * (image - gray)
        pivot = 0.8 * params.exposure
        image = pivot + params.contrast * (image - pivot)
        # Compress highlights and shadows smoothly instead of clipping them.
        image = np.where(image > 205, 255 - 50 * np.exp((205 - image) / 50), image)
        image = np.where(image < 14, 14 * np.exp((image - 14) / 22), image)
        image = cv2.GaussianBlur(image, (0, 0), max(0.3, params.blur * scale))
        if params.vignette:
            y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
            image = image * (1 - params.vignette * (x**2 + y**2) / 2)[..., None]
        grain = self.rng.standard_normal((height, width, 3), np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), max(0.35, 0.6 * scale)) * 1.5
        return np.clip(image + grain * params.noise, 0, 255).astype(np.uint8)
