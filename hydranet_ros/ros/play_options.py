"""Options of ``hydranet play``."""

from __future__ import annotations

from dataclasses import dataclass

from hydranet_ros.camera.conventions import OPTICAL_FRAME
from hydranet_ros.camera.model import CameraModel


@dataclass(frozen=True)
class PlayOptions:
    """
    How to play a bag, images or a video.

    :param rate: factor on the original speed; 0 to play without pauses.
    :param clock: Hz of /clock in the source's time; 0 for no clock.
    :param fps: frames per second of images and, if not 0, of a video.
    :param topic: topic of images and videos; the camera info goes to its sibling.
    :param pattern: which images of a folder to play.
    :param camera: intrinsics of images and videos, if known.
    :param wait: seconds to wait for subscribers before the first message; 0 to not wait.
    :param subscribers: number of subscribers of one topic to wait for.
    :param delay: seconds between that and the first message, so that others can subscribe.
    """

    rate: float = 1.0
    loop: bool = False
    clock: float = 0.0
    fps: float = 0.0
    topic: str = '/camera/image'
    pattern: str = '*'
    frame_id: str = OPTICAL_FRAME
    camera: CameraModel | None = None
    wait: float = 0.0
    subscribers: int = 1
    delay: float = 0.0
