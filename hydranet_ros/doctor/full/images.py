"""Images of the steps: frames of the included street, resized, and noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.bags.messages import COMPRESSED_IMAGE, deserialize, typestore
from hydranet_ros.bags.reader import BagReader
from hydranet_ros.images.jpeg import decode_compressed
from hydranet_ros.resources import config_file

Image = NDArray[np.uint8]


def street_images(count: int, size: tuple[int, int]) -> list[Image]:
    """
    Return frames spread over the included bag.

    :param size: (H, W).
    :returns: (H, W, 3) uint8 RGB each.
    """
    store = typestore()
    with BagReader(config_file('demo_street')) as reader:
        topics = {item.topic for item in reader.connections if item.msgtype == COMPRESSED_IMAGE}
        messages = list(reader.messages(topics))
    picks = np.linspace(0, len(messages) - 1, count).round().astype(int)
    frames = [deserialize(store, messages[pick], (COMPRESSED_IMAGE,)) for pick in picks]
    return [resized(decode_compressed(frame.data), size) for frame in frames]


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Return an image with the size (H, W)."""
    return np.ascontiguousarray(
        cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8
    )


def noise(size: tuple[int, int], seed: int = 0) -> Image:
    """Return random pixels, (H, W, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
