"""Download files over HTTP and verify them by checksum."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import httpx
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hydranet_ros.errors import DownloadError
from hydranet_ros.files import sha256_of

MAX_BYTES = 1 << 30
_BLOCK = 1 << 16
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def download(
    url: str, path: Path, expected: str, *, checksum: Callable[[Path], str] = sha256_of,
    max_bytes: int = MAX_BYTES,
) -> None:  # fmt: skip
    """
    Download a file and verify it; show a progress bar.

    The file is incomplete or wrong after an error, so ``path`` should be in a temporary folder.

    :param expected: checksum of the content.
    :param checksum: computes the checksum of a file.
    :param max_bytes: larger files are refused.
    :raises DownloadError: if the server cannot be reached, responds with an error, redirects from
        HTTPS to another scheme or closes the connection early; if the file is too large or cannot
        be written; if the checksum differs.
    """
    try:
        _stream(url, path, max_bytes)
    except httpx.HTTPStatusError as err:
        raise DownloadError(
            f'{url} returned {err.response.status_code} {err.response.reason_phrase}. Check the '
            'address, or use another mirror.'
        ) from err
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout) as err:
        raise DownloadError(
            f'The connection to {url} was interrupted: {_reason(err)}. Nothing was kept; retry.'
        ) from err
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        raise DownloadError(
            f'{url} cannot be reached: {_reason(err)}. Check the network and the address.'
        ) from err
    except OSError as err:
        problem = f'{path.parent} cannot be written: {err.strerror}'
        if err.errno in _DISK_FULL:
            problem = 'The disk is full'
        raise DownloadError(f'{problem}. Nothing was kept of {url}.') from err
    found = checksum(path)
    if found != expected:
        raise DownloadError(
            f'Checksum mismatch for {url}: got {found}, expected {expected}. Retry, or use '
            'another mirror.'
        )


def git_blob_id(path: Path) -> str:
    """
    Return the id of a file in a Git repository: the sha1 of ``blob <length>``, NUL and content.

    :raises OSError: if it cannot be read.
    """
    digest = hashlib.sha1(f'blob {path.stat().st_size}\0'.encode(), usedforsecurity=False)
    with path.open('rb') as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _stream(url: str, path: Path, max_bytes: int) -> None:
    columns = (TextColumn('{task.description}'), BarColumn(), DownloadColumn(),
               TransferSpeedColumn(), TimeRemainingColumn())  # fmt: skip
    with (
        Progress(*columns) as progress,
        httpx.Client(timeout=_TIMEOUT, event_hooks={'response': [_refuse_downgrade]}) as client,
        client.stream('GET', url, follow_redirects=True) as response,
    ):
        response.raise_for_status()
        size = response.headers.get('Content-Length', '')
        total = int(size) if size.isdigit() else None
        _refuse_large(url, total or 0, max_bytes)
        task = progress.add_task(path.name, total=total)
        received = 0
        with path.open('wb') as handle:
            for block in response.iter_bytes(_BLOCK):
                received += len(block)
                _refuse_large(url, received, max_bytes)
                handle.write(block)
                progress.advance(task, len(block))
            handle.flush()
            os.fsync(handle.fileno())


def _refuse_downgrade(response: httpx.Response) -> None:
    """Refuse a redirect from HTTPS to another scheme before it is followed."""
    location = response.headers.get('Location', '')
    if not response.has_redirect_location or response.request.url.scheme != 'https':
        return
    target = response.request.url.join(location)
    if target.scheme != 'https':
        raise DownloadError(
            f'{response.request.url} redirects to {target}, which is not HTTPS. Use another '
            'mirror.'
        )


def _refuse_large(url: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise DownloadError(
            f'{url} is larger than {max_bytes} bytes, which is more than expected. Check the '
            'address, or use another mirror.'
        )


def _reason(err: Exception) -> str:
    return str(err) or type(err).__name__
