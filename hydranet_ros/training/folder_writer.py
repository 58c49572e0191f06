"""
Write a data set of the kind ``folder`` image by image; an interrupted run can be resumed.

Every file is written atomically. ``journal.jsonl`` gets a line when all files of an image exist;
at the next start, and at the end, its lines move into ``manifest.json``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.files import atomic_path, remove_leftovers, write_atomically
from hydranet_ros.training.data.files import IMAGE_SUFFIXES, read_image
from hydranet_ros.training.sample import Sample

MANIFEST, JOURNAL = 'manifest.json', 'journal.jsonl'
_MAX_UINT16 = 65535


class FolderWriter:
    """
    Fills one folder; a context manager.

    :param made_with: all that determines the content, in JSON types. A folder made with other
        values is refused. ``images`` is the number of images of the finished folder.
    :param head: further entries of the manifest, at least ``depth_scale``.
    :raises TrainingError: if the folder was made with other options.
    :raises DatasetError: if it holds other files, or cannot be written.
    """

    def __init__(
        self, folder: Path, made_with: Mapping[str, Any], head: Mapping[str, Any]
    ) -> None:
        self._folder = folder
        self._made_with = dict(made_with)
        self._head = dict(head)
        self._scale = float(head['depth_scale'])
        self._journal: TextIO | None = None
        #: The manifest entry of each finished image, by its index.
        self.done: dict[int, dict[str, Any]] = {}
        self._names: dict[str, int] = {}

    def __enter__(self) -> FolderWriter:
        try:
            self._open()
        except OSError as err:
            raise DatasetError(f'{self._folder} cannot be written: {err}.') from err
        return self

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        manifest = self._folder / MANIFEST
        if manifest.is_file():
            self._recover(manifest)
            remove_leftovers(self._folder)
        elif any(self._folder.iterdir()):
            raise DatasetError(
                f'{self._folder} contains files but no {MANIFEST}. Choose an empty folder.'
            )
        self._names = {row['name']: index for index, row in self.done.items()}
        self._write_manifest()
        journal = self._folder / JOURNAL
        journal.unlink(missing_ok=True)
        self._journal = journal.open('a', encoding='utf-8')

    def _recover(self, manifest: Path) -> None:
        """Read the images that an earlier run finished."""
        try:
            raw = json.loads(manifest.read_text(encoding='utf-8'))
            made_with = raw['made_with']
            rows = [{'name': name, **row} for name, row in raw['images'].items()]
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise DatasetError(
                f'{manifest} was not written by this command. Choose an empty folder.'
            ) from err
        differences = _differences(made_with, self._made_with)
        if differences:
            raise TrainingError(
                f'{self._folder} was made with other options ({"; ".join(differences)}). Use '
                'those, or another folder.'
            )
        for row in [*rows, *_journal_rows(self._folder / JOURNAL)]:
            if all((self._folder / name).is_file() for name in row['files']):
                self.done[int(row['index'])] = row

    def write(
        self, index: int, sample: Sample, original: Path | None, facts: Mapping[str, Any]
    ) -> None:
        """
        Write the files of one image.

        :param original: file the image was read from; it is kept if it contains the same pixels.
        :param facts: manifest entries of the image besides its name and focal length.
        :raises DatasetError: if another image has the same name, or the disk is full.
        """
        name = sample.name
        if not name or PurePosixPath(name).is_absolute() or '..' in PurePosixPath(name).parts:
            raise DatasetError(f'{name!r} cannot be the name of a file in {self._folder}.')
        if self._names.setdefault(name, index) != index:
            raise DatasetError(f'Two images have the name {name}; names must be unique.')
        try:
            files = [self._put_image(name, sample.image, original)]
            for kind, array in self._annotations(sample):
                files.append(f'{kind}/{name}.png')
                self._put(files[-1], array)
            row = {'index': index, 'name': name, 'focal_length': sample.focal_length,
                   **facts, 'files': files}  # fmt: skip
            assert self._journal is not None
            self._journal.write(json.dumps(row) + '\n')
            self._journal.flush()
        except OSError as err:
            raise DatasetError(
                f'{self._folder} cannot be written: {err.strerror or err}. Finished images are '
                'kept; run the same command again to resume.'
            ) from err
        self.done[index] = row

    def _annotations(self, sample: Sample) -> list[tuple[str, NDArray]]:
        found: list[tuple[str, NDArray]] = []
        if sample.labels is not None:
            found.append(('labels', sample.labels))
        if sample.depth is not None:
            found.append(('depth', encode_depth(sample.depth, self._scale)))
        if sample.normals is not None:
            found.append(('normals', encode_normals(sample.normals)))
        return found

    def _put_image(self, name: str, image: NDArray[np.uint8], original: Path | None) -> str:
        """Link or copy the original if it decodes to this image, else write a PNG."""
        if original is not None and original.suffix in IMAGE_SUFFIXES:
            decoded = read_image(original)
            if decoded.shape == image.shape and bool((decoded == image).all()):
                relative = f'images/{name}{original.suffix}'
                self._link(original, self._folder / relative)
                return relative
        relative = f'images/{name}.png'
        self._put(relative, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return relative

    def _link(self, original: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            try:
                os.link(original.resolve(), temporary)
            except OSError:  # another disk, or a file system without hard links
                shutil.copyfile(original, temporary)

    def _put(self, relative: str, array: NDArray) -> None:
        path = self._folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded, data = cv2.imencode('.png', array)
        assert encoded
        write_atomically(path, data.tobytes())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._journal is not None:
            self._journal.close()
        # After an error the journal has all rows, so that a failure to write here is harmless.
        try:
            self._write_manifest()
            (self._folder / JOURNAL).unlink(missing_ok=True)
        except OSError as err:
            if kind is None:
                raise DatasetError(f'{self._folder} cannot be written: {err}.') from err

    def _write_manifest(self) -> None:
        rows = [dict(self.done[index]) for index in sorted(self.done)]
        manifest = {
            'kind': 'folder', **self._head,
            'depth_unit': 'meters are the stored value / depth_scale; 0 is unknown',
            'complete': len(rows) == self._made_with['images'],
            'made_with': self._made_with, 'images': {row.pop('name'): row for row in rows},
        }  # fmt: skip
        text = json.dumps(manifest, indent=1)
        write_atomically(self._folder / MANIFEST, text.encode())


def _journal_rows(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a journal; SIGKILL may have truncated the last one."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
            with suppress(ValueError):
                rows.append(json.loads(line))
    return rows


def _differences(there: Any, now: Any, name: str = '') -> list[str]:
    """Return a text for each option in which two runs differ."""
    if isinstance(there, dict) and isinstance(now, dict):
        keys = sorted(set(there) | set(now))
        prefix = f'{name}.' if name else ''
        return [
            text for key in keys
            for text in _differences(there.get(key), now.get(key), f'{prefix}{key}')
        ]  # fmt: skip
    return [] if there == now else [f'{name}: {there!r} there, {now!r} now']


def encode_depth(meters: NDArray[np.float32], scale: float) -> NDArray[np.uint16]:
    """
    Return (H, W) uint16 steps; 0 where depth is unknown or exceeds 16 bits.

    :param meters: (H, W), 0, negative or not finite where unknown.
    :param scale: steps per meter.
    """
    known = np.isfinite(meters) & (meters > 0)
    steps = np.rint(np.where(known, meters, 0).astype(np.float64) * scale)
    return np.where(steps <= _MAX_UINT16, steps, 0).astype(np.uint16)


def encode_normals(normals: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (H, W, 3) BGR in the authors' colors, mid-gray where unknown."""
    x, y, z = np.moveaxis(normals, -1, 0)
    channels = [(1 - y) / 2, (z + 1) / 2, (x + 1) / 2]
    return np.rint(np.clip(np.stack(channels, -1), 0, 1) * 255).astype(np.uint8)
