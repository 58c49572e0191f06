"""
What a random view costs, and each corruption of the adverse set, on one core.

Prints the tables of ``docs/augmentation.md``, and draws all corruptions of a picture::

    python -m benchmarks.experiments.augmentation
    python -m benchmarks.experiments.augmentation --image street.jpg --sheet adverse.png

Where albumentations is installed, what it offers for the same purpose is measured beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.training.adverse import CORRUPTIONS, SEVERITIES, corrupt
from hydranet_ros.training.augmentation import AugmentationConfig, augment
from hydranet_ros.training.sample import Sample

SIZES = ((224, 352), (360, 480), (370, 1226))
CROP = (224, 352)


def milliseconds(work: Callable[[int], object], repeats: int) -> float:
    """
    Return the mean time of ``work(i)`` over ``repeats`` calls, after a tenth to warm up.

    The processor's time of this process, so that other work on the machine hardly matters.
    """
    for index in range(repeats // 10 + 1):
        work(index)
    begin = time.process_time()
    for index in range(repeats):
        work(index)
    return (time.process_time() - begin) * 1000 / repeats


def drawn_street(height: int = 360, width: int = 480) -> NDArray[np.uint8]:
    """Return a picture with sky, fronts, road and texture, for want of a photograph."""
    rng = np.random.default_rng(0)
    image = np.full((height, width, 3), (150, 165, 185), np.uint8)
    image[height // 5 :, : width // 3] = (120, 85, 65)
    image[height // 5 :, -width // 3 :] = (90, 110, 70)
    image[height // 2 :] = (80, 82, 85)
    return cv2.add(image, rng.integers(0, 30, image.shape, np.uint8))


def corruptions(image: NDArray[np.uint8], repeats: int) -> None:
    """Print the mean over the severities, at each size."""
    print('\n| corruption | ' + ' | '.join(f'{w}x{h}' for h, w in SIZES) + ' |')
    print('|---|' + '---|' * len(SIZES))
    for name in CORRUPTIONS:
        cells = []
        for height, width in SIZES:
            sized = cv2.resize(image, (width, height))
            cells.append(milliseconds(
                lambda i, s=sized, n=name: corrupt(  # type: ignore[misc]
                    s, n, SEVERITIES[i % len(SEVERITIES)], np.random.default_rng(i)
                ),
                repeats,
            ))  # fmt: skip
        print(f'| {name} | ' + ' | '.join(f'{cell:.1f}' for cell in cells) + ' |')


def views(image: NDArray[np.uint8], repeats: int) -> None:
    """Print what a view of a 480x360 sample with labels and depth costs."""
    rng = np.random.default_rng(0)
    image = cv2.resize(image, (480, 360))
    labels = rng.integers(0, 6, image.shape[:2], np.uint8)
    depth = rng.uniform(2, 80, image.shape[:2]).astype(np.float32)
    normals = rng.standard_normal(image.shape, np.float32)
    plain = Sample('plain', image, labels, depth, focal_length=460.0)
    faced = Sample('faced', image, labels, depth, normals, focal_length=460.0)
    rows = (
        ('geometry alone', plain, AugmentationConfig(CROP, photometric=0)),
        ('and light and colour', plain, AugmentationConfig(CROP)),
        ('and a third adverse', plain, AugmentationConfig(CROP, adverse=0.33)),
        ('and normals', faced, AugmentationConfig(CROP, adverse=0.33)),
    )
    print(f'\n| a view of {CROP[1]}x{CROP[0]} from 480x360 | ms |\n|---|---|')
    for title, sample, config in rows:
        cost = milliseconds(
            lambda i, s=sample, c=config: augment(s, rng, c, 721.5),  # type: ignore[misc]
            repeats * 4,
        )
        print(f'| {title} | {cost:.1f} |')


def albumentations_beside(image: NDArray[np.uint8], repeats: int) -> None:
    """Print what albumentations' transforms cost at 480x360: to make, and to apply."""
    if importlib.util.find_spec('albumentations') is None:
        return
    os.environ['NO_ALBUMENTATIONS_UPDATE'] = '1'
    begin = time.perf_counter()
    import albumentations

    image = cv2.resize(image, (480, 360))
    print(f'\nalbumentations {albumentations.__version__}: import', end=' ')
    print(f'{time.perf_counter() - begin:.1f} s')
    print('\n| transform | to make, ms | to apply, ms |\n|---|---|---|')
    for title, make in (
        ('RandomRain', lambda: albumentations.RandomRain(p=1)),
        ('RandomSnow bleach', lambda: albumentations.RandomSnow(p=1)),
        ('RandomSnow texture', lambda: albumentations.RandomSnow(method='texture', p=1)),
        ('RandomSunFlare overlay', lambda: albumentations.RandomSunFlare(src_radius=100, p=1)),
        ('RandomSunFlare physics_based', lambda: albumentations.RandomSunFlare(
            src_radius=100, method='physics_based', p=1)),
        ('RandomFog', lambda: albumentations.RandomFog(p=1)),
        ('MotionBlur', lambda: albumentations.MotionBlur(blur_limit=(13, 13), p=1)),
    ):  # fmt: skip
        made = milliseconds(lambda _, m=make: m(), 10)  # type: ignore[misc]
        transform = make()
        applied = milliseconds(
            lambda _, t=transform: t(image=image),  # type: ignore[misc]
            repeats,
        )
        print(f'| {title} | {made:.1f} | {applied:.1f} |')


def sheet(image: NDArray[np.uint8], path: Path) -> None:
    """Write all corruptions (rows) at severities 1, 3 and 5 (columns)."""
    rows = []
    for name in CORRUPTIONS:
        tiles = [corrupt(image, name, s, np.random.default_rng(s)) for s in (1, 3, 5)]
        cv2.putText(tiles[0], name, (8, 20), 0, 0.6, (255, 255, 0), 1, cv2.LINE_AA)
        rows.append(np.hstack(tiles))
    if not cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise SystemExit(f'{path} could not be written.')
    print(f'\n{path}: {", ".join(CORRUPTIONS)} from top to bottom, severities 1, 3, 5')


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--image', type=Path, help='a photograph instead of a drawn street')
    parser.add_argument('--sheet', type=Path, help='write a picture of all corruptions here')
    parser.add_argument('--repeats', type=int, default=100)
    parser.add_argument('--threads', type=int, default=1, help='of OpenCV (default: 1)')
    options = parser.parse_args(argv)
    cv2.setNumThreads(options.threads)
    image = drawn_street()
    if options.image:
        bgr = cv2.imread(str(options.image), cv2.IMREAD_COLOR)
        if bgr is None:
            parser.error(f'{options.image} is no image that can be read')
        image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    if options.sheet:
        sheet(image, options.sheet)
        return
    views(image, options.repeats)
    corruptions(image, options.repeats)
    albumentations_beside(image, options.repeats)


if __name__ == '__main__':
    main()
