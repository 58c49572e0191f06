"""``hydranet play`` as a process: a ROS context, a node, a player, a clean end."""

from __future__ import annotations

from pathlib import Path

import rclpy
from rclpy.node import Node

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import VIDEOS, VideoReader, list_images, read_image
from hydranet_ros.ros.dds_profile import apply_dds_profile, keep_large_blocks
from hydranet_ros.ros.player import PlayOptions, play_source
from hydranet_ros.ros.shutdown import begin_teardown, until_told_to_end
from hydranet_ros.ros.signals import begin_running, handle_signals, shutdown_requested


def play_main(
    source: Path, *, rate: float, loop: bool, clock: float, fps: float, topic: str, pattern: str,
    frame_id: str, intrinsics: tuple[float, float, float, float] | None, wait: float,
    delay: float, subscribers: int, ros_args: list[str],
) -> None:  # fmt: skip
    """
    Play a source until its end or until told to stop, and say what was sent.

    :raises HydranetError: if the source cannot be played, or only in part.
    """
    handle_signals()
    keep_large_blocks()
    apply_dds_profile()
    camera = None
    if intrinsics is not None:
        camera = _camera(source, pattern, intrinsics)
    options = PlayOptions(
        rate=rate, loop=loop, clock=clock, fps=fps, pattern=pattern, topic=topic,
        frame_id=frame_id, camera=camera, wait=wait, delay=delay, subscribers=subscribers,
    )  # fmt: skip
    node = None
    begin_running()
    try:
        with until_told_to_end():
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
    """Return the camera of pictures or a video, whose size is that of the first picture."""
    if source.suffix.lower() in VIDEOS:
        with VideoReader(source) as video:
            frame = next(iter(video), None)
        if frame is None:
            raise MediaError(f'{source} holds no picture.')
        image = frame.image
    else:
        image = read_image(list_images(source, pattern)[0] if source.is_dir() else source)
    return CameraModel(image.shape[1], image.shape[0], *values)
