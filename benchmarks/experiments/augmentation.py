"""
Time of a random view, and of each corruption of the adverse set, on one core.

Prints the tables of ``docs/augmentation.md``, or draws all corruptions of an image::

    python -m benchmarks.experiments.augmentation
    python -m benchmarks.experiments.augmentation --image street.jpg --sheet adverse.png

Where albumentations is installed, its transforms for the same purpose are measured, too.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    markdown_table,
    write_json,
)
from hydranet_ros.errors import BenchError
from hydranet_ros.training.adverse import CORRUPTIONS, SEVERITIES, corrupt
from hydranet_ros.training.augmentation import AugmentationConfig, augment
from hydranet_ros.training.sample import Sample

NAME = 'augmentation'
SIZES = ((224, 352), (360, 480), (370, 1226))
CROP = (224, 352)
_SAMPLE_SIZE = (480, 360)
_TRAINING_FOCAL_LENGTH = 721.5

Table = dict[str, dict[str, float]]
"""Milliseconds by row and column."""


def milliseconds(call: Callable[[int], object], repeats: int) -> float:
    """
    Return the mean CPU time of ``call(i)`` over ``repeats`` calls, after a warm-up.

    CPU time of this process is hardly affected by other work of the machine.
    """
    for index in range(repeats // 10 + 1):
        call(index)
    begin = time.process_time()
    for index in range(repeats):
        call(index)
    return (time.process_time() - begin) * 1000 / repeats


def synthetic_street(height: int = 360, width: int = 480) -> NDArray[np.uint8]:
    """Return an image with sky, buildings, road and noise."""
    rng = np.random.default_rng(0)
    image = np.full((height, width, 3), (150, 165, 185), np.uint8)
    image[height // 5 :, : width // 3] = (120, 85, 65)
    image[height // 5 :, -width // 3 :] = (90, 110, 70)
    image[height // 2 :] = (80, 82, 85)
    return cv2.add(image, rng.integers(0, 30, image.shape, np.uint8))


def corruption_times(image: NDArray[np.uint8], repeats: int) -> Table:
    """Return the mean time of each corruption over all severities, at each size."""

    def call(name: str, resized: NDArray[np.uint8], index: int) -> None:
        severity = SEVERITIES[index % len(SEVERITIES)]
        corrupt(resized, name, severity, np.random.default_rng(index))

    resized = {f'{w}x{h}': cv2.resize(image, (w, h)) for h, w in SIZES}
    return {
        name: {
            size: milliseconds(partial(call, name, pixels), repeats)
            for size, pixels in resized.items()
        }
        for name in CORRUPTIONS
    }


def view_times(image: NDArray[np.uint8], repeats: int) -> Table:
    """Return the time of a random view of a 480x360 sample with labels and depth."""
    rng = np.random.default_rng(0)
    image = cv2.resize(image, _SAMPLE_SIZE)
    labels = rng.integers(0, 6, image.shape[:2], np.uint8)
    depth = rng.uniform(2, 80, image.shape[:2]).astype(np.float32)
    normals = rng.standard_normal(image.shape, np.float32)
    plain = Sample('plain', image, labels, depth, focal_length=460.0)
    with_normals = Sample('normals', image, labels, depth, normals, focal_length=460.0)
    rows = {
        'geometry only': (plain, AugmentationConfig(CROP, photometric=0)),
        'with light and color': (plain, AugmentationConfig(CROP)),
        'with 33 % corruptions': (plain, AugmentationConfig(CROP, adverse=0.33)),
        'with normals': (with_normals, AugmentationConfig(CROP, adverse=0.33)),
    }

    def call(sample: Sample, config: AugmentationConfig, index: int) -> None:
        augment(sample, rng, config, _TRAINING_FOCAL_LENGTH)

    return {
        name: {'ms': milliseconds(partial(call, *arguments), 4 * repeats)}
        for name, arguments in rows.items()
    }


def albumentations_times(image: NDArray[np.uint8], repeats: int) -> Table:
    """Return the time to create and to apply transforms of albumentations; empty without it."""
    if importlib.util.find_spec('albumentations') is None:
        return {}
    os.environ['NO_ALBUMENTATIONS_UPDATE'] = '1'
    import albumentations as library

    image = cv2.resize(image, _SAMPLE_SIZE)
    transforms: dict[str, Callable[[], Callable]] = {
        'RandomRain': partial(library.RandomRain, p=1),
        'RandomSnow bleach': partial(library.RandomSnow, p=1),
        'RandomSnow texture': partial(library.RandomSnow, method='texture', p=1),
        'RandomSunFlare overlay': partial(library.RandomSunFlare, src_radius=100, p=1),
        'RandomSunFlare physics_based': partial(
            library.RandomSunFlare, src_radius=100, method='physics_based', p=1
        ),
        'RandomFog': partial(library.RandomFog, p=1),
        'MotionBlur': partial(library.MotionBlur, blur_limit=(13, 13), p=1),
    }

    def create(factory: Callable[[], Callable], index: int) -> None:
        factory()

    def apply(transform: Callable, index: int) -> None:
        transform(image=image)

    return {
        name: {
            'create, ms': milliseconds(partial(create, factory), 10),
            'apply, ms': milliseconds(partial(apply, factory()), repeats),
        }
        for name, factory in transforms.items()
    }


def as_markdown(title: str, found: Table) -> str:
    """Return milliseconds as a Markdown table; empty without rows."""
    if not found:
        return ''
    columns = list(next(iter(found.values())))
    rows = [(name, *(f'{row[column]:.1f}' for column in columns)) for name, row in found.items()]
    return markdown_table((title, *columns), rows)


def write_sheet(image: NDArray[np.uint8], path: Path) -> None:
    """
    Write all corruptions (rows) at severities 1, 3 and 5 (columns).

    :raises BenchError: if the file cannot be written.
    """
    rows = []
    for name in CORRUPTIONS:
        tiles = [corrupt(image, name, s, np.random.default_rng(s)) for s in (1, 3, 5)]
        cv2.putText(tiles[0], name, (8, 20), 0, 0.6, (255, 255, 0), 1, cv2.LINE_AA)
        rows.append(np.hstack(tiles))
    if not cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise BenchError(f'{path} cannot be written.')
    print(f'{path}: {", ".join(CORRUPTIONS)} from top to bottom, severities 1, 3, 5')


def read_image(path: Path) -> NDArray[np.uint8]:
    """
    Return an image as (H, W, 3) uint8 RGB.

    :raises BenchError: if it cannot be read.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise BenchError(f'{path} cannot be read as an image.')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or write the sheet."""
    parser = argument_parser(__doc__, NAME)
    parser.add_argument('--image', type=Path, help='photograph instead of a synthetic street')
    parser.add_argument('--sheet', type=Path, help='only write an image of all corruptions here')
    parser.add_argument('--repeats', type=int, default=100, help='calls of each measurement')
    parser.add_argument('--threads', type=int, default=1, help='threads of OpenCV')
    given = parser.parse_args(arguments)
    cv2.setNumThreads(given.threads)
    with exit_on_error(NAME):
        image = read_image(given.image) if given.image else synthetic_street()
        if given.sheet:
            write_sheet(image, given.sheet)
            return
        tables = {
            f'view of {CROP[1]}x{CROP[0]} from 480x360': view_times(image, given.repeats),
            'corruption, ms': corruption_times(image, given.repeats),
            'albumentations': albumentations_times(image, given.repeats),
        }
    print('\n\n'.join(filter(None, (as_markdown(*item) for item in tables.items()))))
    write_json(tables, given.json)


if __name__ == '__main__':
    main()
