"""
Augment image, labels, depth and normals together.

One warp applies the geometry; labels, depth and normals take the nearest pixel and are never
interpolated. A zoom changes the focal length, so depth is converted to the training camera in the
same step. Weather, then light and color change the image only. Padding outside the image keeps
its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.adverse import CORRUPTIONS, StreetCamera, corrupt, default_camera
from hydranet_ros.training.adverse.pixels import normal_noise
from hydranet_ros.training.sample import Sample

# Severity 5 is reserved for evaluation.
ADVERSE_SEVERITIES = (1, 2, 3, 4)


@dataclass(frozen=True)
class AugmentationConfig:
    """
    Ranges of the random augmentation.

    :param crop: (height, width) of a view in pixels.
    :param scale: smallest and largest zoom; (0.5, 2.0) is from half to twice the size.
    :param scale_law: ``log`` draws half as often as double; ``uniform`` is that of the papers.
    :param scale_probability: share of the views that are zoomed.
    :param shorter_side: minimum of the shorter side of the zoomed image in pixels.
    :param aspect: largest relative stretch of one axis against the other.
    :param mirror: mirror half of the views.
    :param adverse: share of the views under a corruption of
        :mod:`~hydranet_ros.training.adverse`; at most half, so that the network keeps its
        accuracy in clear weather (Kerim et al. 2022).
    :param photometric: strength of the color changes, 0 for none.
    :param pad_value: RGB in 0..255 around an image that is smaller than the crop. The default is
        the mean that the network subtracts, so that padding is 0 at its input.
    :raises TrainingError: if a value is out of its range.
    """

    crop: tuple[int, int] = (256, 352)
    scale: tuple[float, float] = (0.6, 2.0)
    scale_law: Literal['log', 'uniform'] = 'log'
    scale_probability: float = 1.0
    shorter_side: int = 0
    aspect: float = 0.1
    mirror: bool = True
    adverse: float = 0.0
    photometric: float = 1.0
    pad_value: tuple[int, int, int] = (124, 116, 104)

    def __post_init__(self) -> None:
        low, high = self.scale
        for name, allowed, valid in (
            ('crop', 'two positive whole numbers', min(self.crop) > 0),
            ('scale', 'smallest and largest zoom, above 0', 0 < low <= high),
            ('scale_probability', '0 to 1', 0 <= self.scale_probability <= 1),
            ('shorter_side', '0 or more pixels', self.shorter_side >= 0),
            ('aspect', '0 to 1', 0 <= self.aspect <= 1),
            ('adverse', '0 to 0.5', 0 <= self.adverse <= 0.5),
            ('photometric', '0 to 2', 0 <= self.photometric <= 2),
            ('pad_value', 'three whole numbers in 0..255',
             all(0 <= value <= 255 for value in self.pad_value)),
        ):  # fmt: skip
            if not valid:
                raise TrainingError(f'{name} is {getattr(self, name)!r}; allowed: {allowed}.')


@dataclass(frozen=True)
class View:
    """
    One augmented sample; its arrays are not shared with the sample.

    :param image: (h, w, 3) uint8 RGB.
    :param labels: (h, w) uint8, 255 unlabeled.
    :param depth: (h, w) float32 meters at the focal length of the training camera, 0 unknown.
    :param normals: (h, w, 3) float32 unit vectors in the optical frame, 0 unknown.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]


def augment(
    sample: Sample, rng: np.random.Generator, config: AugmentationConfig, focal_length: float
) -> View:
    """
    Return one random view of a sample.

    :param focal_length: pixels, of the camera whose depth scale the network learns. A sample with
        focal length f, zoomed by s, has its depth divided by f s / ``focal_length``. If either
        focal length is unknown (0), depth is divided by the zoom only, as in the authors' script.
    """
    place = _place(sample.image.shape[:2], config, rng)
    image = place.warp(sample.image, config.pad_value)
    labels = place.pick(sample.labels, UNLABELED, np.uint8)
    depth = place.pick(sample.depth, 0, np.float32)
    normals = place.pick(sample.normals, 0, np.float32, 3)
    if place.mirrored:
        np.negative(normals[..., 0], out=normals[..., 0])
    if rng.random() < config.adverse:
        # Weather needs the true distance, so depth is not converted before.
        name = CORRUPTIONS[rng.integers(len(CORRUPTIONS))]
        severity = ADVERSE_SEVERITIES[rng.integers(len(ADVERSE_SEVERITIES))]
        distance = None if sample.depth is None else depth
        image = corrupt(image, name, severity, rng, distance, camera=place.camera(sample))
    if sample.depth is not None:
        known = sample.focal_length > 0 and focal_length > 0
        depth *= (focal_length / sample.focal_length if known else 1.0) / place.zoom
    if config.photometric:
        image = photometric(image, rng, config.photometric)
    place.pad(image, config.pad_value)
    return View(image, labels, depth, normals)


