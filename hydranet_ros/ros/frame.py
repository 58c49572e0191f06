"""One frame through the node: an image message in, the wanted messages out, and what each took."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.images.header import DEFAULT_MAX_PIXELS
from hydranet_ros.perception.pipeline import Output, Perception
from hydranet_ros.ros.camera_info import Camera
from hydranet_ros.ros.conversions import image_to_rgb
from hydranet_ros.ros.publishers import Publishers

_OF_A_CAMERA = frozenset({Output.POINTS, Output.DEPTH})


class FramePath:
    """
    The way of a frame from the message that was taken to the messages that are published.

    The node runs nothing else for a frame, and the benchmark runs the same.

    :param camera: what is known of the camera when a frame comes.
    """

    def __init__(self, perception: Perception, publishers: Publishers, camera: Camera) -> None:
        self.perception = perception
        self.publishers = publishers
        self._camera = camera
        self._image: NDArray[np.uint8] | None = None

    def run(
        self, message: Any, wanted: frozenset[Output], *, info_topic: str, depth_encoding: str,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> dict[str, float]:  # fmt: skip
        """
        Publish what is wanted of an image message; return the milliseconds of each stage.

        ``decode`` is the message's bytes as RGB, ``message`` the filling of the messages and
        ``publish`` rclpy's own; between them come the stages of
        :class:`~hydranet_ros.perception.pipeline.Perception`.

        :param info_topic: where camera infos are expected, for the warning that there are none.
        :param depth_encoding: 32FC1 or 16UC1.
        :param max_pixels: the largest width times height of an image that is accepted.
        :raises HydranetError: if the frame must be given up.
        """
        started = time.perf_counter()
        image = self._decode(message, max_pixels)
        decoded = time.perf_counter()
        camera = self._camera.of(
            image.shape[:2], message.header, info_topic, needed=bool(wanted & _OF_A_CAMERA)
        )
        result = self.perception.process(image, camera, wanted=wanted)
        sending = self.publishers.publish(
            result, wanted, message.header, self._camera.info if camera else None,
            depth_encoding=depth_encoding,
        )  # fmt: skip
        return {
            'decode': 1e3 * (decoded - started),
            **result.timing,
            **sending,
            'total': 1e3 * (time.perf_counter() - started),
        }

    def _decode(self, message: Any, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
        """Convert into the array that the last frame was converted to, where it fits."""
        image = image_to_rgb(message, self._image, max_pixels=max_pixels)
        # A view of the message itself must not outlive the frame; it needs no place of its own.
        self._image = image if image.flags.owndata else None
        return image
