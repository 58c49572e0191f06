"""KITTI: semantics, annotated depth, and raw drives with Velodyne scans."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import files
from hydranet_ros.training.data.calibration import kitti_matrix, velodyne_to_image
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.data.nyud import bts_line
from hydranet_ros.training.data.reader import Frame, FrameReader
from hydranet_ros.training.data.source import DataSource

CAMERAS = ('image_02', 'image_03')
# Stored depth per meter of annotated depth; the paper's authors use 800 in their files.
DEPTH_SCALE = 256.0
_CAMERA = re.compile(r'^image_0?([23])$')
_SCAN_BYTES = 16


@dataclass(frozen=True)
class KittiReader(FrameReader):
    """Frames with the focal length in the calibration file of their day."""

    def read_focal_length(self, frame: Frame) -> float:
        """Return fx of the rectified camera, from ``P_rect``."""
        if frame.calibration is None:
            return 0.0
        key = f'P_rect_{_camera(frame.image)}'
        return float(kitti_matrix(frame.calibration, key, (3, 4))[0, 0])


@dataclass(frozen=True)
class VelodyneReader(KittiReader):
    """
    Frames with sparse depth from a Velodyne scan; each pixel takes its nearest point.

    :param eigen: follow the protocol of the Eigen test split: distance along the forward axis of
        the Velodyne instead of the optical axis, and pixels counted from 1.
    """

    eigen: bool = False

    def read_depth(self, frame: Frame, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return depth in meters, (H, W) float32, 0 without a point."""
        assert frame.depth is not None
        assert frame.calibration is not None
        matrix = velodyne_to_image(frame.calibration.parent, _camera(frame.image))
        return project(read_scan(frame.depth), matrix, size, eigen=self.eigen)


