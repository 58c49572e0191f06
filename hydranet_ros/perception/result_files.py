"""Names, folders and formats of the files that ``hydranet predict`` writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.conventions import depth_to_millimeters
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import list_images, write_file, write_image
from hydranet_ros.perception.colormaps import Rgb, color_depth
from hydranet_ros.perception.pipeline import PerceptionResult
from hydranet_ros.perception.ply import write_ply


@dataclass(frozen=True)
class Job:
    """
    An image or video to process.

    :param folder: folder of its results.
    :param name: prefix of the file names of its results.
    """

    path: Path
    folder: Path
    name: str

    def result(self, suffix: str) -> Path:
        """Return the path of the result with this suffix, such as ``_mask.png``."""
        return self.folder / f'{self.name}{suffix}'


def list_inputs(path: Path) -> list[Path]:
    """
    Return the images of a folder, or the path itself if it is not a folder.

    :raises MediaError: if the folder has no image.
    """
    return list_images(path) if path.is_dir() else [path]


def plan_jobs(files: Iterable[Path], inputs: Sequence[Path], output: Path) -> Iterator[Job]:
    """
    Yield one job for each distinct file; no two jobs write the same results.

    Results keep the folder structure below the deepest folder that all inputs share: those of
    one folder are written directly to ``output``, those of ``day1`` and ``day2`` to
    ``output/day1`` and ``output/day2``. A result has the name of its file without the suffix, or
    with it if two files of a folder differ only in the suffix.

    :param files: images and videos.
    :param inputs: the files and folders that the user named.
    """
    by_path = {Path(os.path.abspath(path)): path for path in files}
    stems = Counter(absolute.with_suffix('') for absolute in by_path)
    shared = _shared_folder(inputs)
    for absolute, path in by_path.items():
        name = path.stem if stems[absolute.with_suffix('')] == 1 else path.name
        yield Job(path, output / absolute.parent.relative_to(shared), name)


def _shared_folder(inputs: Sequence[Path]) -> Path:
    folders = [path if path.is_dir() else path.parent for path in inputs]
    return Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))


def create_folder(folder: Path) -> None:
    """
    Create a folder and its parents if they do not exist.

    :raises MediaError: if it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise MediaError(f'{folder} cannot be created: {err.strerror or err}.') from err


def write_results(
    job: Job, image: Rgb, result: PerceptionResult, depth_range: tuple[float, float]
) -> None:
    """
    Write the results of one image.

    The files are ``NAME_mask.png`` (class ids), ``NAME_depth.png`` (uint16 millimeters, 0
    unknown), ``NAME_depth.npy`` (float32 meters, NaN unknown), ``NAME_overlay.png``,
    ``NAME_side.png`` (see :func:`side_by_side`) and ``NAME.ply``.

    :raises MediaError: if a file cannot be written.
    """
    create_folder(job.folder)
    if result.labels is not None:
        write_image(job.result('_mask.png'), result.labels)
    if result.overlay is not None:
        write_image(job.result('_overlay.png'), result.overlay)
    if result.depth is not None:
        write_image(job.result('_depth.png'), depth_to_millimeters(result.depth))
        write_file(job.result('_depth.npy'), _npy(result.depth))
    write_image(job.result('_side.png'), side_by_side(image, result, depth_range))
    if result.cloud is not None:
        write_ply(job.result('.ply'), result.cloud)


def _npy(values: NDArray) -> bytes:
    handle = BytesIO()
    np.save(handle, values)
    return handle.getvalue()


def side_by_side(image: Rgb, result: PerceptionResult, depth_range: tuple[float, float]) -> Rgb:
    """
    Return image, overlay and colored depth side by side, or in a column if the image is wide.

    :param image: (H, W, 3) uint8 RGB; wide means W > 2 H.
    :param depth_range: meters of the depth colors, nearest and farthest.
    """
    parts = [image]
    if result.overlay is not None:
        parts.append(result.overlay)
    if result.depth is not None:
        parts.append(color_depth(result.depth, depth_range))
    wide = image.shape[1] > 2 * image.shape[0]
    return np.vstack(parts) if wide else np.hstack(parts)
