"""The libraries that this process has loaded, which may be others than those that pip lists."""

from __future__ import annotations

from pathlib import Path

_NAMES = (
    'libcuda', 'libcudart', 'libcudnn', 'libcublas', 'libcufft', 'libnvinfer', 'libnvonnxparser',
    'libnvrtc', 'onnxruntime', 'openvino', 'libze_', 'OpenCL', 'libtbb',
)  # fmt: skip
_MAPS = Path('/proc/self/maps')


def mapped_libraries(maps: Path = _MAPS) -> list[str]:
    """Return the paths of the loaded libraries of GPUs and runtimes, sorted."""
    try:
        lines = maps.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6}
    return sorted(
        path for path in paths
        if '.so' in path and any(name in Path(path).name for name in _NAMES)
    )  # fmt: skip
