"""
Joint augmentation of image, labels, depth and normals.

Geometry first, in one warp: labels, depth and normals are only ever picked, never interpolated.
A change of scale is a change of focal length, so depth is normalised to the training camera in
the same step. Then weather, then light and colour; what lies outside the image is padding to the
end.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.model_info import UNLABELLED
from hydranet_ros.training.adverse import CORRUPTIONS, StreetCamera, corrupt, usual_camera
from hydranet_ros.training.adverse.pixels import normal_noise
from hydranet_ros.training.sample import Sample

SCALE_LAWS = ('log', 'uniform')
# Of the adverse set the hardest severity is kept for evaluation.
ADVERSE_SEVERITIES = (1, 2, 3, 4)


@dataclass(frozen=True)
class AugmentationConfig:
    """
    What is drawn at random for every view.

    :param crop: (height, width) of what the network sees.
    :param scale: smallest and largest zoom; (0.5, 2.0) is from half to twice the size.
    :param scale_law: ``log`` makes half as likely as double, ``uniform`` is that of the papers.
    :param scale_probability: share of the views that are zoomed at all.
    :param shorter_side: pixels that the shorter side of the zoomed image has at least.
    :param aspect: largest relative stretch of one axis against the other.
    :param mirror: show one view in two mirrored.
    :param adverse: share of the views under a corruption of
        :mod:`~hydranet_ros.training.adverse`; at most half, so that the clear street is not
        forgotten (Kerim et al. 2022).
    :param photometric: strength of the changes of colour, 0 for none.
    :param pad_value: RGB in 0..255 around an image smaller than the crop: the mean that the
        network subtracts, so that padding is 0 to it.
    :raises TrainingError: if a value cannot be used.
    """

    crop: tuple[int, int] = (256, 352)
    scale: tuple[float, float] = (0.6, 2.0)
    scale_law: str = 'log'
    scale_probability: float = 1.0
    shorter_side: int = 0
    aspect: float = 0.1
    mirror: bool = True
    adverse: float = 0.0
    photometric: float = 1.0
    pad_value: tuple[int, int, int] = (124, 116, 104)

    def __post_init__(self) -> None:
        self._check(
            'crop', 'two positive whole numbers',
            len(self.crop) == 2 and all(isinstance(n, int) and n > 0 for n in self.crop),
        )  # fmt: skip
        self._check(
            'scale', 'smallest and largest zoom, above 0',
            len(self.scale) == 2 and 0 < self.scale[0] <= self.scale[1],
        )  # fmt: skip
        self._check('scale_law', ' or '.join(SCALE_LAWS), self.scale_law in SCALE_LAWS)
        self._check('scale_probability', '0 to 1', 0 <= self.scale_probability <= 1)
        self._check('shorter_side', '0 or more pixels', self.shorter_side >= 0)
        self._check('aspect', '0 to 1', 0 <= self.aspect <= 1)
        self._check('adverse', '0 to 0.5', 0 <= self.adverse <= 0.5)
        self._check('photometric', '0 to 2', 0 <= self.photometric <= 2)
        self._check(
            'pad_value', 'three whole numbers in 0..255',
            len(self.pad_value) == 3
            and all(isinstance(n, int) and 0 <= n <= 255 for n in self.pad_value),
        )  # fmt: skip

    def _check(self, name: str, allowed: str, good: bool) -> None:
        if not good:
            raise TrainingError(
                f'augmentation.{name} is {getattr(self, name)!r}; allowed: {allowed}.'
            )


@dataclass(frozen=True)
class View:
    """
    What the network is shown; the arrays are its own.

    :param image: (h, w, 3) uint8 RGB.
    :param labels: (h, w) uint8, 255 unlabelled.
    :param depth: (h, w) float32, metres as the training camera would see them, 0 unknown.
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

    :param focal_length: pixels, of the camera whose depth scale the network learns: an object of
        a sample with focal length f, zoomed by s, looks as if it were f s / ``focal_length``
        times nearer to that camera, and its depth is divided by that. Where either focal length
        is unknown (0), depth is divided by the zoom alone, as in the authors' script.
    """
    place = _place(sample.image.shape[:2], config, rng)
    image = place.warp(sample.image, config.pad_value)
    labels = place.pick(sample.labels, UNLABELLED, np.uint8)
    depth = place.pick(sample.depth, 0, np.float32)
    normals = place.pick(sample.normals, 0, np.float32, 3)
    if place.mirrored:
        np.negative(normals[..., 0], out=normals[..., 0])
    if rng.random() < config.adverse:
        # Weather needs the metres of the street itself: depth is not yet normalised here.
        name = CORRUPTIONS[rng.integers(len(CORRUPTIONS))]
        severity = ADVERSE_SEVERITIES[rng.integers(len(ADVERSE_SEVERITIES))]
        metres = None if sample.depth is None else depth
        image = corrupt(image, name, severity, rng, metres, camera=place.camera(sample))
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
    Where a view lies in an image.

    :param zoom: factor of the focal length: the mean of the two axes' factors.
    :param matrix: (2, 3), from pixels of the image to pixels of the view, mirrored or not.
    :param size: (height, width) of the view.
    :param source: (height, width) of the image.
    """

    zoom: float
    mirrored: bool
    matrix: NDArray[np.float64]
    size: tuple[int, int]
    source: tuple[int, int]

    def warp(self, image: NDArray[np.uint8], fill: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return the image's view, interpolated; a smaller one is smoothed before."""
        if self.zoom < 0.8:
            blur = 0.45 * float(np.sqrt(1 / self.zoom**2 - 1))
            image = cv2.GaussianBlur(image, (3, 3) if blur < 0.9 else (5, 5), blur)
        return self._warped(image, cv2.INTER_LINEAR, fill)

    def pick(
        self, array: NDArray | None, fill: int, dtype: type, channels: int = 1
    ) -> NDArray:  # fmt: skip
        """Return the annotation's view, of values that it has; ``fill`` where it has none."""
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
        """Make everything beside the image's own pixels ``fill`` again."""
        corners = self.matrix @ np.array(
            [(-0.5, -0.5, 1), (self.source[1] - 0.5, self.source[0] - 0.5, 1)]
        ).T  # fmt: skip
        (left, right), (top, bottom) = np.sort(corners, axis=1)
        image[: max(int(np.ceil(top - 0.01)), 0)] = fill
        image[max(int(np.floor(bottom + 0.01)) + 1, 0) :] = fill
        image[:, : max(int(np.ceil(left - 0.01)), 0)] = fill
        image[:, max(int(np.floor(right + 0.01)) + 1, 0) :] = fill

    def camera(self, sample: Sample) -> StreetCamera:
        """Return where a street vanishes in the view that vanishes amid the image."""
        usual = usual_camera(*self.source)
        x, y = self.matrix @ (usual.vanishing_x, usual.horizon, 1)
        return StreetCamera(x, y, (sample.focal_length or usual.focal_length) * self.zoom)


def _place(
    source: tuple[int, int], config: AugmentationConfig, rng: np.random.Generator
) -> _Place:  # fmt: skip
    zoom = _zoom(source, config, rng)
    stretch = float(np.exp(rng.uniform(-1, 1) * config.aspect / 2))
    factors = np.array((zoom / stretch, zoom * stretch))
    slack = np.array(source) * factors - config.crop
    offset = np.where(slack > 0, slack * rng.random(2), slack / 2)
    mirrored = bool(config.mirror and rng.random() < 0.5)
    # Pixel i has its middle at i + 0.5, which is what is scaled.
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
    Return the image, (h, w, 3) uint8 RGB, under other light and another camera.

    Exposure, gamma, contrast, white balance, saturation, blur and noise; with strength 1 the
    exposure changes by up to 1.6 times either way.
    """
    out = _tone(image, rng, strength)
    grey_only = rng.random() < 0.05
    saturation = 0.0 if grey_only else 1 + rng.uniform(-0.6, 0.5) * strength
    # One matrix moves every pixel towards its grey, or away from it.
    towards_grey = np.tile(np.array((0.299, 0.587, 0.114)) * (1 - saturation), (3, 1))
    out = cv2.transform(out, (towards_grey + np.eye(3) * saturation).astype(np.float32))
    chance = rng.random()
    if chance < 0.15:
        return cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.4))
    if chance < 0.35:
        noise = normal_noise(out.shape, rng)
        noise *= np.float32(rng.uniform(2, 12))
        return cv2.add(out, noise, dtype=cv2.CV_8U)
    return out


def _tone(image: NDArray[np.uint8], rng: np.random.Generator, strength: float) -> NDArray:
    """Apply exposure, white balance, gamma and contrast by one table a channel."""
    ramp = np.linspace(0, 1, 256, dtype=np.float32)
    gamma = np.exp(rng.uniform(-0.45, 0.45) * strength)
    gain = np.exp(rng.uniform(-0.45, 0.45) * strength)
    contrast = 1 + rng.uniform(-0.3, 0.3) * strength
    balance = np.exp(rng.uniform(-0.15, 0.15, 3) * strength)
    tables = [((ramp**gamma - 0.5) * contrast + 0.5) * gain * channel for channel in balance]
    lut = np.clip(np.stack(tables, -1) * 255, 0, 255).astype(np.uint8)[None]
    return cv2.LUT(image, lut)
