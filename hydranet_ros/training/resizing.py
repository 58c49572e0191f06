"""Resize images and maps for teachers."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """
    Resize an (H, W, 3) image to (height, width).

    Smaller sizes average the pixels, larger ones interpolate them.
    """
    if image.shape[:2] == size:
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (size[1], size[0]), interpolation=method)


def resize_nearest(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize (B, C, h, w) maps to (height, width) by the nearest pixels."""
    return torch.nn.functional.interpolate(maps, size=size, mode='nearest-exact')
