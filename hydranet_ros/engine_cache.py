"""Where built TensorRT engines are kept, and what they depend on."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path

_TENSORRT_PACKAGES = ('tensorrt', 'tensorrt-cu13', 'tensorrt-cu12')


def cache_folder(model: Path, base: Path | None, fp16: bool) -> Path:
    """
    Return the folder of a model's engines, made if need be.

    Its name holds all that an engine depends on: the model's sha256, the GPU, the version of
    TensorRT and the precision; so an engine that no longer fits is never loaded.
    """
    root = base or _user_cache() / 'tensorrt'
    digest = hashlib.sha256(model.read_bytes()).hexdigest()[:16]
    gpu = re.sub(r'\W+', '-', gpu_name()) or 'no-gpu'
    precision = 'fp16' if fp16 else 'fp32'
    folder = root / f'{digest}_{gpu}_trt{tensorrt_version()}_{precision}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _user_cache() -> Path:
    home = os.environ.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
    return Path(home) / 'hydranet_ros'


def tensorrt_version() -> str:
    """Return the version of the installed TensorRT package, or ``unknown``."""
    for name in _TENSORRT_PACKAGES:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return 'unknown'


@lru_cache(maxsize=1)
def gpu_name() -> str:
    """Return the name of the first NVIDIA GPU, empty where there is none."""
    if not Path('/proc/driver/nvidia').exists():
        return ''
    try:
        done = subprocess.run(
            ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader'],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else ''
