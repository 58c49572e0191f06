"""``hydranet play``: the player as a process."""

from __future__ import annotations

from pathlib import Path

import rclpy
from rclpy.node import Node

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import list_images, read_image
from hydranet_ros.images.video import VIDEO_SUFFIXES, VideoReader
from hydranet_ros.ros.allocator import keep_freed_memory
from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.play_options import PlayOptions
from hydranet_ros.ros.player import play_source
from hydranet_ros.ros.shutdown import begin_teardown, until_shutdown
from hydranet_ros.ros.signals import begin_running, handle_signals, shutdown_requested


def play_main(
    source: Path, *, rate: float, loop: bool, clock: float, fps: float, topic: str, pattern: str,
    frame_id: str, intrinsics: tuple[float, float, float, float] | None, wait: float,
    delay: float, subscribers: int, ros_args: list[str],
) -> None:  # fmt: skip
    """
    Play a source until its end or until shutdown, and print the number of messages by topic.

    The other parameters are those of :class:`~hydranet_ros.ros.play_options.PlayOptions`.

    :param intrinsics: fx, fy, cx, cy of images and videos, in pixels.
    :param ros_args: command line arguments of ROS.
    :raises HydranetError: if the source cannot be played, or only in part.
    """
    handle_signals()
    keep_freed_memory()
    apply_dds_profile()
    options = PlayOptions(
        rate=rate, loop=loop, clock=clock, fps=fps, topic=topic, pattern=pattern,
        frame_id=frame_id, camera=intrinsics and _camera(source, pattern, intrinsics), wait=wait,
        subscribers=subscribers, delay=delay,
    )  # fmt: skip
    node = None
    begin_running()
    try:
        with until_shutdown():
            rclpy.init(args=ros_args)
            if shutdown_requested():  # before rclpy handled signals
                return
            node = Node('hydranet_player')
            sent = play_source(node, source, options, rclpy.ok)
            for name, count in sorted(sent.items()):
                print(f'{count:6d} {name}')
    finally:
        begin_teardown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _camera(source: Path, pattern: str, values: tuple[float, float, float, float]) -> CameraModel:
    """Return the camera of images or a video; its size is that of the first image."""
    if source.suffix.lower() in VIDEO_SUFFIXES:
        with VideoReader(source) as video:
            frame = next(iter(video), None)
        if frame is None:
            raise MediaError(f'{source} has no frame.')
        image = frame.image
    else:
        image = read_image(list_images(source, pattern)[0] if source.is_dir() else source)
    return CameraModel(image.shape[1], image.shape[0], *values)
