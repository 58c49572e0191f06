"""Description of the machine, of the package versions and of the source commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.harness.options import usable_cores
from hydranet_ros import __version__
from hydranet_ros.inference.nvidia import gpu_name
from hydranet_ros.inference.processor import first_value, processor_model

PACKAGES = (
    'numpy', 'opencv-python-headless', 'onnxruntime', 'onnxruntime-gpu', 'onnx', 'torch',
    'openvino', 'tensorrt', 'ros-rclpy',
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Return the processor, its cores, the memory, the GPU, the system and the load average."""
    kilobytes = int((first_value(Path('/proc/meminfo'), 'MemTotal') or '0').split()[0])
    return {
        'cpu': processor_model() or 'unknown',
        'cores': usable_cores(),
        'memory_gib': round(kilobytes / 2**20, 1),
        'gpu': gpu_name(0) or None,
        'system': f'{platform.system()} {platform.release().partition("-")[0]}',
        'load_before': round(os.getloadavg()[0], 2),
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of the packages that it measures."""
    found = {'python': platform.python_version(), 'hydranet_ros': __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> dict[str, Any] | None:
    """Return the commit and whether files differ from it; ``None`` outside a git checkout."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / '.git').exists():
        return None
    head = _git(root, 'rev-parse', 'HEAD')
    if not head:
        return None
    return {'hash': head, 'dirty': bool(_git(root, 'status', '--porcelain'))}


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ['git', '-C', str(root), *arguments], capture_output=True, text=True, timeout=20,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''
