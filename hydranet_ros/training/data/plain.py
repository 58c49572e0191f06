"""Data sets with annotations next to the images: CamVid, scenes, colored labels, folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.data import files
from hydranet_ros.training.data.class_map import ClassMap, load_class_map
from hydranet_ros.training.data.reader import Frame, FrameReader
from hydranet_ros.training.data.source import DataSource

_PATTERNS = tuple(f'*{suffix}' for suffix in files.IMAGE_SUFFIXES)
_ANNOTATIONS = ('labels', 'depth', 'normals')


def open_camvid(source: DataSource) -> FrameReader:
    """
    Open ``<split>/images/NAME.jpg`` with ``<split>/labels/NAME.png``.

    :raises DatasetError: if a folder or a label image is missing.
    """
    folder = source.path / source.split
    frames = []
    for path in files.listed(folder / 'images', *_PATTERNS):
        labels = folder / 'labels' / f'{path.stem}.png'
        frames.append(Frame(f'{source.split}/{path.stem}', path, labels))
    return FrameReader(tuple(frames), load_class_map(source.classes, source.merge))


def open_scenes(source: DataSource) -> FrameReader:
    """
    Open the output of ``hydranet scenes``: labels and depth for every image.

    :raises DatasetError: if the manifest is missing or damaged.
    """
    path = source.path / 'manifest.json'
    if not path.is_file():
        raise DatasetError(f'{path} is missing; create the set with: hydranet scenes OUT')
    manifest = files.read_json(path)
    try:
        scale = float(manifest['depth_scale'])
        frames = tuple(_scene_frame(source.path, row) for row in manifest['frames'])
        classes = source.classes or str(manifest.get('classes', 'kitti6'))
        if not scale > 0 or not frames:
            raise ValueError(f'depth_scale {scale}, {len(frames)} frames')
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise DatasetError(
            f'{path} is damaged ({err!r}); expected depth_scale and frames, each with '
            'name and fx. Create the set again with: hydranet scenes OUT'
        ) from err
    return FrameReader(frames, load_class_map(classes, source.merge), scale)


def _scene_frame(root: Path, row: Mapping[str, Any]) -> Frame:
    name = str(row['name'])
    return Frame(
        name, root / f'{name}.jpg', root / f'{name}.labels.png', root / f'{name}.depth.png',
        focal_length=float(row['fx']),
    )  # fmt: skip


@dataclass(frozen=True)
class ColoredReader(FrameReader):
    """Labels in the colors of a class table; any other color is unlabeled."""

    def read_labels(self, path: Path) -> NDArray[np.uint8]:
        """Return class ids, (H, W) uint8, 255 unlabeled."""
        assert self.classes is not None
        colored = files.read_image(path)
        labels = np.full(colored.shape[:2], UNLABELED, np.uint8)
        for item in self.classes.classes:
            labels[(colored == item.color).all(-1)] = item.id
        return labels


def open_colored(source: DataSource) -> FrameReader:
    """
    Open ``NAME.png`` with ``segm_gt_NAME.png``, the layout of the published KITTI example.

    :raises DatasetError: if there is no such file.
    """
    frames = []
    for path in files.listed(source.path, 'segm_gt_*.png'):
        name = path.name.removeprefix('segm_gt_')
        frames.append(Frame(Path(name).stem, source.path / name, path))
    return ColoredReader(tuple(frames), load_class_map(source.classes, source.merge))


def open_folder(source: DataSource) -> FrameReader:
    """
    Open ``images/NAME.*`` with ``NAME.png`` in any of ``labels``, ``depth`` and ``normals``.

    NAME may contain folders. An image may have no annotation; an annotation without an image is
    an error. ``manifest.json`` may have the keys ``depth_scale``, ``focal_length``, ``classes``
    (a class map) and ``images``, a mapping from NAME to its ``focal_length``.

    :raises DatasetError: if there is no image, no annotation, or no scale of the depth.
    """
    root = source.path
    images = _by_name(root / 'images', files.IMAGE_SUFFIXES)
    if not images:
        raise DatasetError(f'{root / "images"} has no image ({", ".join(_PATTERNS)}).')
    labels, depth, normals = (_annotations(root / kind, images) for kind in _ANNOTATIONS)
    manifest = _manifest(root / 'manifest.json')
    scale = source.depth_scale or manifest.depth_scale
    if depth and not scale:
        raise DatasetError(
            f'{root / "depth"} has no scale: give depth_scale=N (meters are the stored value / N, '
            f'1000 for millimeters), or "depth_scale" in {root / "manifest.json"}.'
        )
    frames = tuple(
        Frame(name, path, labels.get(name), depth.get(name), normals.get(name),
              manifest.focal_lengths.get(name, manifest.focal_length))
        for name, path in sorted(images.items())
    )  # fmt: skip
    return FrameReader(frames, _folder_classes(source, manifest), scale or 1.0)


@dataclass(frozen=True)
class _Manifest:
    depth_scale: float
    focal_length: float
    classes: str
    focal_lengths: Mapping[str, float]


def _manifest(path: Path) -> _Manifest:
    raw = files.read_json(path) if path.is_file() else {}
    try:
        return _Manifest(
            float(raw.get('depth_scale', 0)), float(raw.get('focal_length', 0)),
            str(raw.get('classes', '')),
            {name: float(row['focal_length']) for name, row in raw.get('images', {}).items()
             if row.get('focal_length')},
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise DatasetError(
            f'{path} is damaged ({err!r}); it may have depth_scale, focal_length, classes and '
            'images, a mapping from NAME to {"focal_length": pixels}.'
        ) from err


def _folder_classes(source: DataSource, manifest: _Manifest) -> ClassMap | None:
    name = source.classes or manifest.classes
    if not name and source.merge:
        raise DatasetError(f'{source.root}: merge needs a class map; add classes=NAME.')
    return load_class_map(name, source.merge) if name else None


def _annotations(folder: Path, images: Mapping[str, Path]) -> dict[str, Path]:
    found = _by_name(folder, ('.png',))
    orphans = sorted(set(found) - set(images))
    if orphans:
        raise DatasetError(
            f'{found[orphans[0]]} has no image of the same name in {folder.parent / "images"} '
            f'({len(orphans)} files without an image).'
        )
    return found


def _by_name(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob('*')):
        if path.suffix.lower() in suffixes:
            name = path.relative_to(folder).with_suffix('').as_posix()
            if name in found:
                raise DatasetError(f'{found[name]} and {path} share a name; remove one.')
            found[name] = path
    return found
