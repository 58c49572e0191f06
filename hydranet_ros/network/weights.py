"""
The authors' checkpoints: fetched, checked, converted, put where their presets look.

The weights are their authors', for non-commercial use; nothing of them ships with the package.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import httpx
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hydranet_ros.errors import DownloadError, ExportError, ModelNotFoundError
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.resources import MODELS_VARIABLE, find_model, user_model_directory

COMMIT = '1986999759dfac7d38ed9ccddda5d4f5ba488e82'
BASE_URL = f'https://raw.githubusercontent.com/DrSleep/multi-task-refinenet/{COMMIT}/weights'
LICENSE = (
    'These weights are by V. Nekrasov et al. (DrSleep/multi-task-refinenet), for academic, '
    'non-commercial use only; see the LICENSE file of that repository.'
)
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True)
class OfficialWeights:
    """
    One official checkpoint.

    :param blob: git's blob id of the file: sha1 of ``blob <length>``, a zero byte, the bytes.
    :param preset: the preset whose model files it becomes.
    """

    name: str
    blob: str
    preset: str

    @property
    def file(self) -> str:
        """Return the file's name in the authors' repository."""
        return f'{self.name}.ckpt'


WEIGHTS: Mapping[str, OfficialWeights] = MappingProxyType({
    item.name: item
    for item in (
        OfficialWeights('ExpKITTI_joint', 'd9386a96f748001406c622100ce944333d1967ff', 'kitti'),
        OfficialWeights('ExpNYUD_joint', '56f5f5a6bc08a64f36e83547140add41baa4216d', 'nyud'),
        OfficialWeights('ExpNYUD_three', '6f412c152600827cabff5e1b66efad50090c16a7',
                        'nyud_three'),
        OfficialWeights('ExpNYUDKITTI_joint', '54f57cc2bd15e5cdfa9f3f1eaba9760951218bfa',
                        'nyud_kitti'),
    )
})  # fmt: skip


def describe() -> str:
    """Return a table of the official weights: preset, model files, whether they are here."""
    rows = []
    for item in WEIGHTS.values():
        for choice in Preset.load(item.preset).models.values():
            rows.append(f'{item.name:20} preset {item.preset:11} {_state(choice.file)}')
    return '\n'.join([*rows, '', LICENSE])


def _state(name: str) -> str:
    try:
        return f'here: {find_model(name)}'
    except ModelNotFoundError:
        return f'{name} is not here yet'


def blob_id(path: Path) -> str:
    """Return git's blob id of a file."""
    digest = hashlib.sha1(f'blob {path.stat().st_size}\0'.encode(), usedforsecurity=False)
    with path.open('rb') as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def pull(
    name: str,
    *,
    base_url: str = BASE_URL,
    destination: Path | None = None,
    convert: bool = True,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """
    Fetch an official checkpoint and return the model files made of it.

    :param base_url: folder that holds the file.
    :param destination: where the model files go; default: where presets look.
    :param convert: ``False`` keeps the checkpoint as it is and returns its path.
    :raises DownloadError: if the name is unknown, the file did not arrive whole, or it cannot be
        converted or written; then nothing is left behind.
    """
    if name not in WEIGHTS:
        raise DownloadError(f'Weights {name!r} are unknown; known: {", ".join(WEIGHTS)}.')
    item = WEIGHTS[name]
    folder = destination or user_model_directory()
    if convert:
        _require_converter()
    say(LICENSE)
    with _scratch_in(folder) as scratch:
        checkpoint = Path(scratch) / item.file
        download(f'{base_url.rstrip("/")}/{item.file}', checkpoint, item.blob)
        if not convert:
            return [checkpoint.replace(folder / item.file)]
        return _convert(item, checkpoint, folder, say)


def _require_converter() -> None:
    """Refuse before anything is fetched where the result could not be converted."""
    missing = [name for name in ('torch', 'onnx', 'onnxruntime') if find_spec(name) is None]
    if missing:
        raise DownloadError(
            f"Converting needs {', '.join(missing)}: pip install 'hydranet_ros[train,cpu]' and "
            'run this again. Nothing was fetched.'
        )


def _scratch_in(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder on the same disk as the result, which goes with all that is in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix='.pull-', dir=folder)
    except OSError as err:
        raise DownloadError(
            f'{folder} cannot be written: {err.strerror or err}. Choose another folder with '
            f'{MODELS_VARIABLE}=FOLDER.'
        ) from err


def download(url: str, path: Path, blob: str) -> None:
    """
    Fetch a file with a progress bar and check it by its git blob id.

    :raises DownloadError: without a network, on an HTTP error, on a cut connection, on a full
        disk, or if the bytes are others than they should be.
    """
    try:
        _stream(url, path)
    except httpx.HTTPStatusError as err:
        raise DownloadError(
            f'{url} answered {err.response.status_code} {err.response.reason_phrase}. Check the '
            'address, or give another with --base-url.'
        ) from err
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout) as err:
        raise DownloadError(f'The connection to {url} was cut: {err or type(err).__name__}. '
                            'Nothing was kept; run it again.') from err  # fmt: skip
    except httpx.HTTPError as err:
        raise DownloadError(
            f'{url} cannot be reached: {err or type(err).__name__}. Check the network, or fetch '
            f'the file elsewhere and convert it: hydranet export {path.name} --preset NAME -o OUT'
        ) from err
    except OSError as err:
        full = 'The disk is full' if err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else (
            f'{path.parent} cannot be written ({err.strerror})')  # fmt: skip
        raise DownloadError(f'{full}; nothing was kept of {url}.') from err
    found = blob_id(path)
    if found != blob:
        raise DownloadError(
            f'{url} gave other bytes than it should: blob id {found}, expected {blob} '
            f'({path.stat().st_size} bytes). Nothing was kept; run it again, or distrust the '
            'place.'
        )


def _stream(url: str, path: Path) -> None:
    columns = (TextColumn('{task.description}'), BarColumn(), DownloadColumn(),
               TransferSpeedColumn(), TimeRemainingColumn())  # fmt: skip
    with (
        Progress(*columns) as progress,
        httpx.stream('GET', url, follow_redirects=True, timeout=_TIMEOUT) as answer,
    ):
        answer.raise_for_status()
        size = answer.headers.get('Content-Length')
        task = progress.add_task(path.name, total=int(size) if size else None)
        with path.open('wb') as handle:
            for block in answer.iter_bytes(1 << 16):
                handle.write(block)
                progress.advance(task, len(block))
            handle.flush()
            os.fsync(handle.fileno())


def _convert(
    item: OfficialWeights, checkpoint: Path, folder: Path, say: Callable[[str], None]
) -> list[Path]:
    from hydranet_ros.network.export import export_checkpoint

    made = []
    for domain, choice in Preset.load(item.preset).models.items():
        model = folder / choice.file
        try:
            export_checkpoint(checkpoint, item.preset, model, domain=domain, log=say)
        except ExportError as err:
            raise DownloadError(f'{item.name} was fetched whole, but: {err}') from err
        made.append(model)
    return made
