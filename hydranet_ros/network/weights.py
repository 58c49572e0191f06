"""
Download the authors' checkpoints and export them to the model files of their presets.

The weights belong to their authors and are for non-commercial use. None is part of the package.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from hydranet_ros.errors import DownloadError, ExportError, ModelNotFoundError
from hydranet_ros.files import atomic_paths
from hydranet_ros.model_files.download import download, git_blob_id
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.model_files.resolve import find_model
from hydranet_ros.resources import MODELS_VARIABLE, user_model_directory

COMMIT = '1986999759dfac7d38ed9ccddda5d4f5ba488e82'
BASE_URL = f'https://raw.githubusercontent.com/DrSleep/multi-task-refinenet/{COMMIT}/weights'
LICENSE_NOTICE = (
    'The weights are by V. Nekrasov et al. (DrSleep/multi-task-refinenet), for academic, '
    'non-commercial use only; see the LICENSE file of that repository.'
)
MAX_BYTES = 100_000_000


@dataclass(frozen=True)
class OfficialWeights:
    """
    One official checkpoint.

    :param blob: its Git blob id, see :func:`~hydranet_ros.model_files.download.git_blob_id`.
    :param preset: the preset whose model files are exported from it.
    """

    name: str
    blob: str
    preset: str

    @property
    def file(self) -> str:
        """Return the name of the file in the authors' repository."""
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


def describe_weights() -> str:
    """Return a table of the official weights: name, preset, model file and where it is."""
    rows = []
    for item in WEIGHTS.values():
        for choice in Preset.load(item.preset).models.values():
            rows.append(f'{item.name:20} preset {item.preset:11} {_status(choice.file)}')
    return '\n'.join([*rows, '', LICENSE_NOTICE])


def _status(name: str) -> str:
    try:
        return f'installed: {find_model(name)}'
    except ModelNotFoundError:
        return f'not installed: {name}'


def pull_weights(
    name: str,
    *,
    base_url: str = BASE_URL,
    destination: Path | None = None,
    convert: bool = True,
    log: Callable[[str], None] = print,
) -> list[Path]:
    """
    Download an official checkpoint and return the model files that are exported from it.

    An error leaves no files behind.

    :param name: a key of :data:`WEIGHTS`.
    :param base_url: URL of the folder with the checkpoint.
    :param destination: folder of the model files; by default the one that presets search.
    :param convert: ``False`` keeps the checkpoint as it is and returns its path.
    :param log: receives a line before each step.
    :raises DownloadError: if the name is unknown, a package is missing, the folder cannot be
        written, the download fails (see :func:`~hydranet_ros.model_files.download.download`), or
        the export fails.
    """
    if name not in WEIGHTS:
        raise DownloadError(f'Weights {name!r} are unknown; allowed: {", ".join(WEIGHTS)}.')
    item = WEIGHTS[name]
    folder = destination or user_model_directory()
    if convert:
        _require_exporter()
    log(LICENSE_NOTICE)
    with _temporary_folder(folder) as temporary:
        checkpoint = Path(temporary) / item.file
        url = f'{base_url.rstrip("/")}/{item.file}'
        download(url, checkpoint, item.blob, checksum=git_blob_id, max_bytes=MAX_BYTES)
        if not convert:
            return [checkpoint.replace(folder / item.file)]
        return _export(item, checkpoint, folder, log)


def _require_exporter() -> None:
    """Refuse to download what could not be exported."""
    missing = [name for name in ('torch', 'onnx', 'onnxruntime') if find_spec(name) is None]
    if missing:
        raise DownloadError(
            f"The export needs {', '.join(missing)}: pip install 'hydranet_ros[train,cpu]', then "
            'retry. Nothing was downloaded.'
        )


def _temporary_folder(folder: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder on the file system of the result."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix='.pull-', dir=folder)
    except OSError as err:
        raise DownloadError(
            f'{folder} cannot be written: {err.strerror or err}. Choose another folder with the '
            f'environment variable {MODELS_VARIABLE}.'
        ) from err


def _export(
    item: OfficialWeights, checkpoint: Path, folder: Path, log: Callable[[str], None]
) -> list[Path]:
    """Export each domain beside the checkpoint, then move all files into the folder together."""
    from hydranet_ros.network.export import export_checkpoint

    reports = []
    try:
        for domain, choice in Preset.load(item.preset).models.items():
            path = checkpoint.with_name(choice.file)
            reports.append(
                export_checkpoint(checkpoint, item.preset, path, domain=domain, log=log)
            )
        written = [path for report in reports for path in report.paths.values()]
        with atomic_paths([folder / path.name for path in written]) as destinations:
            for path, destination in zip(written, destinations):
                path.replace(destination)
    except (ExportError, OSError) as err:
        raise DownloadError(f'{item.name} was downloaded but not exported: {err}') from err
    return [folder / report.path.name for report in reports]
