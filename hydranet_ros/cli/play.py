"""``hydranet play``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydranet_ros.cli import options

CONTEXT_SETTINGS = options.PASS_THROUGH


def command(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help='rosbag2 (mcap or sqlite3), image, folder of images, or video.')
    ],
    rate: Annotated[
        float, typer.Option(min=0, help='Factor on the original speed; 0: without pauses.')
    ] = 1.0,
    loop: Annotated[bool, typer.Option(help='Start again at the end.')] = False,
    clock: Annotated[
        float, typer.Option(min=0, help='Rate of /clock, Hz; 0: do not publish it.')
    ] = 0.0,
    fps: Annotated[
        float,
        typer.Option(
            min=0, help='Frames per second of images and videos; 0: 10, or that of the video.'
        ),
    ] = 0.0,
    topic: Annotated[str, typer.Option(help='Topic of images and videos.')] = '/camera/image',
    pattern: Annotated[str, typer.Option(help='Pattern of the images of a folder.')] = '*',
    frame_id: Annotated[
        str, typer.Option(help='Frame of images and videos.')
    ] = 'camera_optical',
    intrinsics: options.IntrinsicsOption = '',
    wait: Annotated[
        float, typer.Option(min=0, help='Longest time to wait for subscribers, seconds.')
    ] = 0.0,
    subscribers: Annotated[
        int, typer.Option(min=1, help='Number of subscribers to wait for.')
    ] = 1,
    delay: Annotated[
        float, typer.Option(min=0, help='Time before the first message, seconds.')
    ] = 0.5,
) -> None:  # fmt: skip
    """Publish a bag, images or a video. A bag keeps its timing."""
    camera = options.parse_intrinsics(intrinsics)
    from hydranet_ros.ros.play import play_main

    play_main(
        source, rate=rate, loop=loop, clock=clock, fps=fps, topic=topic, pattern=pattern,
        frame_id=frame_id, intrinsics=camera, wait=wait,
        delay=delay, subscribers=subscribers, ros_args=context.args,
    )  # fmt: skip
