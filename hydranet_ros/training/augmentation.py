"""
Joint augmentation of image, labels and depth.

Geometry first, in one warp: labels and depth are only ever picked, never interpolated. A change
of scale is a change of focal length, so depth is normalised to the training camera in the same
step.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.model_info import UNLABELLED
from hydranet_ros.training.sample import Sample


@dataclass(frozen=True)
class AugmentationConfig:
    """
    :param crop: (height, width) of what the network sees.
    :param scale: range of the random zoom, log-uniform.
    :param aspect: largest relative stretch of one axis against the other.
    :param photometric: strength of the changes of colour, 0 for none.
    """

    crop: tuple[int, int] = (256, 352)
    scale: tuple[float, float] = (0.6, 2.0)
    aspect: float = 0.1
    photometric: float = 1.0
    mirror: bool = True


@dataclass(frozen=True)
class View:
    """
    What the network is shown.

    :param image: (h, w, 3) uint8 RGB.
    :param labels: (h, w) uint8, 255 unlabelled.
    :param depth: (h, w) float32, metres as the training camera would see them, 0 unknown.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]


def augment(
    sample: Sample, rng: np.random.Generator, config: AugmentationConfig, focal_length: float
) -> View:
    """
    Return one random view of a sample.

    :param focal_length: pixels, of the camera whose depth scale the network learns: an object of
        a sample with focal length f, zoomed by s, looks as if it were f s / ``focal_length``
        times nearer to that camera, and its depth is divided by that.
    """
    height, width = config.crop
    zoom = float(np.exp(rng.uniform(*np.log(config.scale))))
    stretch = float(np.exp(rng.uniform(-1, 1) * config.aspect / 2))
    axes = (zoom * stretch, zoom / stretch)
    matrix = _random_affine(sample.image.shape[:2], (height, width), axes, rng)
    mirror = config.mirror and rng.random() < 0.5
    image = _warp(sample.image, matrix, (width, height), shrink=zoom < 0.8)
    labels = _pick(sample.labels, matrix, (width, height), UNLABELLED)
    depth = _pick(sample.depth, matrix, (width, height), 0).astype(np.float32)
    if sample.depth is not None:
        depth *= focal_length / (sample.focal_length * zoom)
    if mirror:
        image, labels, depth = (np.ascontiguousarray(a[:, ::-1]) for a in (image, labels, depth))
    if config.photometric:
        image = photometric(image, rng, config.photometric)
    return View(image, labels, depth)


def _random_affine(
    size: tuple[int, int], crop: tuple[int, int], zoom: tuple[float, float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:  # fmt: skip
    scaled = np.array(size) * (zoom[1], zoom[0])
    slack = scaled - crop
    offset = np.where(slack > 0, slack * rng.random(2), slack / 2)
    return np.array([[zoom[0], 0, -offset[1]], [0, zoom[1], -offset[0]]], np.float64)


def _warp(image: NDArray, matrix: NDArray, size: tuple[int, int], *, shrink: bool) -> NDArray:
    if shrink:
        image = cv2.blur(image, (2, 2))
    return cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(124, 116, 104),
    )  # fmt: skip


def _pick(array: NDArray | None, matrix: NDArray, size: tuple[int, int], fill: int) -> NDArray:
    if array is None:
        return np.full((size[1], size[0]), fill, np.uint8)
    return cv2.warpAffine(
        array, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )  # fmt: skip


def photometric(
    image: NDArray[np.uint8], rng: np.random.Generator, strength: float = 1.0
) -> NDArray[np.uint8]:
    """
    Return the image, (h, w, 3) uint8 RGB, under other light and another camera.

    Exposure, gamma, contrast, white balance, saturation, blur and noise; with strength 1 the
    exposure changes by up to 1.6 times either way.
    """
    out: NDArray = _tone(image, rng, strength).astype(np.float32)
    grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[..., None]
    grey_only = rng.random() < 0.05
    saturation = 0.0 if grey_only else 1 + rng.uniform(-0.6, 0.5) * strength
    out = grey + (out - grey) * np.float32(saturation)
    chance = rng.random()
    if chance < 0.15:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.4))
    elif chance < 0.35:
        out += rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(2, 12))
    return np.clip(out, 0, 255).astype(np.uint8)


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
