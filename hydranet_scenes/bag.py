"""
Render a drive or a walk into a rosbag2 with ground truth.

``/camera/image/compressed`` (JPEG), ``/camera/camera_info``, ``/ground_truth/labels`` (PNG, class
ids), ``/ground_truth/depth`` (PNG, uint16 millimeters, 0 unknown) and ``/odom`` (the camera's pose
and velocity in the scene frame, REP 103). The same seed gives the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rich.progress import track

from hydranet_ros.bags.writer import BagWriter
from hydranet_ros.camera.conventions import depth_to_millimeters
from hydranet_ros.camera.model import CameraModel
from hydranet_scenes.bag_messages import MessageFactory
from hydranet_scenes.dataset import check_kind
from hydranet_scenes.rendering.cameras import kitti_camera, nyud_camera
from hydranet_scenes.rooms.walk import render_walk
from hydranet_scenes.sequences import SequenceFrame
from hydranet_scenes.streets.drive import render_drive
from hydranet_scenes.streets.kinds import STREET_KINDS

# Stamp of the start, in seconds since the Unix epoch.
START_TIME = 1_700_000_000


def write_drive(
    out: Path, *, frames: int = 60, seed: int = 1, size: tuple[int, int] = (360, 640),
    fps: float = 10.0, depth_every: int = 5, kind: str = 'streets',
) -> Path:  # fmt: skip
    """
    Render a drive along a street, or a walk through a room, into a new bag.

    :param size: (height, width) in pixels.
    :param depth_every: interval of the ground-truth depth, the largest part of the bag, in frames.
    :param kind: one of :data:`~hydranet_scenes.dataset.CLASS_TABLES`.
    :return: the folder of the bag.
    :raises BagError: if the folder exists.
    :raises SceneError: if the kind is unknown, or MuJoCo cannot render here.
    """
    camera, render = _camera_and_sequence(kind, size)
    with BagWriter(out) as bag:
        messages = MessageFactory(bag.store.types)
        sequence = render(seed, frames, size=size, fps=fps)
        for index, frame in enumerate(track(sequence, kind, total=frames)):
            stamp = START_TIME * 10**9 + round(frame.seconds * 1e9)
            header = messages.header(stamp)
            bag.write_message('/camera/camera_info', messages.camera_info(header, camera), stamp)
            image = messages.jpeg(header, frame.image)
            bag.write_message('/camera/image/compressed', image, stamp)
            labels = messages.png(header, frame.truth.labels)
            bag.write_message('/ground_truth/labels', labels, stamp)
            if index % depth_every == 0:
                depth = messages.png(header, depth_to_millimeters(frame.truth.depth))
                bag.write_message('/ground_truth/depth', depth, stamp)
            bag.write_message('/odom', messages.odometry(stamp, frame), stamp)
    return out


def _camera_and_sequence(
    kind: str, size: tuple[int, int]
) -> tuple[CameraModel, Callable[..., Iterator[SequenceFrame]]]:
    """Return the camera of a kind of scene, and the function that renders its sequence."""
    check_kind(kind)
    if kind == 'rooms':
        return nyud_camera(size), render_walk
    return kitti_camera(size), partial(render_drive, kind=STREET_KINDS[kind])
