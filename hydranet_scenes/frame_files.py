"""The files of one frame of a data set: image, labels and depth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.files import write_atomically
from hydranet_scenes.rendering.renderer import RenderedFrame

# Depth files hold meters times this factor.
DEPTH_SCALE = 256


@dataclass(frozen=True)
class FrameRecord:
    """
    One frame of the manifest.

    :param name: file name without its suffix.
    :param fx: focal length (fx = fy) in pixels.
    :param pose: the fields of a :class:`~hydranet_scenes.rendering.pose.Pose`.
    """

    name: str
    fx: float
    pose: dict[str, float]


def frame_paths(out: Path, name: str) -> list[Path]:
    """Return the paths of a frame's image, labels and depth."""
    return [out / f'{name}{suffix}' for suffix in ('.jpg', '.labels.png', '.depth.png')]


def is_complete(out: Path, name: str) -> bool:
    """Return whether all files of a frame exist."""
    return all(path.is_file() for path in frame_paths(out, name))


def write_frame(
    out: Path, name: str, frame: RenderedFrame, image: NDArray[np.uint8], *, quality: int = 92
) -> None:
    """
    Write the three files of a frame, each of them atomically.

    :param frame: its labels and depth are written, its image is not.
    :param image: (H, W, 3) uint8 RGB.
    :param quality: JPEG quality, 0..100.
    """
    depth = np.nan_to_num(frame.depth, nan=0.0) * DEPTH_SCALE
    arrays: tuple[tuple[NDArray, str, list[int]], ...] = (
        (cv2.cvtColor(image, cv2.COLOR_RGB2BGR), '.jpg', [cv2.IMWRITE_JPEG_QUALITY, quality]),
        (frame.labels, '.png', []),
        (np.where(depth < 65535, np.rint(depth), 0).astype(np.uint16), '.png', []),
    )
    for path, (array, kind, options) in zip(frame_paths(out, name), arrays):
        done, data = cv2.imencode(kind, array, options)
        assert done
        write_atomically(path, data.tobytes())
