"""Process one image message and publish the results."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.images.header import DEFAULT_MAX_PIXELS
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception
from hydranet_ros.ros.camera_info import CameraInfoState
from hydranet_ros.ros.conversions import image_to_rgb
from hydranet_ros.ros.publishers import Publishers

# Outputs that are missing or less exact without a camera info.
_CAMERA_OUTPUTS = frozenset({Output.POINTS, Output.DEPTH})


class FramePath:
    """
    The path of a frame: decode, infer, post-process, fill messages, publish.

    The node runs nothing else for a frame, and the benchmark runs the same code.

    :param camera: the current camera info.
    """

    def __init__(
        self, perception: Perception, publishers: Publishers, camera: CameraInfoState
    ) -> None:
        self.perception = perception
        self.publishers = publishers
        self._camera = camera
        self._image: NDArray[np.uint8] | None = None

    def run(
        self, message: Any, wanted: frozenset[Output], *, info_topic: str, depth_encoding: str,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> dict[str, float]:  # fmt: skip
        """
        Publish the wanted outputs of an image message; return the milliseconds of each stage.

        ``decode`` converts the message to RGB, ``message`` fills the output messages, ``publish``
        is rclpy's publish(). Between them are the stages of
        :class:`~hydranet_ros.perception.pipeline.Perception`.

        :param info_topic: topic of the camera info, for the warning that there is none.
        :param depth_encoding: 32FC1 or 16UC1.
        :param max_pixels: largest accepted width times height of an image.
        :raises HydranetError: if the image cannot be processed.
        """
        started = time.perf_counter()
        image = self._decode(message, max_pixels)
        decoded = time.perf_counter()
        camera = self._camera.model_for(
            image.shape[:2], message.header, info_topic, needed=bool(wanted & _CAMERA_OUTPUTS)
        )
        result = self.perception.process(image, camera, wanted=wanted)
        publishing = self.publishers.publish(
            result, wanted, message.header, self._camera.info if camera else None,
            depth_encoding=depth_encoding,
        )  # fmt: skip
        return {
            'decode': 1e3 * (decoded - started),
            **result.timing,
            **publishing,
            'total': 1e3 * (time.perf_counter() - started),
        }

    def _decode(self, message: Any, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
        """Return the image as RGB, in the array of the previous frame if it fits."""
        image = image_to_rgb(message, self._image, max_pixels=max_pixels)
        # A view of the message's own memory must not outlive the frame.
        self._image = image if image.flags.owndata else None
        return image
