"""
Add adverse weather and light to street images.

The corruptions are night, rain, snow, motion blur, sun glare and fog, in five severities.
Severity 3 corresponds to that of robustness benchmarks (ImageNet-C, KITTI-C of the RoboDepth
challenge): clearly adverse, but a person still recognizes the street. Corruptions change only the
image; labels, depth and normals remain valid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.adverse.layout import Scene, StreetCamera, default_camera
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
    Apply a corruption to an image; the same random state gives the same result.

    :param image: (H, W, 3) uint8 RGB; not modified.
    :param name: one of :data:`CORRUPTIONS`.
    :param severity: 1 (slight) to 5 (the street is hardly visible).
    :param depth: (H, W) float32 meters, 0 unknown; ``None`` uses the depth of an empty street,
        see :func:`~hydranet_ros.training.adverse.layout.street_depth`.
    :param camera: vanishing point and focal length; by default those of a level camera.
    :raises TrainingError: if the name or the severity is unknown.
    """
    if name not in _BY_NAME:
        raise TrainingError(f'Corruption {name!r} is unknown; allowed: {", ".join(CORRUPTIONS)}.')
    if severity not in SEVERITIES:
        raise TrainingError(f'Severity {severity!r} of {name} is unknown; allowed: 1 to 5.')
    camera = camera or default_camera(*image.shape[:2])
    return _BY_NAME[name](Scene(image, camera, depth), severity, rng)
