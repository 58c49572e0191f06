"""Atomic file writing and file checksums."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

_BLOCK = 1 << 20
_NAME_LENGTH = 40


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """
    Yield a temporary path; its file replaces ``path`` when the block ends without an error.

    The temporary file is in the same folder, hidden, and unique, so that two processes may write
    the same file. It is flushed to the disk before it replaces ``path`` and removed after an
    error. Only SIGKILL or a power failure leaves it behind; see :func:`remove_leftovers`.

    :raises OSError: if the folder is missing or not writable, or the disk is full.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        # It may still exist after success: renaming one hard link to another does nothing.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_paths(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """
    Yield a temporary path for each path; when the block ends, all replace theirs, or none does.

    As :func:`atomic_path`. If a file cannot be replaced, those replaced before it get their old
    content back. Only SIGKILL or a power failure between two replacements leaves files of both.

    :raises OSError: if a folder is missing or not writable, or the disk is full.
    """
    temporaries = tuple(map(_temporary, paths))
    backups = tuple(map(_temporary, paths))
    try:
        yield temporaries
        for temporary in temporaries:
            _flush(temporary)
        with ExitStack() as undo:
            for temporary, path, backup in zip(temporaries, paths, backups):
                undo.callback(_keep(path, backup))
                os.replace(temporary, path)
            undo.pop_all()
    finally:
        for leftover in (*temporaries, *backups):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def _keep(path: Path, backup: Path) -> partial[None]:
    """Keep the file of a path as a backup; return the function that restores the path."""
    if not path.exists():
        return partial(path.unlink, missing_ok=True)
    try:
        os.link(path, backup)
    except OSError:  # a file system without hard links
        shutil.copy2(path, backup)
    return partial(os.replace, backup, path)


def _temporary(path: Path) -> Path:
    # A name of 255 bytes is the limit of most file systems.
    return path.with_name(f'.{path.name[:_NAME_LENGTH]}.{secrets.token_hex(4)}.part')


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """
    Write a file so that it has either its old or its new content, never a part of it.

    :raises OSError: if the folder is missing or not writable, or the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def remove_leftovers(folder: Path) -> None:
    """
    Remove the temporary files that killed processes left in a folder and its subfolders.

    :raises OSError: if one cannot be removed.
    """
    for leftover in folder.rglob(f'.*.{"[0-9a-f]" * 8}.part'):
        leftover.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """
    Return the sha256 of a file, in hexadecimal.

    :raises OSError: if it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open('rb') as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
