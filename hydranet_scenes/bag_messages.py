"""ROS messages of a rendered sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.conventions import OPTICAL_FRAME
from hydranet_ros.camera.model import CameraModel
from hydranet_scenes.sequences import SequenceFrame

JPEG_QUALITY = 88


class MessageFactory:
    """
    Builds the messages of a bag.

    :param types: message classes by name, such as ``sensor_msgs/msg/CameraInfo``.
    """

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._types = types

    def _make(self, kind: str, **values: Any) -> Any:
        return self._types[kind](**values)

    def header(self, stamp: int, frame_id: str = OPTICAL_FRAME) -> Any:
        """Return a ``Header``; ``stamp`` in nanoseconds."""
        time = self._make('builtin_interfaces/msg/Time', sec=stamp // 10**9,
                          nanosec=stamp % 10**9)  # fmt: skip
        return self._make('std_msgs/msg/Header', stamp=time, frame_id=frame_id)

    def jpeg(self, header: Any, image: NDArray[np.uint8]) -> Any:
        """Return a ``CompressedImage`` of an (H, W, 3) RGB image."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        return self._compressed_image(header, 'jpeg', cv2.imencode('.jpg', bgr, options))

    def png(self, header: Any, image: NDArray[np.uint8] | NDArray[np.uint16]) -> Any:
        """Return a ``CompressedImage`` of an (H, W) image."""
        options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
        return self._compressed_image(header, 'png', cv2.imencode('.png', image, options))

    def _compressed_image(self, header: Any, name: str, encoded: tuple[bool, NDArray]) -> Any:
        done, data = encoded
        assert done
        return self._make('sensor_msgs/msg/CompressedImage', header=header, format=name,
                          data=data.ravel())  # fmt: skip

    def camera_info(self, header: Any, camera: CameraModel) -> Any:
        """Return the ``CameraInfo`` of a camera without distortion."""
        roi = self._make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0,
                         width=0, do_rectify=False)  # fmt: skip
        projection = [camera.fx, 0, camera.cx, 0, 0, camera.fy, camera.cy, 0, 0, 0, 1, 0]
        return self._make(
            'sensor_msgs/msg/CameraInfo', header=header, height=camera.height, width=camera.width,
            distortion_model='plumb_bob', d=np.zeros(5), k=np.array(camera.k), r=np.eye(3).ravel(),
            p=np.array(projection, float), binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip

    def odometry(self, stamp: int, frame: SequenceFrame) -> Any:
        """
        Return the ``Odometry`` of the camera.

        The pose is in the frame ``odom``, which is the scene frame. The twist is in the optical
        frame.
        """
        make = self._make
        x, y, z, w = quaternion(frame.pose.rotation())
        position = make('geometry_msgs/msg/Point', x=frame.pose.x, y=frame.pose.y, z=frame.pose.z)
        orientation = make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w)
        pose = make('geometry_msgs/msg/Pose', position=position, orientation=orientation)
        linear, angular = (
            make('geometry_msgs/msg/Vector3', x=float(x), y=float(y), z=float(z))
            for x, y, z in (frame.linear_velocity, frame.angular_velocity)
        )
        twist = make('geometry_msgs/msg/Twist', linear=linear, angular=angular)
        zeros = np.zeros(36)
        return make(
            'nav_msgs/msg/Odometry', header=self.header(stamp, 'odom'),
            child_frame_id=OPTICAL_FRAME,
            pose=make('geometry_msgs/msg/PoseWithCovariance', pose=pose, covariance=zeros),
            twist=make('geometry_msgs/msg/TwistWithCovariance', twist=twist, covariance=zeros),
        )  # fmt: skip


def quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the unit quaternion (x, y, z, w) of a (3, 3) rotation matrix."""
    vector = cv2.Rodrigues(rotation)[0].ravel()
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return 0.0, 0.0, 0.0, 1.0
    x, y, z = vector / angle * np.sin(angle / 2)
    return float(x), float(y), float(z), float(np.cos(angle / 2))
