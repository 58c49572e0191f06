"""Atomic file writing and file checksums."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    # A name of 255 bytes is the limit of most file systems.
    name = f'.{path.name[:_NAME_LENGTH]}.{secrets.token_hex(4)}.part'
    temporary = path.with_name(name)
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        # It may still exist after success: renaming one hard link to another does nothing.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


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
