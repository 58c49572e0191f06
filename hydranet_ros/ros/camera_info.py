"""The camera whose images the node gets: what its camera info says and whether it can be used."""

from __future__ import annotations

import time
from collections.abc import Callable

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import CameraError
from hydranet_ros.ros.conversions import camera_from_info
from hydranet_ros.ros.log_throttle import LogLimit


class Camera:
    """
    The newest camera info, as a message and as a model.

    :param warn: told what is wrong, each thing once in a while.
    :param problem: (attribute) why there is no camera now; empty if there is, or none was needed.
    """

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._limit = LogLimit()
        self.forget()

    def forget(self) -> None:
        """Start anew, as with another camera."""
        self.info: CameraInfo | None = None
        self.model: CameraModel | None = None
        self.problem = ''
        self._frames_without = 0

    def hear(self, message: CameraInfo, *, rectified: bool) -> None:
        """Take a camera info; one that says what the last said costs nothing."""
        if self.info is not None and _same(message, self.info):
            return
        self.info = message
        self.problem = ''
        try:
            self.model = camera_from_info(message, rectified=rectified)
        except CameraError as err:
            self.model = None
            self._distrust(f'camera_info cannot be used, no cloud: {err}')

    def of(
        self, size: tuple[int, int], header: Header, topic: str, *, needed: bool
    ) -> CameraModel | None:
        """
        Return the camera of an image, or ``None`` if it is not known or of another image.

        :param size: height and width of the image.
        :param topic: where camera infos are expected, for the warning.
        :param needed: whether a result depends on the camera.
        """
        if self.info is None:
            self._miss(topic, needed)
            return None
        if self.model is None:
            return None
        if self.info.header.frame_id != header.frame_id:
            self._distrust(
                f'camera_info is of frame {self.info.header.frame_id!r}, the image of '
                f'{header.frame_id!r}: not used, no cloud.'
            )
            return None
        if (self.model.height, self.model.width) != size:
            self._distrust(
                f'camera_info is of {self.model.width}x{self.model.height} pixels, the image '
                f'of {size[1]}x{size[0]}: not used, no cloud.'
            )
            return None
        self.problem = ''
        return self.model

    def _miss(self, topic: str, needed: bool) -> None:
        """Warn once, at the second frame: the info of the first may still be on its way."""
        self._frames_without += needed
        if needed and self._frames_without == 2:
            self.problem = (
                f'No camera info on {topic}: no cloud, and depth is not corrected for the focal '
                'length.'
            )
            self._warn(self.problem)

    def _distrust(self, reason: str) -> None:
        self.problem = reason
        if self._limit.allows(reason, time.monotonic()):
            self._warn(reason)


def _same(a: CameraInfo, b: CameraInfo) -> bool:
    return (
        a.width == b.width and a.height == b.height and a.header.frame_id == b.header.frame_id
        and a.distortion_model == b.distortion_model and a.binning_x == b.binning_x
        and a.binning_y == b.binning_y and a.roi == b.roi
        and list(a.k) == list(b.k) and list(a.d) == list(b.d) and list(a.p) == list(b.p)
    )  # fmt: skip
