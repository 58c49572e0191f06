"""
Data sets that read their samples on access.

A reader is a small frozen object: ``len()`` reads no file, ``[i]`` reads one sample, and pickling
sends it to the worker processes of a data loader.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.data import files
from hydranet_ros.training.data.class_map import ClassMap
from hydranet_ros.training.sample import Sample


class Reader(Sequence[Sample]):
    """A data set; subclasses implement ``__len__`` and :meth:`read`."""

    @abstractmethod
    def read(self, index: int) -> Sample:
        """Read sample ``index``, 0 to ``len(self) - 1``."""

    def check(self, index: int) -> Sample:
        """Read all annotations of sample ``index``; of its image only the shape is valid."""
        return self.read(index)

    def describe(self, index: int) -> str:
        """Return a name of sample ``index`` for messages, preferably a file."""
        return self.read(index).name

    def image_path(self, index: int) -> Path | None:
        """Return the image file of sample ``index``; ``None`` without a file of its own."""
        return None

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return Picked(self, tuple(range(len(self))[index]))
        return self.read(range(len(self))[index])


@dataclass(frozen=True)
class Picked(Reader):
    """A selection of the samples of another reader."""

    samples: Reader
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> Sample:
        """Read the selected sample."""
        return self.samples.read(self.indices[index])

    def check(self, index: int) -> Sample:
        """Check the selected sample."""
        return self.samples.check(self.indices[index])

    def describe(self, index: int) -> str:
        """Describe the selected sample."""
        return self.samples.describe(self.indices[index])

    def image_path(self, index: int) -> Path | None:
        """Return the image file of the selected sample."""
        return self.samples.image_path(self.indices[index])


@dataclass(frozen=True)
class _Wrapper(Reader):
    """Base of readers that change the samples of another reader."""

    samples: Reader

    def __len__(self) -> int:
        return len(self.samples)

    def describe(self, index: int) -> str:
        """Describe the sample."""
        return self.samples.describe(index)

    def image_path(self, index: int) -> Path | None:
        """Return the image file."""
        return self.samples.image_path(index)


@dataclass(frozen=True)
class Refocused(_Wrapper):
    """The samples of another reader with another focal length, in pixels."""

    focal_length: float

    def read(self, index: int) -> Sample:
        """Read the sample."""
        return replace(self.samples.read(index), focal_length=self.focal_length)

    def check(self, index: int) -> Sample:
        """Check the sample."""
        return replace(self.samples.check(index), focal_length=self.focal_length)


@dataclass(frozen=True)
class Cached(_Wrapper):
    """The samples of another reader, decoded once and kept; a pickled copy starts empty."""

    _kept: dict[int, Sample] = field(default_factory=dict, compare=False, repr=False)

    def read(self, index: int) -> Sample:
        """Return the sample; concurrent first accesses may decode it more than once."""
        found = self._kept.get(index)
        return found or self._kept.setdefault(index, self.samples.read(index))

    def check(self, index: int) -> Sample:
        """Read the complete sample, so that it is in the cache."""
        return self.read(index)

    def __reduce__(self) -> tuple[type[Cached], tuple[Reader]]:
        return Cached, (self.samples,)


@dataclass(frozen=True)
class Frame:
    """
    The files of one sample.

    :param focal_length: pixels; 0 if unknown or in ``calibration``.
    :param calibration: camera file for subclasses of :class:`FrameReader`.
    """

    name: str
    image: Path
    labels: Path | None = None
    depth: Path | None = None
    normals: Path | None = None
    focal_length: float = 0.0
    calibration: Path | None = None


@dataclass(frozen=True)
class FrameReader(Reader):
    """
    Samples with the image and each annotation in a separate file.

    Subclasses override the decoding of an annotation.

    :param classes: map of the stored ids; ``None`` if they are the class ids.
    :param depth_scale: stored value per meter.
    :param unknown_depth: stored values besides 0 that mean unknown.
    """

    frames: tuple[Frame, ...]
    classes: ClassMap | None = None
    depth_scale: float = 1.0
    unknown_depth: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, index: int) -> Sample:
        """Read the image and all annotations of a frame."""
        frame = self.frames[index]
        return self._annotated(frame, files.read_image(frame.image))

    def check(self, index: int) -> Sample:
        """Read all annotations, but only the size of the image."""
        frame = self.frames[index]
        blank = np.broadcast_to(np.uint8(0), (*files.image_size(frame.image), 3))
        return self._annotated(frame, blank)

    def describe(self, index: int) -> str:
        """Return the paths of the annotations, or that of the image if there is none."""
        frame = self.frames[index]
        given = [item for item in (frame.labels, frame.depth, frame.normals) if item is not None]
        return ', '.join(str(item) for item in given or [frame.image])

    def image_path(self, index: int) -> Path:
        """Return the image file."""
        return self.frames[index].image

    def _annotated(self, frame: Frame, image: NDArray[np.uint8]) -> Sample:
        size = image.shape[:2]
        labels = None if frame.labels is None else self.read_labels(frame.labels)
        files.same_size(size, labels, frame.labels)
        depth = None if frame.depth is None else self.read_depth(frame, size)
        files.same_size(size, depth, frame.depth)
        normals = None if frame.normals is None else files.read_normals(frame.normals)
        files.same_size(size, normals, frame.normals)
        focal_length = frame.focal_length or self.read_focal_length(frame)
        return Sample(frame.name, image, labels, depth, normals, focal_length)

    def read_labels(self, path: Path) -> NDArray[np.uint8]:
        """Read class ids, (H, W) uint8, 255 unlabeled."""
        ids = files.read_ids(path)
        return ids.astype(np.uint8) if self.classes is None else self.classes.apply(ids, path)

    def read_depth(self, frame: Frame, size: tuple[int, int]) -> NDArray[np.float32]:
        """
        Read depth in meters, (H, W) float32, 0 unknown.

        :param size: (height, width) of the image, for annotations without a size, such as points.
        """
        assert frame.depth is not None
        raw = files.read_uint16(frame.depth)
        depth = raw.astype(np.float32) / np.float32(self.depth_scale)
        for value in self.unknown_depth:
            depth[raw == value] = 0
        return depth

    def read_focal_length(self, frame: Frame) -> float:
        """Read the focal length in pixels from the calibration file; 0 if unknown."""
        return 0.0
