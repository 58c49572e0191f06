"""Check every annotation of a data set before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.data.files import same_size
from hydranet_ros.training.data.reader import Reader
from hydranet_ros.training.sample import Sample, Samples

_SHOWN = 5


@dataclass(frozen=True)
class Contents:
    """
    The contents of a data set.

    :param images, labels, depth, normals: number of samples with each.
    :param class_pixels: (num_classes,) number of labeled pixels of each class.
    :param depth_range: (nearest, farthest) known depth in meters; zeros without depth.
    """

    images: int
    labels: int
    depth: int
    normals: int
    class_pixels: NDArray[np.int64]
    depth_range: tuple[float, float]


@dataclass(frozen=True)
class _Found:
    error: str = ''
    labels: bool = False
    depth: bool = False
    normals: bool = False
    pixels: NDArray[np.int64] | None = None
    depth_range: tuple[float, float] | None = None


def check_dataset(
    samples: Samples,
    num_classes: int,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> Contents:
    """
    Read every annotation once and report the errors of each file.

    :param num_classes: classes of the network; 0 without segmentation.
    :param progress: called with (done, total) after each sample.
    :param workers: number of threads; decoding releases the GIL.
    :raises DatasetError: naming up to five files with an error: a missing file, an id outside the
        class map or the classes, a depth image of the wrong type, unequal sizes. Also if there is
        no sample, or no annotation has a known pixel.
    """
    if not len(samples):
        raise DatasetError('The data set is empty; expected at least one image.')
    total = len(samples)
    found: list[_Found] = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        check = partial(_check_sample, samples, num_classes)
        for item in pool.map(check, range(total)):
            found.append(item)
            if progress is not None:
                progress(len(found), total)
    _raise_errors([item.error for item in found if item.error], total)
    return _summary(found, samples, num_classes)


def _check_sample(samples: Samples, num_classes: int, index: int) -> _Found:
    try:
        sample = samples.check(index) if isinstance(samples, Reader) else samples[index]
        where = samples.describe(index) if isinstance(samples, Reader) else sample.name
        for name, annotation in _annotations(sample):
            same_size(sample.image.shape[:2], annotation, f'{where} ({name})')
        return _Found(
            '', sample.labels is not None, sample.depth is not None, sample.normals is not None,
            _pixels(sample, num_classes, where), _depth_range(sample, where),
        )  # fmt: skip
    except DatasetError as err:
        return _Found(str(err))


def _annotations(sample: Sample) -> Iterator[tuple[str, NDArray]]:
    for name in ('labels', 'depth', 'normals'):
        annotation = getattr(sample, name)
        if annotation is not None:
            yield name, annotation


def _pixels(sample: Sample, num_classes: int, where: str) -> NDArray[np.int64] | None:
    if sample.labels is None:
        return None
    counts = np.bincount(sample.labels.ravel(), minlength=256)
    outside = [int(i) for i in np.flatnonzero(counts[num_classes:UNLABELED]) + num_classes]
    if outside and num_classes:
        raise DatasetError(
            f'{where} has the class ids {outside[:8]}; allowed: 0..{num_classes - 1} of the '
            f'{num_classes} classes, and {UNLABELED} for unlabeled. '
            'Choose a matching class map with classes=NAME.'
        )
    return counts[:num_classes]


def _depth_range(sample: Sample, where: str) -> tuple[float, float] | None:
    if sample.depth is None:
        return None
    if not np.isfinite(sample.depth).all() or (sample.depth < 0).any():
        raise DatasetError(f'{where}: depth must be 0 (unknown) or more, and finite.')
    known = sample.depth[sample.depth > 0]
    return (float(known.min()), float(known.max())) if known.size else None


def _raise_errors(errors: Sequence[str], total: int) -> None:
    if not errors:
        return
    more = f'\n... and {len(errors) - _SHOWN} more' if len(errors) > _SHOWN else ''
    head = '' if len(errors) == 1 else f'{len(errors)} of {total} samples have errors:\n'
    raise DatasetError(head + '\n'.join(errors[:_SHOWN]) + more)


def _summary(found: Sequence[_Found], samples: Samples, num_classes: int) -> Contents:
    pixels = [item.pixels for item in found if item.pixels is not None]
    ranges = [item.depth_range for item in found if item.depth_range is not None]
    contents = Contents(
        len(found), sum(item.labels for item in found), sum(item.depth for item in found),
        sum(item.normals for item in found),
        np.sum(pixels, axis=0, dtype=np.int64) if pixels else np.zeros(num_classes, np.int64),
        (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else (0.0, 0.0),
    )  # fmt: skip
    first = samples.describe(0) if isinstance(samples, Reader) else samples[0].name
    if contents.labels and num_classes and not contents.class_pixels.any():
        raise DatasetError(f'No label image has a labeled pixel; the first is {first}.')
    if contents.depth and not ranges:
        raise DatasetError(f'No depth image has a known pixel; the first is {first}.')
    return contents
