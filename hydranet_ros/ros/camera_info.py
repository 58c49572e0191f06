"""Track the camera info and decide whether it applies to an image."""

from __future__ import annotations

import time
from collections.abc import Callable

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from hydranet_ros.camera.conventions import camera_from_info
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import CameraError
from hydranet_ros.ros.log_throttle import LogThrottle


class CameraInfoState:
    """
    The newest camera info, as a message and as a camera model.

    ``problem`` is the reason why there is no usable camera now; it is empty if there is one, or
    none was needed.

    :param warn: logs a warning; repeated warnings are throttled.
    """

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._throttle = LogThrottle()
        self.reset()

    def reset(self) -> None:
        """Forget the camera."""
        self.info: CameraInfo | None = None
        self.model: CameraModel | None = None
        self.problem = ''
        self._frames_without = 0

    def update(self, message: CameraInfo, *, rectified: bool) -> None:
        """
        Replace the camera info; an unchanged one is ignored.

        :param rectified: the images are rectified, so that P describes their camera.
        """
        if self.info is not None and _same_camera(message, self.info):
            return
        self.info = message
        self.problem = ''
        try:
            self.model = camera_from_info(message, rectified=rectified)
        except CameraError as err:
            self.model = None
            self._reject(f'The camera_info cannot be used, so there is no cloud: {err}')

    def model_for(
        self, size: tuple[int, int], header: Header, topic: str, *, needed: bool
    ) -> CameraModel | None:
        """
        Return the camera model of an image, or ``None`` if it is unknown or does not match.

        :param size: height and width of the image.
        :param topic: topic of the camera info, for the warning.
        :param needed: whether a requested output depends on the camera.
        """
        if self.info is None:
            self._count_missing(topic, needed)
            return None
        if self.model is None:
            return None
        if self.info.header.frame_id != header.frame_id:
            self._reject(
                f'The camera_info has frame_id {self.info.header.frame_id!r}, but the image has '
                f'{header.frame_id!r}; it is not used, so there is no cloud.'
            )
            return None
        if (self.model.height, self.model.width) != size:
            self._reject(
                f'The camera_info describes {self.model.width}x{self.model.height} pixels, but '
                f'the image has {size[1]}x{size[0]}; it is not used, so there is no cloud.'
            )
            return None
        self.problem = ''
        return self.model

    def _count_missing(self, topic: str, needed: bool) -> None:
        """Warn once, at the second frame: the info of the first may still be on its way."""
        self._frames_without += needed
        if needed and self._frames_without == 2:
            self.problem = (
                f'No camera info on {topic}: there is no cloud, and depth is not corrected for '
                'the focal length.'
            )
            self._warn(self.problem)

    def _reject(self, reason: str) -> None:
        self.problem = reason
        if self._throttle.allows(reason, time.monotonic()):
            self._warn(reason)


def _same_camera(a: CameraInfo, b: CameraInfo) -> bool:
    return (
        a.width == b.width and a.height == b.height and a.header.frame_id == b.header.frame_id
        and a.distortion_model == b.distortion_model and a.binning_x == b.binning_x
        and a.binning_y == b.binning_y and a.roi == b.roi
        and list(a.k) == list(b.k) and list(a.d) == list(b.d) and list(a.p) == list(b.p)
    )  # fmt: skip
