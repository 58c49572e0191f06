"""One sample of a data set: an image with any of labels, depth and normals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """
    One image with its annotations.

    :param name: unique in its data set; identifies its files.
    :param image: (H, W, 3) uint8 RGB.
    :param labels: (H, W) uint8 class ids, 255 unlabeled, or ``None``.
    :param depth: (H, W) float32 meters along the optical axis, 0 unknown, or ``None``.
    :param normals: (H, W, 3) float32 unit vectors in the optical frame (x right, y down, z
        forward; REP 103), 0 unknown, or ``None``.
    :param focal_length: pixels at this image's size, 0 where unknown.
    """

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    focal_length: float = 0.0


# A data set: ``len()`` reads no file, ``[i]`` reads the files of one sample.
Samples = Sequence[Sample]