@dataclass(frozen=True)
class _Place:
    """
    The position of a view in an image.

    :param zoom: factor of the focal length, the geometric mean of the factors of both axes.
    :param matrix: (2, 3), from pixels of the image to pixels of the view, with the mirror.
    :param size: (height, width) of the view.
    :param source: (height, width) of the image.
    """

    zoom: float
    mirrored: bool
    matrix: NDArray[np.float64]
    size: tuple[int, int]
    source: tuple[int, int]

    def warp(self, image: NDArray[np.uint8], fill: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Interpolate the view of an image; smooth it first if the zoom shrinks it."""
        if self.zoom < 0.8:
            blur = 0.45 * float(np.sqrt(1 / self.zoom**2 - 1))
            image = cv2.GaussianBlur(image, (3, 3) if blur < 0.9 else (5, 5), blur)
        return self._warped(image, cv2.INTER_LINEAR, fill)

    def pick(
        self, array: NDArray | None, fill: int, dtype: type, channels: int = 1
    ) -> NDArray:  # fmt: skip
        """Take the nearest pixels of an annotation; ``fill`` outside, or if there is none."""
        if array is None:
            return np.full(self.size if channels == 1 else (*self.size, channels), fill, dtype)
        found = self._warped(array, cv2.INTER_NEAREST, (fill,) * channels)
        return found.astype(dtype, copy=False)

    def _warped(self, array: NDArray, flag: int, fill: tuple[int, ...]) -> NDArray:
        return cv2.warpAffine(
            array, self.matrix, self.size[::-1], flags=flag,
            borderMode=cv2.BORDER_CONSTANT, borderValue=fill,
        )  # fmt: skip

    def pad(self, image: NDArray[np.uint8], fill: tuple[int, int, int]) -> None:
        """Set the pixels outside the image to ``fill``."""
        corners = self.matrix @ np.array(
            [(-0.5, -0.5, 1), (self.source[1] - 0.5, self.source[0] - 0.5, 1)]
        ).T  # fmt: skip
        (left, right), (top, bottom) = np.sort(corners, axis=1)
        image[: max(int(np.ceil(top - 0.01)), 0)] = fill
        image[max(int(np.floor(bottom + 0.01)) + 1, 0) :] = fill
        image[:, : max(int(np.ceil(left - 0.01)), 0)] = fill
        image[:, max(int(np.floor(right + 0.01)) + 1, 0) :] = fill

    def camera(self, sample: Sample) -> StreetCamera:
        """Return the camera of the view, whose vanishing point is the center of the image."""
        default = default_camera(*self.source)
        x, y = self.matrix @ (default.vanishing_x, default.horizon, 1)
        return StreetCamera(x, y, (sample.focal_length or default.focal_length) * self.zoom)


def _place(
    source: tuple[int, int], config: AugmentationConfig, rng: np.random.Generator
) -> _Place:  # fmt: skip
    zoom = _zoom(source, config, rng)
    stretch = float(np.exp(rng.uniform(-1, 1) * config.aspect / 2))
    factors = np.array((zoom / stretch, zoom * stretch))
    slack = np.array(source) * factors - config.crop
    offset = np.where(slack > 0, slack * rng.random(2), slack / 2)
    mirrored = bool(config.mirror and rng.random() < 0.5)
    # The center of pixel i is at i + 0.5.
    shift = (factors - 1) / 2 - offset
    matrix = np.array([[factors[1], 0, shift[1]], [0, factors[0], shift[0]]])
    if mirrored:
        matrix[0] *= -1
        matrix[0, 2] += config.crop[1] - 1
    return _Place(zoom, mirrored, matrix, config.crop, source)


def _zoom(
    source: tuple[int, int], config: AugmentationConfig, rng: np.random.Generator
) -> float:  # fmt: skip
    low, high = config.scale
    log = config.scale_law == 'log'
    drawn = np.exp(rng.uniform(np.log(low), np.log(high))) if log else rng.uniform(low, high)
    zoomed = rng.random() < config.scale_probability
    return max(float(drawn) if zoomed else 1.0, config.shorter_side / min(source))


def photometric(
    image: NDArray[np.uint8], rng: np.random.Generator, strength: float = 1.0
) -> NDArray[np.uint8]:
    """
    Change exposure, gamma, contrast, white balance and saturation; add blur or noise.

    :param image: (h, w, 3) uint8 RGB.
    :param strength: with 1 the exposure changes by a factor of up to 1.6.
    """
    out = _tone(image, rng, strength)
    grayscale = rng.random() < 0.05
    saturation = 0.0 if grayscale else 1 + rng.uniform(-0.6, 0.5) * strength
    # One matrix moves every pixel toward its gray level, or away from it.
    toward_gray = np.tile(np.array((0.299, 0.587, 0.114)) * (1 - saturation), (3, 1))
    out = cv2.transform(out, (toward_gray + np.eye(3) * saturation).astype(np.float32))
    chance = rng.random()
    if chance < 0.15:
        return cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.4))
    if chance < 0.35:
        noise = normal_noise(out.shape, rng)
        noise *= np.float32(rng.uniform(2, 12))
        return cv2.add(out, noise, dtype=cv2.CV_8U)
    return out


def _tone(image: NDArray[np.uint8], rng: np.random.Generator, strength: float) -> NDArray:
    """Apply exposure, white balance, gamma and contrast with one lookup table per channel."""
    ramp = np.linspace(0, 1, 256, dtype=np.float32)
    gamma = np.exp(rng.uniform(-0.45, 0.45) * strength)
    gain = np.exp(rng.uniform(-0.45, 0.45) * strength)
    contrast = 1 + rng.uniform(-0.3, 0.3) * strength
    balance = np.exp(rng.uniform(-0.15, 0.15, 3) * strength)
    tables = [((ramp**gamma - 0.5) * contrast + 0.5) * gain * channel for channel in balance]
    lut = np.clip(np.stack(tables, -1) * 255, 0, 255).astype(np.uint8)[None]
    return cv2.LUT(image, lut)
