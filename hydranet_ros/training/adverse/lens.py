"""Motion blur and sun glare."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.adverse.layout import Scene
from hydranet_ros.training.adverse.pixels import quarter_grid, to_bytes

# Pixels at 480x360. Severity 3 of ImageNet-C, a one-sided Gaussian of 8 px, is equally wide.
_BLUR_LENGTH = (4.0, 8.0, 13.0, 18.0, 24.0)
_VEIL = (0.18, 0.28, 0.40, 0.52, 0.66)


def motion_blur(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur along a straight line within 45 degrees of the horizontal, as in ImageNet-C."""
    length = max(_BLUR_LENGTH[severity - 1] * scene.unit, 1 + severity / 2) * rng.uniform(0.9, 1.1)
    angle = rng.uniform(-np.pi / 4, np.pi / 4)
    return cv2.filter2D(
        scene.image, -1, line_kernel(length, angle), borderType=cv2.BORDER_REFLECT_101
    )


def line_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """
    Return the kernel of a linear motion blur, float32 with odd sides and sum 1.

    :param length: pixels, 1 for no blur.
    :param angle: radians, counterclockwise from the horizontal.
    """
    half = max((length - 1) / 2, 0.0)
    side = 2 * int(np.ceil(half)) + 3
    kernel = np.zeros((side, side), np.float32)
    along = np.linspace(-half, half, 4 * side)
    x, y = (side - 1) / 2 + along * np.cos(angle), (side - 1) / 2 - along * np.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right in (0, 1):  # bilinear weights of the four pixels around each point
        for below in (0, 1):
            share = np.abs(1 - right - (x - left)) * np.abs(1 - below - (y - top))
            np.add.at(kernel, (top + below, left + right), share)
    # OpenCV has a slow path for large kernels, so drop the empty rows.
    kernel = kernel[kernel.sum(1) > 1e-4]
    return kernel / kernel.sum()


def glare(scene: Scene, severity: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """
    Add the glare of a low sun: saturation around it, and a veil of stray light.

    The veil decreases with the distance from the sun, as stray light of lenses does. Ghost images
    of the aperture are on the line through the image center.
    """
    height, width = scene.size
    sun = np.array((rng.uniform(0.15, 0.85) * width, scene.horizon - rng.uniform(0.05, 0.35)
                    * height))  # fmt: skip
    sun[1] = np.clip(sun[1], -0.1 * height, 0.8 * height)
    strength = _VEIL[severity - 1] * rng.uniform(0.9, 1.1)
    layer = _glow(scene, sun, strength, rng)
    _ghosts(layer, sun, strength, rng)
    layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)
    # The camera reduces its exposure in response to the stray light.
    out = scene.image.astype(np.float32) * np.float32(1 - 0.45 * strength)
    out += layer
    return to_bytes(out)


def _glow(
    scene: Scene, sun: NDArray, strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the light of the sun at a quarter of the size, (h, w, 3) float32 gray levels."""
    height, width = scene.size
    rows, columns = quarter_grid(height, width)
    rows, columns = rows - np.float32(sun[1]), columns - np.float32(sun[0])
    distance = (rows**2 + columns**2) / np.float32((0.30 * height) ** 2)
    veil = 255 * strength * (0.22 + 1.25 / (1 + distance))
    disk = 900 * strength / (1 + distance * 40) ** 1.5
    rays = np.cos(np.arctan2(rows, columns) * rng.integers(5, 9) + rng.uniform(0, 6.28))
    disk *= 1 + 0.5 * rays.astype(np.float32)
    warm = np.array((1.0, 0.95, rng.uniform(0.72, 0.92)), np.float32)
    return ((veil + disk)[..., None] * warm).astype(np.float32)


def _ghosts(
    layer: NDArray[np.float32], sun: NDArray, strength: float, rng: np.random.Generator
) -> None:
    """Add faint disks on the line from the sun through the image center."""
    height, width = layer.shape[:2]
    center = np.array((width, height)) / 2
    start = sun / 4
    ghosts = np.zeros_like(layer)
    for _ in range(rng.integers(2, 6)):
        position = start + (center - start) * rng.uniform(0.5, 2.2)
        at = (int(position[0]), int(position[1]))
        color = (rng.uniform(10, 40, 3) * strength).tolist()
        radius = int(max(1, rng.uniform(0.02, 0.09) * height))
        cv2.circle(ghosts, at, radius, color, -1, cv2.LINE_AA)
    layer += cv2.blur(ghosts, (3, 3))
