"""RGB-D sequences with camera poses: 7-Scenes and similar sets, and TUM."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import files
from hydranet_ros.training.data.reader import Frame, FrameReader
from hydranet_ros.training.data.source import DataSource

_RGBD_SCALE, _TUM_SCALE = 1000.0, 5000.0
# 7-Scenes and similar sets store this value for pixels without a measurement.
_NO_MEASUREMENT = 65535
# The default focal length of the TUM sequences, for use without their calibration.
TUM_FOCAL_LENGTH = 525.0
MAX_GAP = 0.02


def open_rgbd(source: DataSource) -> FrameReader:
    """
    Open ``NAME.color.{jpg,png}`` with ``NAME.depth.png`` (mm), in the root or its subfolders.

    The values 0 and 65535 are unknown. ``camera-intrinsics.txt`` (3x3) in the folder or the root
    gives the focal length.

    :raises DatasetError: if there is no image, or the intrinsics are malformed.
    """
    root = source.path
    frames = []
    for path in files.listed(root, '**/*.color.jpg', '**/*.color.png'):
        name = path.name.split('.color.')[0]
        frames.append(
            Frame(
                (path.parent.relative_to(root) / name).as_posix(), path,
                depth=path.with_name(f'{name}.depth.png'), focal_length=_intrinsics(path, root),
            )
        )  # fmt: skip
    return FrameReader(tuple(frames), depth_scale=_RGBD_SCALE, unknown_depth=(_NO_MEASUREMENT,))


def _intrinsics(image: Path, root: Path) -> float:
    """Return fx in pixels; 0 without a file."""
    for folder in (image.parent, root):
        path = folder / 'camera-intrinsics.txt'
        if path.is_file():
            return float(_matrix(path, (3, 3))[0, 0])
    return 0.0


def open_tum(source: DataSource) -> FrameReader:
    """
    Open a TUM sequence, or a folder of sequences, by ``rgb.txt`` and ``depth.txt``.

    Each image is paired with the depth image nearest in time within 20 ms, and each depth image is
    used once. Images without one are skipped. Meters are the stored value / 5000.

    :raises DatasetError: if a list is missing or malformed, or no pair is within 20 ms.
    """
    frames: list[Frame] = []
    for folder in _tum_folders(source.path):
        images, depths = (_stamped(folder / f'{name}.txt') for name in ('rgb', 'depth'))
        pairs = associate([stamp for stamp, _ in images], [stamp for stamp, _ in depths])
        if not pairs:
            raise DatasetError(
                f'{folder / "rgb.txt"}: no stamp is within {MAX_GAP} s of a stamp of depth.txt.'
            )
        for first, second in pairs:
            path = folder / images[first][1]
            frames.append(
                Frame(
                    _tum_name(source.path, path), path, depth=folder / depths[second][1],
                    focal_length=TUM_FOCAL_LENGTH,
                )
            )  # fmt: skip
    return FrameReader(tuple(frames), depth_scale=_TUM_SCALE)


def associate(first: Sequence[float], second: Sequence[float]) -> list[tuple[int, int]]:
    """
    Pair stamps in seconds that differ by at most :data:`MAX_GAP`, the nearest pairs first.

    :param second: ascending stamps.
    :returns: ascending pairs of indices; each index occurs at most once.
    """
    candidates = []
    for index, stamp in enumerate(first):
        middle = bisect_left(second, stamp)
        for other in range(max(0, middle - 2), min(len(second), middle + 2)):
            gap = abs(second[other] - stamp)
            if gap <= MAX_GAP:
                candidates.append((gap, index, other))
    left, right, pairs = set(), set(), []
    for _, index, other in sorted(candidates):
        if index not in left and other not in right:
            left.add(index)
            right.add(other)
            pairs.append((index, other))
    return sorted(pairs)


def read_poses(source: DataSource) -> dict[str, NDArray[np.float64]]:
    """
    Read the camera poses by sample name: (4, 4), camera to world, in meters.

    Sets of the kind ``rgbd`` have files ``NAME.pose.txt``. Sets of the kind ``tum`` use the line
    of ``groundtruth.txt`` nearest in time within 20 ms. Samples without a pose are skipped.

    :param source: a source whose root is an actual path.
    :raises DatasetError: if the kind has no poses, or a file is malformed.
    """
    if source.kind == 'rgbd':
        return _rgbd_poses(source.path)
    if source.kind == 'tum':
        return {
            name: pose for folder in _tum_folders(source.path)
            for name, pose in _tum_poses(source.path, folder).items()
        }  # fmt: skip
    raise DatasetError(f'Data set kind {source.kind} has no poses; allowed: rgbd, tum.')


def _rgbd_poses(root: Path) -> dict[str, NDArray[np.float64]]:
    poses = {}
    for path in files.listed(root, '**/*.pose.txt'):
        name = (path.parent.relative_to(root) / path.name.removesuffix('.pose.txt')).as_posix()
        poses[name] = _matrix(path, (4, 4))
    return poses


def _tum_poses(root: Path, folder: Path) -> dict[str, NDArray[np.float64]]:
    path = folder / 'groundtruth.txt'
    try:
        rows = np.array(
            [[float(item) for item in line.split()] for line in files.read_lines(path)]
        )
        if rows.ndim != 2 or rows.shape[1] != 8:
            raise ValueError(f'shape {rows.shape}')
    except ValueError as err:
        raise DatasetError(
            f'{path} is damaged ({err}); expected: stamp tx ty tz qx qy qz qw.'
        ) from err
    images = _stamped(folder / 'rgb.txt')
    stamps = rows[:, 0]
    poses = {}
    for stamp, name in images:
        nearest = int(np.abs(stamps - stamp).argmin())
        if abs(stamps[nearest] - stamp) <= MAX_GAP:
            poses[_tum_name(root, folder / name)] = _pose(rows[nearest, 1:])
    return poses


def _pose(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (4, 4) matrix of a row (tx, ty, tz, qx, qy, qz, qw)."""
    x, y, z, w = row[3:] / np.linalg.norm(row[3:])
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = row[:3]
    return pose


def _tum_folders(root: Path) -> list[Path]:
    if (root / 'rgb.txt').is_file():
        return [root]
    return [path.parent for path in files.listed(root, '*/rgb.txt')]


def _tum_name(root: Path, image: Path) -> str:
    return image.relative_to(root).with_suffix('').as_posix()


def _stamped(path: Path) -> list[tuple[float, str]]:
    """Return the (seconds, file) entries of a list, sorted by time."""
    rows = []
    for line in files.read_lines(path):
        stamp, _, name = line.partition(' ')
        try:
            rows.append((float(stamp), name.strip()))
        except ValueError as err:
            raise DatasetError(f'{path}: got {line!r}, expected a stamp and a file.') from err
        if not name.strip():
            raise DatasetError(f'{path}: got {line!r}, expected a stamp and a file.')
    return sorted(rows)


def _matrix(path: Path, shape: tuple[int, int]) -> NDArray[np.float64]:
    try:
        values = [float(item) for line in files.read_lines(path) for item in line.split()]
        return np.array(values).reshape(shape)
    except ValueError as err:
        raise DatasetError(f'{path} is damaged ({err}); expected {shape} numbers.') from err
