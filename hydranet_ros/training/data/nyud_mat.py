"""
The labeled frames of NYUDv2 in one MATLAB file (v7.3, which is HDF5).

MATLAB stores arrays in column-major order and HDF5 in row-major order: an H x W x N array of
MATLAB is (N, W, H) in HDF5, so that every frame must be transposed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, MissingDependencyError
from hydranet_ros.training.data.class_map import ClassMap
from hydranet_ros.training.data.files import read_mat
from hydranet_ros.training.data.nyud import FOCAL_LENGTH
from hydranet_ros.training.data.nyud_classes import nyud_map
from hydranet_ros.training.data.reader import Reader
from hydranet_ros.training.data.source import DataSource
from hydranet_ros.training.sample import Sample

if TYPE_CHECKING:
    import h5py

_FILE = 'nyu_depth_v2_labeled.mat'
_SPLITS = {'train': 'trainNdxs', 'test': 'testNdxs'}
_DEPTHS = {'raw': 'rawDepths', 'filled': 'depths'}


@dataclass(frozen=True)
class MatReader(Reader):
    """
    Frames of the labeled file, which is opened for each frame, so that any process can read.

    :param indices: indices of the frames, from 0.
    :param depth: name of the depth array.
    """

    path: Path
    indices: tuple[int, ...]
    depth: str
    classes: ClassMap

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Sample:
        """Read the image, labels and depth of a frame."""
        with _opened(self.path) as file:
            return self._sample(index, file, file['images'][self.indices[index]])

    def check(self, index: int) -> Sample:
        """Read labels and depth, but only the size of the image."""
        with _opened(self.path) as file:
            return self._sample(
                index, file, np.broadcast_to(np.uint8(0), file['images'].shape[1:])
            )

    def describe(self, index: int) -> str:
        """Return the file and the number of the frame, from 1 as in the data set."""
        return f'{self.path}, frame {self.indices[index] + 1}'

    def _sample(self, index: int, file: h5py.File, image: NDArray) -> Sample:
        frame = self.indices[index]
        ids = file['labels'][frame].T
        depth = np.ascontiguousarray(file[self.depth][frame].T, np.float32)
        return Sample(
            f'{frame + 1:06d}', np.ascontiguousarray(image.transpose(2, 1, 0)),
            self.classes.apply(ids, self.describe(index)), depth, focal_length=FOCAL_LENGTH,
        )  # fmt: skip


def open_nyud_mat(source: DataSource) -> MatReader:
    """
    Open ``nyu_depth_v2_labeled.mat``, or its folder, with ``splits.mat`` next to it.

    The variant ``raw`` (default) is the depth of the sensor, ``filled`` the inpainted depth. The
    split is ``train``, ``test`` or ``all``.

    :raises DatasetError: if a file or array is missing, or of another type or shape.
    """
    path = source.path / _FILE if source.path.is_dir() else source.path
    with _opened(path) as file:
        depth = _DEPTHS[source.variant or ('raw' if 'rawDepths' in file else 'filled')]
        count = _checked(file, path, depth)
        indices = _split(path.parent / 'splits.mat', source.split, count)
        classes = nyud_map(source.classes, path.parent, _names(file), source.merge)
    return MatReader(path, indices, depth, classes)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as err:
        raise MissingDependencyError(
            f'Reading {path} needs h5py: pip install "hydranet_ros[train]"'
        ) from err
    if not path.is_file():
        raise DatasetError(f'{path} is missing; expected the labeled part of NYUDv2.')
    try:
        with h5py.File(path, 'r') as file:
            yield file
    except OSError as err:
        raise DatasetError(f'{path} cannot be read as MATLAB v7.3 (HDF5): {err}') from err


def _checked(file: h5py.File, path: Path, depth: str) -> int:
    """Check the types and shapes of the arrays, and return the number of frames."""
    missing = [name for name in ('images', 'labels', depth) if name not in file]
    if missing:
        raise DatasetError(f'{path} does not have the arrays {missing}; it has: {sorted(file)}.')
    images, labels, depths = (file[name] for name in ('images', 'labels', depth))
    count, channels, *size = images.shape if images.ndim == 4 else (0, 0)
    if channels != 3 or images.dtype != np.uint8:
        raise DatasetError(
            f'{path}: images is {images.dtype} of shape {images.shape}; expected uint8 '
            '(N, 3, W, H), the HDF5 shape of an H x W x 3 x N array of MATLAB.'
        )
    for name, array, kinds in (('labels', labels, 'u'), (depth, depths, 'f')):
        if array.shape != (count, *size) or array.dtype.kind not in kinds:
            raise DatasetError(
                f'{path}: {name} is {array.dtype} of shape {array.shape}; expected '
                f'{"whole numbers" if kinds == "u" else "meters"} of shape {(count, *size)}.'
            )
    return int(count)


def _split(path: Path, split: str, count: int) -> tuple[int, ...]:
    """Return the indices of a split, from 0; the file counts from 1."""
    if split == 'all':
        return tuple(range(count))
    if split not in _SPLITS:
        raise DatasetError(f'{path}: no split {split!r}; allowed: train, test, all.')
    numbers = read_mat(path, _SPLITS[split]).astype(int)
    if not numbers.size or numbers.min() < 1 or numbers.max() > count:
        raise DatasetError(
            f'{path}: {_SPLITS[split]} has {numbers.size} frame numbers, some outside the '
            f'allowed range 1..{count}.'
        )
    return tuple(int(number) - 1 for number in numbers)


def _names(file: h5py.File) -> list[str]:
    """Return the names of the stored ids, from id 1; empty if the file has none."""
    if 'names' not in file:
        return []
    references = np.asarray(file['names']).ravel()
    return [''.join(chr(code) for code in np.asarray(file[ref]).ravel()) for ref in references]
