"""Cityscapes: labels, and depth computed from disparity and the camera file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import files
from hydranet_ros.training.data.calibration import cityscapes_camera
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.data.reader import Frame, FrameReader
from hydranet_ros.training.data.source import DataSource

_IMAGE, _SPLITS = '_leftImg8bit', ('train', 'val', 'test')
# Variant: (suffix of the label files, matching class map).
_LABELS = {
    'labelIds': ('_gtFine_labelIds', 'cityscapes_kitti6'),
    'labelTrainIds': ('_gtFine_labelTrainIds', 'cityscapes19_kitti6'),
}


@dataclass(frozen=True)
class CityscapesReader(FrameReader):
    """Frames with depth stored as disparity and a camera file for each frame."""

    def read_depth(self, frame: Frame, size: tuple[int, int]) -> NDArray[np.float32]:
        """
        Return depth in meters, (H, W) float32, 0 unknown.

        A stored value p > 0 means the disparity (p - 1) / 256, and depth is baseline · fx /
        disparity. Both p = 0 and the disparity 0 (p = 1, infinitely far) are unknown.
        """
        assert frame.depth is not None
        assert frame.calibration is not None
        camera = cityscapes_camera(frame.calibration)
        disparity = (files.read_uint16(frame.depth).astype(np.float32) - 1) / 256
        known = disparity > 0
        depth = np.zeros(disparity.shape, np.float32)
        np.divide(np.float32(camera.baseline * camera.fx), disparity, out=depth, where=known)
        return depth

    def read_focal_length(self, frame: Frame) -> float:
        """Return fx of the camera file; 0 without one."""
        return 0.0 if frame.calibration is None else cityscapes_camera(frame.calibration).fx


def open_cityscapes(source: DataSource) -> FrameReader:
    """
    Open ``leftImg8bit/<split>/CITY/*`` with the folders ``gtFine`` and ``disparity`` if present.

    Each present folder must be complete, and ``disparity`` needs ``camera``. The variant,
    ``labelIds`` (default) or ``labelTrainIds``, selects the label files and the class map.

    :raises DatasetError: if the split is unknown, or there is no image or no annotation.
    """
    if source.split not in _SPLITS:
        raise DatasetError(
            f'{source.root}: no split {source.split!r}; allowed: {", ".join(_SPLITS)}.'
        )
    root = source.path
    have = {
        name: (root / name / source.split).is_dir() for name in ('gtFine', 'disparity', 'camera')
    }
    if have['disparity'] and not have['camera']:
        raise DatasetError(
            f'{root / "camera" / source.split} is missing; depth is computed from disparity and '
            'the camera files.'
        )
    suffix, class_map = _LABELS[source.variant or 'labelIds']

    def annotation(image: Path, name: str, text: str) -> Path | None:
        stem = image.stem.removesuffix(_IMAGE)
        return root / name / source.split / image.parent.name / f'{stem}{text}'

    frames = tuple(
        Frame(
            path.stem.removesuffix(_IMAGE), path,
            annotation(path, 'gtFine', f'{suffix}.png') if have['gtFine'] else None,
            annotation(path, 'disparity', '_disparity.png') if have['disparity'] else None,
            calibration=annotation(path, 'camera', '_camera.json') if have['camera'] else None,
        )
        for path in files.listed(root / 'leftImg8bit' / source.split,
                                 f'*/*{_IMAGE}.png', f'*/*{_IMAGE}.jpg')
    )  # fmt: skip
    return CityscapesReader(frames, load_class_map(source.classes or class_map, source.merge))
