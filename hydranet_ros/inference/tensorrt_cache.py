"""The cache folder of TensorRT engines, named by everything an engine depends on."""

from __future__ import annotations

import ctypes
import hashlib
import re
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from hydranet_ros.errors import ProviderError
from hydranet_ros.resources import user_cache_directory

_TENSORRT_PACKAGES = ('tensorrt', 'tensorrt-cu13', 'tensorrt-cu12')
_TENSORRT_LIBRARIES = ('libnvinfer.so.11', 'libnvinfer.so.10', 'libnvinfer.so.8')
_DRIVER = Path('/proc/driver/nvidia')


def cache_folder(
    model: bytes, base: Path | None, *, precision: str, device: int = 0,
    size: tuple[int, int] | None = None,
) -> Path:  # fmt: skip
    """
    Return the folder of a model's engines, created if necessary.

    Its name contains everything that an engine depends on: the model's sha256, the GPU, the
    TensorRT version, the precision and the image size. An engine that no longer fits is never
    loaded.

    :param model: the model file's bytes.
    :param base: folder of all caches, ``None`` for the user's cache.
    :param precision: float32, float16 or int8.
    :param size: (H, W) of every image, ``None`` if it varies.
    :raises ProviderError: if the folder cannot be created.
    """
    root = base or user_cache_directory() / 'tensorrt'
    digest = hashlib.sha256(model).hexdigest()[:16]
    gpu = re.sub(r'\W+', '-', gpu_name(device)) or 'no-gpu'
    end = f'_{size[1]}x{size[0]}' if size else ''
    folder = root / f'{digest}_{gpu}_trt{tensorrt_version()}_{precision}{end}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ProviderError(
            f'The TensorRT cache {folder} cannot be created: {err}. Set another folder with the '
            'parameter engine_cache, or set XDG_CACHE_HOME.'
        ) from err
    return folder


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


@lru_cache(maxsize=4)
def gpu_name(device: int = 0) -> str:
    """Return the name of an NVIDIA GPU, or an empty string if there is none."""
    if not _DRIVER.exists():
        return ''
    command = ['nvidia-smi', f'--id={device}', '--query-gpu=name', '--format=csv,noheader']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines and done.returncode == 0 else ''
