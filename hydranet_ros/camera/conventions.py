"""
ROS conventions for cameras: topic names, the optical frame and depth encodings.

Sources: image_transport (sibling topics), REP 103 (optical frames), REP 118 (depth images).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

OPTICAL_FRAME = 'camera_optical'
"""Default frame of images that carry none: x right, y down, z forward (REP 103)."""
DEPTH_ENCODINGS = ('32FC1', '16UC1')
"""Meters with NaN for unknown, or millimeters with 0 for unknown (REP 118)."""

# The largest float32 that rounds to 65535.
_LARGEST_MILLIMETERS = float(np.nextafter(np.float32(65535.5), np.float32(0)))


def camera_info_topic(image_topic: str) -> str:
    """Return the camera info topic beside an image topic, raw or ``.../compressed``."""
    return image_topic.removesuffix('/compressed').rsplit('/', 1)[0] + '/camera_info'


def depth_to_millimeters(
    depth: NDArray[np.float32],
    out: NDArray[np.uint16] | None = None,
    scratch: NDArray[np.float32] | None = None,
) -> NDArray[np.uint16]:
    """
    Convert depth to 16UC1 (REP 118): millimeters, rounded half to even; 0 unknown or too far.

    :param depth: (H, W) float32 meters, NaN unknown.
    :param out: (H, W) uint16 that receives the result.
    :param scratch: (H, W) float32 for intermediate values.
    """
    scaled = cv2.multiply(depth, 1000.0, scratch)
    cv2.threshold(scaled, _LARGEST_MILLIMETERS, 0, cv2.THRESH_TOZERO_INV, scaled)
    # NaN converts to the smallest integer, which saturates to 0.
    return cv2.multiply(scaled, 1.0, out, dtype=cv2.CV_16U)
