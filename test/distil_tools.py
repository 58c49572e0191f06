"""Images, data sets and shortcuts for the tests of distillation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 48, 64


def write_images(folder: Path, count: int, *, seed: int = 0, symmetric: bool = False) -> Path:
    """Write JPEGs of 8x8 blocks, each with one strong channel; return the folder."""
    rng = np.random.default_rng(seed)
    (folder / 'images').mkdir(parents=True)
    for index in range(count):
        blocks = rng.integers(0, 120, (6, 8, 3), np.uint8)
        strong = rng.integers(0, 3, (6, 8, 1))
        np.put_along_axis(blocks, strong, rng.integers(170, 256, (6, 8, 1), np.uint8), -1)
        if symmetric:
            blocks = np.concatenate([blocks[:, :4], blocks[:, 3::-1]], 1)
        image = blocks.repeat(HEIGHT // 6, 0).repeat(WIDTH // 8, 1)
        cv2.imwrite(str(folder / f'images/{index:03d}.jpg'), image)
    return folder


def write_half_annotated(folder: Path) -> Path:
    """Write three images: one with labels, one with depth, one with nothing."""
    write_images(folder, 3)
    (folder / 'labels').mkdir()
    (folder / 'depth').mkdir()
    labels = np.full((HEIGHT, WIDTH), 2, np.uint8)
    labels[:10] = 0
    labels[10:12] = 255
    cv2.imwrite(str(folder / 'labels/000.png'), labels)
    depth = np.full((HEIGHT, WIDTH), 12345, np.uint16)
    depth[:20] = 0
    cv2.imwrite(str(folder / 'depth/001.png'), depth)
    manifest = {
        'depth_scale': 1000,
        'images': {f'{index:03d}': {'focal_length': 200.0} for index in range(3)},
    }
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    return folder


def run_distil(teacher: Path, folder: Path, output: Path, **options: Any):
    """Distil a folder data set and return the report."""
    from hydranet_ros.training.distil import DistilOptions, distil, open_data
    from hydranet_ros.training.teachers import open_teacher

    return distil(
        open_teacher(teacher), open_data(f'folder:{folder}', {}), output,
        DistilOptions(**options), data=f'folder:{folder}',
    )  # fmt: skip


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder data set."""
    return json.loads((folder / 'manifest.json').read_text())


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder by their relative paths."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*')) if path.is_file()
    }  # fmt: skip


def png(path: Path) -> NDArray:
    """Return the stored values of a PNG."""
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert array is not None, path
    return array


def rgb(path: Path) -> NDArray[np.uint8]:
    """Return an image as RGB."""
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
