"""
The cache folder of TensorRT engines, named by everything an engine depends on.

The checksums of the engines are stored beside them: a damaged engine, or one that was not written
to its end, is never given to TensorRT, which does not check it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import re
import shutil
import tempfile
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from hydranet_ros.files import sha256_of, write_atomically
from hydranet_ros.inference.nvidia import find_driver, gpu_name
from hydranet_ros.resources import user_cache_directory

_TENSORRT_PACKAGES = ('tensorrt-cu13', 'tensorrt-cu12', 'tensorrt')
_TENSORRT_LIBRARIES = ('libnvinfer.so.10', 'libnvinfer.so.11', 'libnvinfer.so.8')
_FREE_BYTES = 1 << 29
"""Free space that is required: ONNX Runtime does not notice that it could not write an engine."""
_ENGINE_FILES = ('*.engine', '*.profile')
_CHECKSUMS = 'checksums.json'
_warned: set[str] = set()
logger = logging.getLogger(__name__)


def engine_folder(
    model: bytes, base: Path | None, *, precision: str, device: int = 0,
    size: tuple[int, int] | None = None, runtime: str = '',
) -> Path:  # fmt: skip
    """
    Return the folder of a model's engines, whether it exists or not.

    Its name contains everything that an engine depends on: the model's sha256, the GPU and its
    compute capability, the driver, the versions of TensorRT and ONNX Runtime, the precision and
    the image size. An engine that no longer fits is never loaded.

    :param model: the model file's bytes.
    :param base: folder of all caches, ``None`` for the user's cache.
    :param precision: float32, tf32, float16 or int8.
    :param device: CUDA's ordinal of the GPU.
    :param size: (H, W) of every image, ``None`` if it varies.
    :param runtime: version of ONNX Runtime.
    """
    root = base or user_cache_directory() / 'tensorrt'
    digest = hashlib.sha256(model).hexdigest()[:16]
    versions = f'trt{tensorrt_version()}_ort{runtime or "unknown"}'
    end = f'_{size[1]}x{size[0]}' if size else ''
    return root / f'{digest}_{_hardware(device)}_{versions}_{precision}{end}'


def prepare_folder(folder: Path, free_bytes: int = _FREE_BYTES) -> bool:
    """
    Create a folder of engines, or check the engines in it; delete damaged ones.

    :param free_bytes: space that the disk must have for a new engine.
    :returns: false, with one warning, if engines can neither be loaded from it nor written to it:
        the engine is then built at every start.
    """
    if _engines(folder):
        if engines_are_intact(folder):
            return True
        logger.warning('The engine in %s is damaged or incomplete; it is built again.', folder)
    problem = _problem(folder, free_bytes)
    if problem is None and (not _engines(folder) or discard_engines(folder)):
        return True
    _warn_once(str(folder.parent), problem or 'a damaged engine cannot be deleted')
    return False


def record_engines(folder: Path) -> None:
    """Store the checksums of the engines in a folder, after a session was opened with them."""
    try:
        found = {path.name: sha256_of(path) for path in _engines(folder)}
        if found and found != _recorded(folder):
            write_atomically(folder / _CHECKSUMS, json.dumps(found, indent=1).encode())
    except OSError as err:
        logger.warning('The engine in %s will be built again at the next start: %s', folder, err)


def engines_are_intact(folder: Path) -> bool:
    """Return whether the engines in a folder are those whose checksums were stored."""
    try:
        found = {path.name: sha256_of(path) for path in _engines(folder)}
    except OSError:
        return False
    return bool(found) and found == _recorded(folder)


def discard_engines(folder: Path) -> bool:
    """Delete the files of a folder; return whether there were any and all are deleted."""
    try:
        files = [path for path in folder.iterdir() if path.is_file()]
        for path in files:
            path.unlink()
    except FileNotFoundError:
        return False
    except OSError as err:
        logger.warning('The TensorRT engine %s cannot be deleted: %s', folder, err)
        return False
    return bool(files)


def _engines(folder: Path) -> list[Path]:
    """Return the files that TensorRT loads; a timing cache only makes builds faster."""
    return sorted(path for pattern in _ENGINE_FILES for path in folder.glob(pattern))


def _recorded(folder: Path) -> object:
    """Return the stored checksums by file name; ``None`` if there are none."""
    try:
        return json.loads((folder / _CHECKSUMS).read_bytes())
    except (OSError, ValueError):
        return None


def _hardware(device: int) -> str:
    """Return the GPU, its compute capability and the driver, for a file name."""
    driver = find_driver()
    name = gpu_name(device)
    if driver is None or not name:
        return 'no-gpu'
    major, minor = driver.gpus[device].capability
    return re.sub(r'[^\w.]+', '-', f'{name}-sm{major}{minor}-driver{driver.version or "unknown"}')


def _problem(folder: Path, free_bytes: int) -> str | None:
    """Return why nothing can be written to a folder, or ``None``; creates it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix='.probe-') as probe:
            probe.write(b'0' * 4096)
        free = shutil.disk_usage(folder).free
    except OSError as err:
        return str(err)
    if free < free_bytes:
        return f'its disk has {free / 2**20:.0f} MiB free; {free_bytes / 2**20:.0f} are needed'
    return None


def _warn_once(root: str, problem: str) -> None:
    if root in _warned:
        return
    _warned.add(root)
    logger.warning(
        'TensorRT engines are not kept, so that each start builds them again: %s cannot be used: '
        '%s. Set another folder with the parameter engine_cache, or set XDG_CACHE_HOME.',
        root, problem,
    )  # fmt: skip


@lru_cache(maxsize=1)
def tensorrt_version() -> str:
    """Return the version of TensorRT's Python package or library, or ``unknown``."""
    for name in _TENSORRT_PACKAGES:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    for name in _TENSORRT_LIBRARIES:
        try:
            return str(ctypes.CDLL(name).getInferLibVersion())
        except (OSError, AttributeError):
            continue
    return 'unknown'
