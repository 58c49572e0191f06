"""
A drive or a walk as a rosbag2: what a robot would record, and the truth beside it.

``/camera/image/compressed`` (JPEG), ``/camera/camera_info``, ``/ground_truth/labels`` and
``/ground_truth/depth`` (PNG; class ids, millimetres with 0 unknown), ``/odom`` (the camera's pose
in the street's or room's frame, REP 103). The same seed gives the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from hydranet_ros.bag import BagWriter
from hydranet_ros.errors import SceneError
from hydranet_ros.camera.model import CameraModel
from hydranet_scenes.drive import DriveFrame, drive, kitti_camera
from hydranet_scenes.street import STREET_KINDS

EPOCH = 1_700_000_000
FRAME_ID = 'camera_optical'
JPEG_QUALITY = 88


def write_drive(
    out: Path, *, frames: int = 60, seed: int = 1, size: tuple[int, int] = (360, 640),
    fps: float = 10.0, depth_every: int = 5, kind: str = 'streets',
) -> Path:  # fmt: skip
    """
    Render a drive, or a walk through a room, into a new bag and return its folder.

    :param size: (height, width) in pixels.
    :param kind: a kind of streets, or ``rooms``.
    :param depth_every: the true depth, the largest part, goes with every so many frames.
    :raises BagError: if the folder exists.
    :raises SceneError: if MuJoCo cannot render here.
    """
    camera, move = _camera_and_motion(kind, size)
    with BagWriter(out) as bag:
        messages = _Messages(bag.store.types)
        shots = move(seed, frames, size=size, fps=fps)
        for index, frame in enumerate(track(shots, kind, total=frames)):
            moment = EPOCH * 10**9 + round(frame.seconds * 1e9)
            header = messages.header(moment)
            bag.write_message('/camera/camera_info', messages.info(header, camera), moment)
            image = messages.picture(header, frame.image, '.jpg')
            bag.write_message('/camera/image/compressed', image, moment)
            labels = messages.picture(header, frame.truth.labels, '.png')
            bag.write_message('/ground_truth/labels', labels, moment)
            if index % depth_every == 0:
                depth = messages.picture(header, millimetres(frame.truth.depth), '.png')
                bag.write_message('/ground_truth/depth', depth, moment)
            bag.write_message('/odom', messages.odometry(moment, frame), moment)
    return out


def _camera_and_motion(
    kind: str, size: tuple[int, int]
) -> tuple[CameraModel, Callable[..., Iterator[DriveFrame]]]:
    if kind in STREET_KINDS:
        return kitti_camera(size), partial(drive, kind=STREET_KINDS[kind])
    if kind == 'rooms':
        from hydranet_scenes.room_views import nyud_camera
        from hydranet_scenes.room_walk import walk

        return nyud_camera(size), walk
    raise SceneError(
        f'Scenes of kind {kind!r} are unknown; allowed: {", ".join(STREET_KINDS)}, rooms.'
    )


def millimetres(depth: np.ndarray) -> np.ndarray:
    """Return (H, W) uint16 millimetres of metres; 0 where unknown or beyond 65.535 m."""
    scaled = np.nan_to_num(depth, nan=0.0) * 1000
    return np.where(scaled < 65535.5, np.rint(scaled), 0).astype(np.uint16)


class _Messages:
    """Builds messages of a bag's own types."""

    def __init__(self, types: dict[str, Any]) -> None:
        self._types = types

    def _make(self, kind: str, **values: Any) -> Any:
        return self._types[kind](**values)

    def header(self, moment: int, frame: str = FRAME_ID) -> Any:
        stamp = self._make('builtin_interfaces/msg/Time', sec=moment // 10**9,
                           nanosec=moment % 10**9)  # fmt: skip
        return self._make('std_msgs/msg/Header', stamp=stamp, frame_id=frame)

    def picture(self, header: Any, image: np.ndarray, ending: str) -> Any:
        if image.ndim == 3:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if ending == '.jpg' else [
            cv2.IMWRITE_PNG_COMPRESSION, 9]  # fmt: skip
        done, data = cv2.imencode(ending, image, options)
        assert done
        name = {'.jpg': 'jpeg', '.png': 'png'}[ending]
        return self._make('sensor_msgs/msg/CompressedImage', header=header, format=name,
                          data=data.ravel())  # fmt: skip

    def info(self, header: Any, camera: CameraModel) -> Any:
        roi = self._make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0,
                         width=0, do_rectify=False)  # fmt: skip
        projection = [camera.fx, 0, camera.cx, 0, 0, camera.fy, camera.cy, 0, 0, 0, 1, 0]
        return self._make(
            'sensor_msgs/msg/CameraInfo', header=header, height=camera.height, width=camera.width,
            distortion_model='plumb_bob', d=np.zeros(5), k=np.array(camera.k), r=np.eye(3).ravel(),
            p=np.array(projection, float), binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip

    def odometry(self, moment: int, frame: DriveFrame) -> Any:
        make = self._make
        x, y, z, w = quaternion(frame.pose.rotation())
        position = make('geometry_msgs/msg/Point', x=frame.pose.x, y=frame.pose.y, z=frame.pose.z)
        turn = make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w)
        pose = make('geometry_msgs/msg/Pose', position=position, orientation=turn)
        linear, angular = (
            make('geometry_msgs/msg/Vector3', x=float(x), y=float(y), z=float(z))
            for x, y, z in (frame.velocity, frame.turning)
        )
        twist = make('geometry_msgs/msg/Twist', linear=linear, angular=angular)
        zeros = np.zeros(36)
        return make(
            'nav_msgs/msg/Odometry', header=self.header(moment, 'odom'), child_frame_id=FRAME_ID,
            pose=make('geometry_msgs/msg/PoseWithCovariance', pose=pose, covariance=zeros),
            twist=make('geometry_msgs/msg/TwistWithCovariance', twist=twist, covariance=zeros),
        )  # fmt: skip


def quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Return x, y, z, w of a 3x3 rotation matrix."""
    vector = cv2.Rodrigues(rotation)[0].ravel()
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return 0.0, 0.0, 0.0, 1.0
    x, y, z = vector / angle * np.sin(angle / 2)
    return float(x), float(y), float(z), float(np.cos(angle / 2))