def read_scan(path: Path) -> NDArray[np.float32]:
    """
    Read the points of a scan, (N, 3) float32 meters: x forward, y left, z up.

    :raises DatasetError: if the file is missing, empty or truncated.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise DatasetError(f'{path} cannot be read: {err}') from err
    if not data or len(data) % _SCAN_BYTES:
        raise DatasetError(f'{path} has {len(data)} bytes; expected {_SCAN_BYTES} for each point.')
    return np.frombuffer(data, '<f4').reshape(-1, 4)[:, :3]


def project(
    points: NDArray[np.float32], matrix: NDArray, size: tuple[int, int], *, eigen: bool = False
) -> NDArray[np.float32]:
    """
    Project points (N, 3) to a depth image, (H, W) float32 meters, 0 without a point.

    :param matrix: (3, 4), see :func:`~hydranet_ros.training.data.calibration.velodyne_to_image`.
    :param size: (height, width) of the image.
    :param eigen: see :class:`VelodyneReader`.
    """
    if eigen:
        points = points[points[:, 0] >= 0]
    across, down, depth = matrix[:, :3] @ points.T.astype(np.float64) + matrix[:, 3:]
    ahead = depth > 0
    column, row = (
        np.rint(axis[ahead] / depth[ahead]).astype(np.int64) - eigen for axis in (across, down)
    )
    distance = points[ahead, 0] if eigen else depth[ahead]
    inside = (column >= 0) & (row >= 0) & (column < size[1]) & (row < size[0])
    column, row, distance = column[inside], row[inside], distance[inside]
    image = np.zeros(size, np.float32)
    far_first = np.argsort(-distance, kind='stable')
    image[row[far_first], column[far_first]] = distance[far_first]
    return image


def open_kitti_semantics(source: DataSource) -> FrameReader:
    """
    Open ``training/image_2/NNNNNN_10.png`` with ``training/semantic/NNNNNN_10.png`` (labelIds).

    The split is ``train`` (all), ``test`` (no labels), or the name of a file that lists stems.
    The set has no calibration. If ``training/calib_cam_to_cam`` of the stereo benchmark is
    present, it gives the focal length.

    :raises DatasetError: if a folder is missing.
    """
    folder = source.path / ('testing' if source.split == 'test' else 'training')
    images = {path.stem: path for path in files.listed(folder / 'image_2', '*_10.png')}
    if source.split.endswith('.txt'):
        stems = files.read_lines(source.path / source.split)
        images = {stem: folder / 'image_2' / f'{stem}.png' for stem in stems}
    elif source.split not in ('train', 'test'):
        raise DatasetError(
            f'{source.root}: no split {source.split!r}; allowed: train, test, or a file that '
            'lists stems such as 000007_10.'
        )
    frames = tuple(
        Frame(
            stem, path, None if source.split == 'test' else folder / 'semantic' / f'{stem}.png',
            calibration=_existing(folder / 'calib_cam_to_cam' / f'{stem.partition("_")[0]}.txt'),
        )
        for stem, path in images.items()
    )  # fmt: skip
    return KittiReader(frames, load_class_map(source.classes, source.merge))


def open_kitti_depth(source: DataSource) -> FrameReader:
    """
    Open ``[train|val/]DRIVE/proj_depth/groundtruth/image_0{2,3}/N.png``, meters = value / 256.

    Images and calibration come from the raw data in the folder ``images`` (default: the root).
    The split is ``train``, ``val``, or a list file of BTS. Without the folders ``train`` and
    ``val``, only the split ``train`` exists.

    :raises DatasetError: if no depth image is found, or the list is malformed.
    """
    raw = Path(source.images or source.root)
    if source.split.endswith('.txt'):
        return KittiReader(tuple(_listed_depth(source, raw)), depth_scale=DEPTH_SCALE)
    base = source.path / source.split
    if not base.is_dir() and source.split == 'train':
        base = source.path
    cameras = (source.variant,) if source.variant else CAMERAS
    patterns = [f'*_sync/proj_depth/groundtruth/{camera}/*.png' for camera in cameras]
    frames, folders = [], _Folders()
    for path in files.listed(base, *patterns):
        drive, camera = path.parents[3].name, path.parent.name
        image = folders.image(raw / drive[:10] / drive / camera / 'data', path.stem)
        frames.append(_frame(image, path))
    return KittiReader(tuple(frames), depth_scale=DEPTH_SCALE)


def _listed_depth(source: DataSource, raw: Path) -> Iterable[Frame]:
    path, folders = source.path / source.split, _Folders()
    for number, line in enumerate(files.read_lines(path), 1):
        image, depth, _ = bts_line(line, f'{path}, entry {number}')
        candidates = [source.path / level / depth for level in ('', 'train', 'val')]
        found = next((path for path in candidates if path.is_file()), candidates[0])
        listed = raw / image
        yield _frame(folders.image(listed.parent, listed.stem), found if depth else None)


def open_kitti_raw(source: DataSource) -> FrameReader:
    """
    Open ``DATE/DRIVE/image_0{2,3}/data/N.{png,jpg}`` with ``velodyne_points/data/N.bin``.

    A frame without a scan has no depth; some drives have gaps. The split is ``train`` (all), or
    the name of a list file with lines such as ``DATE/DRIVE N l`` (or ``r``) or
    ``DATE/DRIVE/image_02/data/N.png``. The variant is ``image_02``, ``image_03`` or ``eigen``
    (image_02, see :class:`VelodyneReader`).

    :raises DatasetError: if no image is found, a drive has no scan, or a list is malformed.
    """
    eigen, folders = source.variant == 'eigen', _Folders()
    cameras = CAMERAS if not source.variant else ('image_02' if eigen else source.variant,)
    if source.split.endswith('.txt'):
        path = source.path / source.split
        lines = files.read_lines(path)
        images = [_listed_image(source.path, line, path, folders) for line in lines]
    elif source.split == 'train':
        patterns = [f'*/*_sync/{camera}/data/*' for camera in cameras]
        found = files.listed(source.path, *patterns)
        images = [path for path in found if path.suffix in files.IMAGE_SUFFIXES]
    else:
        raise DatasetError(
            f'{source.root}: no split {source.split!r}; allowed: train for all, or a list file.'
        )
    return VelodyneReader(tuple(_frame(path, folders.scan(path)) for path in images), eigen=eigen)


def _listed_image(root: Path, line: str, where: Path, folders: _Folders) -> Path:
    columns = line.split()
    if len(columns) == 3 and columns[1].isdigit() and columns[2] in 'lr':
        camera = CAMERAS['lr'.index(columns[2])]
        return folders.image(root / columns[0] / camera / 'data', f'{int(columns[1]):010d}')
    path = root / columns[0].lstrip('/')
    if len(path.parts) < 5 or not _CAMERA.match(path.parent.parent.name):
        raise DatasetError(
            f'{where}: got {line!r}, expected DATE/DRIVE N l, or DATE/DRIVE/image_02/data/N.png.'
        )
    return folders.image(path.parent, path.stem)


class _Folders:
    """A cache of folder listings: drives have thousands of frames."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def names(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder; none if it is missing."""
        if folder not in self._names:
            there = folder.iterdir() if folder.is_dir() else ()
            self._names[folder] = frozenset(path.name for path in there)
        return self._names[folder]

    def image(self, folder: Path, stem: str) -> Path:
        """Return the image of a stem: .png in the raw data, .jpg in converted data."""
        names = self.names(folder)
        suffix = '.jpg' if f'{stem}.jpg' in names and f'{stem}.png' not in names else '.png'
        return folder / f'{stem}{suffix}'

    def scan(self, image: Path) -> Path | None:
        """
        Return the scan of an image; ``None`` in a gap of its drive.

        :raises DatasetError: if the drive has no scan.
        """
        folder = image.parents[2] / 'velodyne_points' / 'data'
        names = self.names(folder)
        if not any(name.endswith('.bin') for name in names):
            raise DatasetError(f'{folder} has no *.bin: the drive has no Velodyne scan.')
        return folder / f'{image.stem}.bin' if f'{image.stem}.bin' in names else None


def _frame(image: Path, depth: Path | None) -> Frame:
    """Return the frame of an image in the raw data."""
    day = image.parents[3]
    name = image.relative_to(day).with_suffix('').as_posix().replace('/data/', '/')
    return Frame(name, image, depth=depth, calibration=day / 'calib_cam_to_cam.txt')


def _camera(image: Path) -> str:
    """Return the camera in a path: ``02``, the default, or ``03``."""
    found = next((m for part in reversed(image.parts) if (m := _CAMERA.match(part))), None)
    return f'0{found[1]}' if found else '02'


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
