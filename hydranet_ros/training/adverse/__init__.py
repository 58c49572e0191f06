"""
Adverse weather and light for street images: night, rain, snow, motion blur, sun glare and fog.

Each corruption has five severities. Three is meant as in the robustness benchmarks (ImageNet-C,
KITTI-C of the RoboDepth challenge): clearly adverse, but a person still sees the street. The
image alone is changed: labels, depth and normals stay those of the clear view.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.adverse.layout import Scene, StreetCamera, usual_camera
from hydranet_ros.training.adverse.lens import glare, motion_blur
from hydranet_ros.training.adverse.night import night
from hydranet_ros.training.adverse.weather import fog, rain, snow

Corruption = Callable[[Scene, int, np.random.Generator], NDArray[np.uint8]]

_BY_NAME: dict[str, Corruption] = {
    'night': night,
    'rain': rain,
    'snow': snow,
    'motion_blur': motion_blur,
    'glare': glare,
    'fog': fog,
}
CORRUPTIONS = tuple(_BY_NAME)
SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(
    image: NDArray[np.uint8], name: str, severity: int, rng: np.random.Generator,
    depth: NDArray[np.float32] | None = None, *, camera: StreetCamera | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """
    Return the image under one corruption; the same random state gives the same image.

    :param image: (H, W, 3) uint8 RGB; left as it is.
    :param name: one of :data:`CORRUPTIONS`.
    :param severity: 1 (slight) to 5 (hardly to be seen through).
    :param depth: (H, W) float32 metres, 0 unknown; ``None`` for a stand-in of a street, see
        :func:`~hydranet_ros.training.adverse.layout.street_depth`.
    :param camera: where the street vanishes in this image; the middle where not given.
    :raises TrainingError: if the name or the severity is not one of those.
    """
    if name not in _BY_NAME:
        raise TrainingError(f'Corruption {name!r} is unknown; allowed: {", ".join(CORRUPTIONS)}.')
    if severity not in SEVERITIES:
        raise TrainingError(f'Severity {severity!r} of {name} is unknown; allowed: 1 to 5.')
    camera = camera or usual_camera(*image.shape[:2])
    return _BY_NAME[name](Scene(image, camera, depth), severity, rng)
