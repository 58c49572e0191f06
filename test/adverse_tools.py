"""Images for the tests of adverse weather."""

from __future__ import annotations

import cv2
import numpy as np


def street(height: int = 90, width: int = 120) -> np.ndarray:
    """Return an image with sky, house fronts, a road and fine texture."""
    rng = np.random.default_rng(0)
    image = np.full((height, width, 3), (150, 160, 175), np.uint8)
    image[height // 4 :, : width // 3] = (120, 80, 60)
    image[height // 4 :, -width // 3 :] = (90, 110, 70)
    image[height // 2 :] = (80, 82, 85)
    return cv2.add(image, rng.integers(0, 25, image.shape, np.uint8))


def flat(value: int, height: int = 120, width: int = 160) -> np.ndarray:
    """Return an image of one gray level."""
    return np.full((height, width, 3), value, np.uint8)
