"""
ROS conventions for cameras: camera info, topic names, the optical frame and depth encodings.

Sources: image_transport (sibling topics), REP 103 (optical frames), REP 118 (depth images).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel

OPTICAL_FRAME = 'camera_optical'
"""Default frame of images that carry none: x right, y down, z forward (REP 103)."""
DEPTH_ENCODINGS = ('32FC1', '16UC1')
"""Meters with NaN for unknown, or millimeters with 0 for unknown (REP 118)."""

# The largest float32 that rounds to 65535.
_LARGEST_MILLIMETERS = float(np.nextafter(np.float32(65535.5), np.float32(0)))


def camera_info_topic(image_topic: str) -> str:
    """Return the camera info topic beside an image topic, raw or ``.../compressed``."""
    return image_topic.removesuffix('/compressed').rsplit('/', 1)[0] + '/camera_info'


def camera_from_info(info: Any, *, rectified: bool = False) -> CameraModel:
    """
    Return the camera model of a CameraInfo.

    :param info: a ``sensor_msgs/CameraInfo`` of rclpy or of rosbags.
    :param rectified: describe the rectified image (P) instead of the raw one (K and D).
    :raises CameraError: if the camera is not calibrated or a value is impossible.
    """
    p, roi = info.p, info.roi
    k = (p[0], 0.0, p[2], 0.0, p[5], p[6], 0.0, 0.0, 1.0) if rectified else info.k
    return CameraModel.from_camera_info(
        info.width, info.height, k, () if rectified else info.d, info.distortion_model,
        binning=(info.binning_x, info.binning_y),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
    )  # fmt: skip


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
