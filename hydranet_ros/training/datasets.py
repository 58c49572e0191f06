"""
Data sets on disk as samples that may lack any annotation.

Each loader checks what it finds and says exactly what is missing where.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.model_info import UNLABELLED
from hydranet_ros.preset import load_classes
from hydranet_ros.training.sample import Sample

# CamVid's eleven classes (sky, building, pole, road, pavement, tree, sign, fence, car,
# pedestrian, bicyclist) to the six of KITTI; the rest is not learnt.
CAMVID_TO_KITTI6 = (0, 1, UNLABELLED, 2, 3, 4, UNLABELLED, UNLABELLED, 5, UNLABELLED, UNLABELLED)


def load_camvid(root: Path, split: str = 'train') -> list[Sample]:
    """
    Load ``root/<split>/images/*.jpg`` with ``.../labels/NAME.png``, mapped to six classes.

    :raises DatasetError: naming the folder or file that is missing or does not fit.
    """
    folder = root / split
    images = _listed(folder / 'images', '*.jpg')
    table = np.full(256, UNLABELLED, np.uint8)
    table[: len(CAMVID_TO_KITTI6)] = CAMVID_TO_KITTI6
    samples = []
    for path in images:
        labels = _read(folder / 'labels' / f'{path.stem}.png', cv2.IMREAD_UNCHANGED)
        image = _read_rgb(path)
        _same_size(image, labels, path)
        samples.append(Sample(f'{split}/{path.stem}', image, table[labels]))
    return samples


def load_scenes(root: Path, limit: int = 0) -> list[Sample]:
    """
    Load a data set written by ``hydranet scenes``: labels and depth for every image.

    :param limit: read at most so many frames; 0 for all.
    :raises DatasetError: naming the folder or file that is missing or does not fit.
    """
    manifest_path = root / 'manifest.json'
    if not manifest_path.is_file():
        raise DatasetError(f'{manifest_path} is missing; write the set with: hydranet scenes OUT')
    try:
        manifest = json.loads(manifest_path.read_text(encoding='utf-8'))
        frames = manifest['frames'][: limit or None]
        scale = float(manifest['depth_scale'])
        return [_scene_sample(root, frame, scale) for frame in frames]
    except (ValueError, KeyError, TypeError) as err:
        raise DatasetError(
            f'{manifest_path} is damaged ({err!r}); expected depth_scale and frames, each with '
            'name and fx. Write the set again with: hydranet scenes OUT'
        ) from err


def _scene_sample(root: Path, frame: dict, scale: float) -> Sample:
    name = frame['name']
    image = _read_rgb(root / f'{name}.jpg')
    labels = _read(root / f'{name}.labels.png', cv2.IMREAD_UNCHANGED)
    depth = _read(root / f'{name}.depth.png', cv2.IMREAD_UNCHANGED)
    if depth.dtype != np.uint16 or depth.ndim != 2:
        raise DatasetError(
            f'{root / name}.depth.png is {depth.dtype} with shape {depth.shape}; '
            'expected one channel of uint16.'
        )
    _same_size(image, labels, root / name)
    _same_size(image, depth, root / name)
    return Sample(name, image, labels, depth.astype(np.float32) / scale,
                  focal_length=float(frame['fx']))  # fmt: skip


def load_coloured(root: Path) -> list[Sample]:
    """
    Load ``root/NAME.png`` with ``root/segm_gt_NAME.png`` in the colours of the six classes.

    The arrangement of the published KITTI example; any other colour is unlabelled.

    :raises DatasetError: naming the folder or file that is missing or does not fit.
    """
    classes = load_classes('kitti6')
    samples = []
    for path in _listed(root, 'segm_gt_*.png'):
        coloured = _read_rgb(path)
        image = _read_rgb(root / path.name.removeprefix('segm_gt_'))
        labels = np.full(coloured.shape[:2], UNLABELLED, np.uint8)
        for item in classes:
            labels[(coloured == item.color).all(-1)] = item.id
        _same_size(image, labels, path)
        samples.append(Sample(path.stem.removeprefix('segm_gt_'), image, labels))
    return samples


def load(kind: str, root: Path, split: str = 'train') -> list[Sample]:
    """
    Load a data set by the name of its loader.

    :param kind: ``camvid``, ``scenes`` or ``coloured``.
    :param split: folder of CamVid's ``root``; the others have none.
    :raises DatasetError: if the kind is unknown, or the loader's own.
    """
    if kind == 'camvid':
        return load_camvid(root, split)
    if kind == 'scenes':
        return load_scenes(root)
    if kind == 'coloured':
        return load_coloured(root)
    raise DatasetError(f'Data set kind {kind!r} is unknown; allowed: camvid, scenes, coloured.')


def class_pixels(samples: Iterable[Sample], num_classes: int) -> NDArray[np.int64]:
    """Return the number of labelled pixels of each class, (num_classes,)."""
    counts = np.zeros(num_classes, np.int64)
    for sample in samples:
        if sample.labels is not None:
            counts += np.bincount(sample.labels.ravel(), minlength=256)[:num_classes]
    return counts


def _listed(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise DatasetError(f'{folder} holds no {pattern}; expected images there.')
    return found


def _read(path: Path, flag: int) -> NDArray:
    array = cv2.imread(str(path), flag) if path.is_file() else None
    if array is None:
        state = 'cannot be decoded' if path.is_file() else 'is missing'
        raise DatasetError(f'{path} {state}.')
    return array


def _read_rgb(path: Path) -> NDArray:
    return cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _same_size(image: NDArray, labels: NDArray, path: Path) -> None:
    if image.shape[:2] != labels.shape:
        raise DatasetError(
            f'{path}: the image is {image.shape[:2]}, its annotation {labels.shape}; '
            'both must be (height, width) alike.'
        )
