"""NYUDv2 as image files: folders with list files, and the "sync" frames of BTS."""

from __future__ import annotations

from pathlib import Path

from hydranet_ros.errors import DatasetError
from hydranet_ros.training.data import files
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.data.reader import Frame, FrameReader
from hydranet_ros.training.data.source import DataSource

# Pixels at 640x480, as in the lists of BTS.
FOCAL_LENGTH = 518.8579
_LIST_SCALE, _SYNC_SCALE = 5000.0, 1000.0
_COLUMNS = ('image', 'labels', 'depth', 'normals')
_FOLDERS = {
    'rgb': 'image', 'images': 'image', 'train_images': 'image', 'val_images': 'image',
    'masks': 'labels', 'labels': 'labels', 'train_labels': 'labels', 'val_labels': 'labels',
    'depth': 'depth', 'normals': 'normals',
}  # fmt: skip


def open_nyud(source: DataSource) -> FrameReader:
    """
    Open the files that the lines of ``<split>_list_depth.txt`` name.

    A line has two to four columns separated by tabs: image, labels, depth, normals. A folder
    name such as ``depth`` overrides the meaning of the column. Meters are value / 5000.

    :raises DatasetError: if there is no list, or a line is malformed.
    """
    path = _list_file(source)
    frames = tuple(
        _list_frame(source.path, line, f'{path}, entry {number}')
        for number, line in enumerate(files.read_lines(path), 1)
    )
    return FrameReader(frames, load_class_map(source.classes, source.merge), _LIST_SCALE)


def _list_file(source: DataSource) -> Path:
    names = [source.split]
    if not source.split.endswith('.txt'):
        names = [f'{source.split}_list_depth.txt', f'{source.split}_list.txt']
    candidates = [folder / name for name in names for folder in (source.path, source.path.parent)]
    for path in candidates:
        if path.is_file():
            return path
    raise DatasetError(
        f'{candidates[0]} is missing; searched: {", ".join(map(str, candidates))}. The split of '
        'this kind is train, val, or the name of a list file.'
    )


def _list_frame(root: Path, line: str, where: str) -> Frame:
    columns = line.split('\t')
    if not 2 <= len(columns) <= len(_COLUMNS):
        raise DatasetError(f'{where}: got {line!r}, expected 2 to 4 paths separated by tabs.')
    found: dict[str, Path] = {}
    for default, text in zip(_COLUMNS, columns):
        column = _FOLDERS.get(Path(text).parent.name, default)
        if column in found:
            raise DatasetError(f'{where}: {line!r} names two files for {column}.')
        found[column] = root / text.strip()
    if 'image' not in found:
        raise DatasetError(f'{where}: {line!r} names no image (folder rgb or images).')
    name = found['image'].stem
    return Frame(name, found.pop('image'), **found, focal_length=FOCAL_LENGTH)  # type: ignore[arg-type]


def open_nyud_sync(source: DataSource) -> FrameReader:
    """
    Open ``SCENE/rgb_NNNNN.jpg`` with ``SCENE/sync_depth_NNNNN.png``, meters = value / 1000.

    The scenes are in the folder ``<split>`` or, for the split ``train``, in the root. A split
    that ends in ``.txt`` is a list file of BTS: image, depth or ``None``, focal length.

    :raises DatasetError: if there is no image, or the list is malformed.
    """
    if source.split.endswith('.txt'):
        frames = _bts_frames(source)
    else:
        folder = source.path / source.split
        folder = source.path if source.split == 'train' and not folder.is_dir() else folder
        frames = tuple(
            Frame(f'{path.parent.name}/{path.stem}', path, depth=_sync_depth(path),
                  focal_length=FOCAL_LENGTH)
            for path in files.listed(folder, '*/rgb_*.jpg', '*/rgb_*.png')
        )  # fmt: skip
    return FrameReader(frames, depth_scale=_SYNC_SCALE)


def _sync_depth(image: Path) -> Path:
    return image.with_name('sync_depth_' + image.stem.removeprefix('rgb_') + '.png')


def _bts_frames(source: DataSource) -> tuple[Frame, ...]:
    path = source.path / source.split
    frames = []
    for number, line in enumerate(files.read_lines(path), 1):
        image, depth, focal_length = bts_line(line, f'{path}, entry {number}')
        frames.append(
            Frame(
                str(Path(image).with_suffix('')), source.path / image,
                depth=source.path / depth if depth else None, focal_length=focal_length,
            )
        )  # fmt: skip
    return tuple(frames)


def bts_line(line: str, where: str) -> tuple[str, str, float]:
    """
    Parse a line of a BTS list: (image, depth, focal length); depth is empty for ``None``.

    :raises DatasetError: if the line does not have these three columns.
    """
    try:
        image, depth, focal_length = line.split()
        return image.lstrip('/'), '' if depth == 'None' else depth.lstrip('/'), float(focal_length)
    except ValueError as err:
        raise DatasetError(
            f'{where}: got {line!r}, expected an image, its depth (or None) and a focal length.'
        ) from err
