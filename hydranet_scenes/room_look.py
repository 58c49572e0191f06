"""From a rendered room to a photograph: corners in shade, exposure, lamps' colour, sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.renderer import RawFrame

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class IndoorLook:
    """
    The camera's picture of a room.

    :param exposure: mean brightness that the room is exposed to, 0..255.
    :param contrast: 1 leaves the curve straight; ``saturation`` 1 leaves the colours.
    :param gain: of red, green and blue: what is left of the lamps' colour.
    :param shade: how dark corners get, 0..1.
    :param noise: standard deviation, of 255; ``blur`` in pixels at 640 wide; ``vignette`` 0..1.
    :param bloom: how much of the windows' light spills over.
    """

    exposure: float
    contrast: float
    saturation: float
    gain: NDArray[np.float32]
    shade: float
    noise: float
    blur: float
    vignette: float
    bloom: float


def mild_indoor(rng: np.random.Generator) -> IndoorLook:
    """Return a good camera's look: pictures to show."""
    warm = rng.normal(0, 0.03)
    return IndoorLook(
        exposure=rng.uniform(105, 125), contrast=1.08, saturation=0.95,
        gain=np.array([1 + warm, 1, 1 - warm], np.float32), shade=0.75, noise=1.5, blur=0.5,
        vignette=0.1, bloom=0.15,
    )  # fmt: skip


def varied_indoor(rng: np.random.Generator) -> IndoorLook:
    """Return any camera's look: pictures to learn from."""
    warm, tint = rng.normal(0.03, 0.07), rng.normal(0, 0.02)
    return IndoorLook(
        exposure=rng.uniform(80, 150), contrast=rng.uniform(0.85, 1.35),
        saturation=rng.uniform(0.45, 1.1),
        gain=np.array([1 + warm, 1 + tint, 1 - warm], np.float32), shade=rng.uniform(0.4, 0.95),
        noise=rng.uniform(0.3, 4.5), blur=float(rng.choice([0.4, rng.uniform(0.5, 1.6)])),
        vignette=rng.uniform(0, 0.35), bloom=rng.uniform(0, 0.3),
    )  # fmt: skip


class IndoorAppearance:
    """
    The look of one sequence; constant over its frames, the sensor's noise apart.

    :param look: see :func:`mild_indoor` and :func:`varied_indoor`.
    :param focal_length: pixels, from which the rays follow.
    """

    def __init__(self, rng: np.random.Generator, look: IndoorLook, focal_length: float) -> None:
        self.rng, self.look, self._focal = rng, look, focal_length
        self._scale: float | None = None

    def apply(self, frame: RawFrame) -> NDArray[np.uint8]:
        """Return the photograph, (H, W, 3) uint8 RGB, of a rendered view."""
        look, (height, width) = self.look, frame.depth.shape
        unit = width / 640
        # The truth has hard edges, the picture soft ones.
        open_ = cv2.GaussianBlur(openness(frame.depth, self._focal), (0, 0), max(0.5, 1.2 * unit))
        image = frame.image.astype(np.float32)
        image *= (1 - look.shade * (1 - open_))[..., None]
        if self._scale is None:
            self._scale = look.exposure / max(float(image.mean()), 15.0)
        image = image * (self._scale * look.gain)
        if look.bloom:
            spill = cv2.GaussianBlur(np.clip(image - 200, 0, 120), (0, 0), 14 * unit)
            image = image + look.bloom * 3 * spill
        grey = (image @ _GREY)[..., None]
        image = grey + look.saturation * (image - grey)
        pivot = 0.8 * look.exposure
        image = pivot + look.contrast * (image - pivot)
        # A film's shoulder and toe: nothing is cut off hard.
        image = np.where(image > 205, 255 - 50 * np.exp((205 - image) / 50), image)
        image = np.where(image < 14, 14 * np.exp((image - 14) / 22), image)
        image = cv2.GaussianBlur(image, (0, 0), max(0.3, look.blur * unit))
        if look.vignette:
            y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
            image = image * (1 - look.vignette * (x**2 + y**2) / 2)[..., None]
        grain = self.rng.standard_normal((height, width, 3), np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), max(0.35, 0.6 * unit)) * 1.5
        return np.clip(image + grain * look.noise, 0, 255).astype(np.uint8)


def openness(depth: NDArray, focal_length: float, reach: float = 0.45) -> NDArray[np.float32]:
    """
    Return how much of the room's light reaches each pixel, (H, W) 0..1: less in corners.

    The rasteriser knows no light that goes from wall to wall; what lies near in front of a surface
    is counted instead (screen-space ambient occlusion after Bavoil and Sainz, 2008).

    :param depth: (H, W) metres, NaN unknown; ``reach`` metres that a surface is shaded from.
    """
    height, width = depth.shape
    z = np.nan_to_num(depth, nan=30.0).astype(np.float32)
    v, u = np.mgrid[:height, :width].astype(np.float32)
    rays = np.stack([(u - (width - 1) / 2) / focal_length, (v - (height - 1) / 2) / focal_length,
                     np.ones_like(u)], -1)  # fmt: skip
    points = rays * z[..., None]
    normals = _normals(points)
    hidden = np.zeros((height, width), np.float32)
    radius = np.clip(reach * focal_length / z, 2, width / 4)
    count = 0
    for ring, share in enumerate((0.15, 0.45, 1.0)):
        for turn in np.arange(6) * np.pi / 3 + ring * np.pi / 9:
            x = (u + np.float32(np.cos(turn) * share) * radius).astype(np.float32)
            y = (v + np.float32(np.sin(turn) * share) * radius).astype(np.float32)
            other = cv2.remap(points, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            way = other - points
            far = np.linalg.norm(way, axis=-1) + 1e-4
            cosine = (way * normals).sum(-1) / far
            fade = np.clip(1 - (far / (1.6 * reach)) ** 2, 0, 1)
            hidden += np.clip(cosine - 0.12, 0, 1) * fade
            count += 1
    smooth = cv2.bilateralFilter(hidden / count, 5, 0.15, 2 * width / 640 + 1)
    return np.asarray(np.clip(1 - 2.4 * smooth, 0, 1), np.float32)


def _normals(points: NDArray) -> NDArray[np.float32]:
    """Return the (H, W, 3) unit normals of points, towards the camera."""

    def step(axis: int) -> NDArray:
        ahead = np.diff(points, axis=axis, append=np.take(points, [-1], axis))
        behind = np.roll(ahead, 1, axis)
        nearer = np.abs(ahead[..., 2:]) < np.abs(behind[..., 2:])
        return np.where(nearer, ahead, behind)

    normal = np.cross(step(0), step(1))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    facing = np.sign((normal * points).sum(-1, keepdims=True))
    return np.asarray(-normal * np.where(facing == 0, 1, facing), np.float32)
