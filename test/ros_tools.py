"""Messages that the tests of the node send."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hydranet_ros.ros.conversions import fill_image

FRAME = 'camera_optical'


def header(second: int, frame: str = FRAME) -> Header:
    """Return a header with the stamp ``second`` + 0.123456789 s."""
    made = Header(frame_id=frame)
    made.stamp.sec, made.stamp.nanosec = second, 123_456_789
    return made


def image_message(second: int, size: tuple[int, int] = (48, 64), frame: str = FRAME) -> Image:
    """Return an image whose upper half is sky to the test model, and whose lower half is road."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[: size[0] // 2] = (10, 20, 200)
    pixels[size[0] // 2 :] = (204, 100, 50)
    return fill_image(Image(), pixels, 'rgb8', header(second, frame))


def camera_info(
    second: int = 1, size: tuple[int, int] = (48, 64), focal: float = 100.0, frame: str = FRAME
) -> CameraInfo:
    """Return the camera info of an undistorted camera with a centered principal point."""
    height, width = size
    return CameraInfo(
        header=header(second, frame), height=height, width=width, distortion_model='plumb_bob',
        d=[0.0] * 5, k=[focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0],
        p=[focal, 0.0, width / 2, 0.0, 0.0, focal, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0],
    )  # fmt: skip
