"""Report of an evaluation as JSON: all metrics with model, data and versions."""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from hydranet_ros import __version__
from hydranet_ros.errors import MediaError
from hydranet_ros.images.files import write_file
from hydranet_ros.training.evaluation.published import published_rows
from hydranet_ros.training.evaluation.run import Evaluation, SetResult

FORMAT = 1
_PACKAGES = (
    'torch', 'numpy', 'opencv-python-headless', 'opencv-python', 'onnxruntime', 'onnxruntime-gpu',
)  # fmt: skip


def report(evaluation: Evaluation, command: Sequence[str] = ()) -> dict[str, Any]:
    """
    Return all measurements as JSON values; an undefined metric is ``null``.

    :param command: the command line.
    """
    whole = {
        'format': FORMAT,
        'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'command': list(command),
        'versions': versions(),
        'options': asdict(evaluation.options),
        'stopped_early': evaluation.stopped,
        'data': [_set(result) for result in evaluation.results],
    }
    return _plain(whole)


def versions() -> dict[str, str]:
    """Return the versions of the packages that affect the metrics."""
    found = {'hydranet_ros': __version__, 'python': platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _set(result: SetResult) -> dict[str, Any]:
    classes = [item.name for item in result.model.classes]
    return {
        'source': result.source,
        'kind': result.kind,
        'images': len(result.samples),
        'measured': len(result.images),
        'annotated': result.annotated,
        'warnings': result.warnings,
        'model': dict(result.model.facts),
        'protocol': asdict(result.protocol),
        'metrics': result.metrics(),
        'depth_pixels': {name: tally.depth.pixels for name, tally in result.tallies.items()},
        'depth_images': {name: tally.depth.images for name, tally in result.tallies.items()},
        'iou_by_class': {
            name: dict(zip(classes, tally.confusion.iou.tolist()))
            for name, tally in result.tallies.items()
        },
        'confusion': {
            name: tally.confusion.counts.tolist() for name, tally in result.tallies.items()
        },
        'per_image': result.images,
        'published': [asdict(row) for row in published_rows(result.kind)],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_report(path: Path, evaluation: Evaluation) -> None:
    """
    Write the report atomically into an existing folder.

    :raises MediaError: if the file cannot be written.
    """
    text = json.dumps(report(evaluation, sys.argv), indent=1, allow_nan=False)
    write_file(path, text.encode())


def require_writable(path: Path) -> None:
    """
    Create the folder of a result file and check that it is writable, before the long work.

    :raises MediaError: if the file could not be written.
    """
    if path.is_dir():
        raise MediaError(f'{path} is a folder; expected the name of a file to write.')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as err:
        raise MediaError(f'{path} cannot be written: {err.strerror or err}.') from err
