"""Cityscapes: labels, and depth from disparity through the camera file."""

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
# Variant to the ending of the label files, and the class map that fits it.
_LABELS = {
    'labelIds': ('_gtFine_labelIds', 'cityscapes_kitti6'),
    'labelTrainIds': ('_gtFine_labelTrainIds', 'cityscapes19_kitti6'),
}


@dataclass(frozen=True)
class CityscapesReader(FrameReader):
    """Frames whose depth is a disparity and whose camera is a file of each frame."""

    def read_depth(self, frame: Frame, size: tuple[int, int]) -> NDArray[np.float32]:
        """
        Return metres, (H, W) float32, 0 unknown.

        A stored p > 0 is the disparity (p - 1) / 256; the depth is baseline · fx / disparity.
        Both p = 0 and the disparity 0 (p = 1, which is infinitely far) are unknown.
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
        """Return fx of the camera file, 0 without one."""
        return 0.0 if frame.calibration is None else cityscapes_camera(frame.calibration).fx


def open_cityscapes(source: DataSource) -> FrameReader:
    """
    Open ``leftImg8bit/<split>/CITY/*`` with what there is of ``gtFine`` and ``disparity``.

    A folder that is there has to be whole; disparity needs ``camera``. The variant labelIds
    (default) or labelTrainIds says which label files are read, each with the map that fits.

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
            f'{root / "camera" / source.split} is missing: without it the disparity is no depth.'
        )
    ending, fitting = _LABELS[source.variant or 'labelIds']

    def beside(image: Path, name: str, text: str) -> Path | None:
        stem = image.stem.removesuffix(_IMAGE)
        return root / name / source.split / image.parent.name / f'{stem}{text}'

    frames = tuple(
        Frame(
            path.stem.removesuffix(_IMAGE), path,
            beside(path, 'gtFine', f'{ending}.png') if have['gtFine'] else None,
            beside(path, 'disparity', '_disparity.png') if have['disparity'] else None,
            calibration=beside(path, 'camera', '_camera.json') if have['camera'] else None,
        )
        for path in files.listed(root / 'leftImg8bit' / source.split,
                                 f'*/*{_IMAGE}.png', f'*/*{_IMAGE}.jpg')
    )  # fmt: skip
    return CityscapesReader(frames, load_class_map(source.classes or fitting, source.merge))
