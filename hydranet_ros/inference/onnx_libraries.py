"""
The libraries of CUDA, cuDNN and TensorRT that ONNX Runtime's GPU providers need.

ONNX Runtime's providers find them only if they are loaded already or in a system folder; pip
installs them elsewhere. Not run on hardware yet; the loading was tested with the wheel of
onnxruntime-gpu 1.31 and with libraries compiled for the test.
"""

from __future__ import annotations

import ctypes
import io
from contextlib import redirect_stdout, suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydranet_ros.inference.elf import needed_libraries
from hydranet_ros.inference.nvidia import driver_loads

_INSTALL = "pip install 'hydranet_ros[gpu]'"
_INSTALL_TENSORRT = "pip install 'hydranet_ros[tensorrt]'"
_OF_TENSORRT = ('libnvinfer', 'libnvonnxparser')
_TENSORRT_PACKAGE = 'tensorrt_libs'
_COMPILER = ('libnvrtc-builtins.so.*', 'libnvrtc.so.*')


@lru_cache(maxsize=1)
def preload_cuda(runtime: Any) -> tuple[str, ...]:
    """
    Load the libraries of CUDA and cuDNN once, where there is a driver; return what failed.

    :param runtime: the module onnxruntime.
    """
    if not hasattr(runtime, 'preload_dlls') or not driver_loads():
        return ()
    printed = io.StringIO()
    try:
        # It prints failures; the standard output of our commands is for results.
        with redirect_stdout(printed):
            runtime.preload_dlls()
    except Exception as err:  # it documents none
        return (f'{type(err).__name__}: {err}',)
    load_compiler()
    lines = printed.getvalue().splitlines()
    return tuple(line.strip() for line in lines if line.startswith('Failed to load'))


def load_compiler() -> tuple[str, ...]:
    """
    Load pip's NVRTC, which compiles CUDA kernels, and the library that it opens by name.

    ``preload_dlls`` loads ``libnvrtc`` alone, which then searches for ``libnvrtc-builtins`` in
    the system's folders and compiles nothing. CuPy 13 does not search for NVRTC in pip's folders.

    :returns: names of the loaded files; empty if pip installed none.
    """
    spec = find_spec('nvidia')
    folders = spec.submodule_search_locations if spec is not None else None
    files = [
        path for pattern in _COMPILER for folder in folders or ()
        for path in sorted(Path(folder).glob(f'*/lib/{pattern}'))
    ]  # fmt: skip
    return tuple(path.name for path in files if not _load(path.name, path.parent))


def missing_library(provider: str, library: Path | None = None) -> str | None:
    """
    Load the libraries that a provider needs, before the first session.

    :param provider: cuda or tensorrt.
    :param library: the provider's library, by default that of the installed onnxruntime.
    :returns: which one does not load and the remedy, or ``None``.
    """
    folder = _tensorrt_folder() if provider == 'tensorrt' else None
    for name in needed_libraries(library or _provider_library(provider)):
        error = _load(name, folder)
        if error:
            remedy = _INSTALL_TENSORRT if name.startswith(_OF_TENSORRT) else _INSTALL
            return f'the library {name} does not load ({error}). To install it: {remedy}'
    return None


def _provider_library(provider: str) -> Path:
    spec = find_spec('onnxruntime')
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places or ['.'])), 'capi', f'libonnxruntime_providers_{provider}.so')


def _tensorrt_folder() -> Path | None:
    """Return the folder of pip's TensorRT libraries, loaded by their own package; or ``None``."""
    spec = find_spec(_TENSORRT_PACKAGE)
    if spec is None:
        return None
    # The package loads all of its libraries, those that build engines too. What is needed and
    # did not load is found afterwards, by name.
    with suppress(Exception):
        import_module(_TENSORRT_PACKAGE)
    return Path(next(iter(spec.submodule_search_locations or ['.'])))


def _load(name: str, folder: Path | None) -> str:
    """Load a library, from the folder if it is there; return the error or an empty string."""
    inside = folder is not None and (folder / name).is_file()
    try:
        ctypes.CDLL(str(folder / name) if folder is not None and inside else name)
    except OSError as err:
        return str(err)
    return ''
