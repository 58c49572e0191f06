"""Show the results of the demo: contact sheet, videos and tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from rich.console import Console
from rich.table import Table
from sensor_msgs.msg import CompressedImage

from hydranet_ros.bags.reader import BagReader
from hydranet_ros.images.files import write_image
from hydranet_ros.images.jpeg import decode_compressed
from hydranet_ros.images.video import GifWriter, VideoWriter
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.perception.contact_sheet import SheetRow, contact_sheet, video_frame
from hydranet_ros.ros.recorder import FrameImages, Recorder
from hydranet_ros.ros.stamps import serialized_stamp

_ROWS = 3
_DEFAULT_FPS = 5.0


def camera_images(
    source: Path, topic: str, stamps: Collection[int]
) -> dict[int, NDArray[np.uint8]]:
    """Return the compressed images of a bag that have one of the stamps, by stamp."""
    images = {}
    with BagReader(source) as reader:
        for message in reader.messages([topic]):
            stamp = serialized_stamp(message.data)
            if stamp in stamps:
                value = deserialize_message(message.data, CompressedImage)
                images[stamp] = decode_compressed(value.data)
    return images


def write_sheet(
    frames: Mapping[int, FrameImages], images: Mapping[int, NDArray[np.uint8]], path: Path,
    info: ModelInfo,
) -> None:  # fmt: skip
    """Write a contact sheet of frames that have a cloud, spread over the recording."""
    rows = [
        SheetRow(
            f't = {(stamp - next(iter(frames))) * 1e-9:.1f} s', images[stamp], frame.overlay,
            frame.depth, frame.cloud,
        )
        for stamp, frame in frames.items()
        if stamp in images
        and frame.overlay is not None and frame.depth is not None and frame.cloud is not None
    ]  # fmt: skip
    if rows:
        picks = np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).round().astype(int)
        sheet = contact_sheet([rows[pick] for pick in picks], info.classes, info.depth_range)
        write_image(path, sheet)


def write_videos(
    frames: Mapping[int, FrameImages], images: Mapping[int, NDArray[np.uint8]], output: Path
) -> None:
    """Write ``demo.mp4`` and ``demo.gif`` at the rate of the recording."""
    stamps = [stamp for stamp in frames if stamp in images]
    gaps = np.diff(stamps)
    fps = float(1e9 / np.median(gaps)) if gaps.size else _DEFAULT_FPS
    with (
        VideoWriter(output / 'demo.mp4', fps) as movie,
        GifWriter(output / 'demo.gif', fps) as gif,
    ):
        for stamp in stamps:
            frame = frames[stamp]
            assert frame.overlay is not None and frame.depth is not None
            image = video_frame(images[stamp], frame.overlay, frame.depth)
            movie.write(image)
            gif.write(image)


def print_tables(recorder: Recorder, received: int) -> None:
    """
    Print frame counts and the time of each stage.

    :param received: frames that the recorder received.
    """
    console = Console()
    table = Table(title='frames')
    counts = recorder.counts
    for name in ('in', 'out', 'dropped', 'failed'):
        table.add_column(name, justify='right')
    table.add_column('received', justify='right')
    names = ('frames_in', 'frames_out', 'frames_dropped', 'frames_failed')
    table.add_row(*(str(counts.get(name, '?')) for name in names), str(received))
    console.print(table)
    table = Table(title='milliseconds per frame')
    for name in ('stage', 'median', 'p95'):
        table.add_column(name, justify='left' if name == 'stage' else 'right')
    for name, values in recorder.stages.items():
        table.add_row(name, f'{np.median(values):.1f}', f'{np.percentile(values, 95):.1f}')
    console.print(table)
