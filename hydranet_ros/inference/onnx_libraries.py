"""
The libraries of CUDA, cuDNN and TensorRT that ONNX Runtime's GPU providers need.

ONNX Runtime's providers find them only if they are loaded already or in a system folder; pip
installs them elsewhere. Not run on hardware yet.
"""

from __future__ import annotations

import ctypes
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.nvidia import driver_loads

INSTALL_TENSORRT = "pip install 'hydranet_ros[tensorrt]'"
_LIBRARIES_PACKAGE = 'tensorrt_libs'
_PROVIDER_LIBRARY = 'libonnxruntime_providers_tensorrt.so'
_USUAL_MAJOR = 10


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
    lines = printed.getvalue().splitlines()
    return tuple(line.strip() for line in lines if line.startswith('Failed to load'))


def load_tensorrt(folder: Path | None = None) -> None:
    """
    Load TensorRT's libraries, before the first session.

    :param folder: where to look first; by default the package that pip installs.
    :raises ProviderError: if one does not load.
    """
    major = tensorrt_major()
    if folder is None:
        folder = _package_folder()
    for name in ('libnvinfer.so', 'libnvonnxparser.so'):
        _load(f'{name}.{major}', folder)


def tensorrt_major(provider: Path | None = None) -> int:
    """
    Return the major version of TensorRT that ONNX Runtime's provider was built with.

    :param provider: library of the provider, by default the installed one.
    """
    if provider is None:
        spec = find_spec('onnxruntime')
        places = spec.submodule_search_locations if spec is not None else None
        provider = Path(next(iter(places or ['.'])), 'capi', _PROVIDER_LIBRARY)
    try:
        found = re.search(rb'libnvinfer\.so\.(\d+)', provider.read_bytes())
    except OSError:
        return _USUAL_MAJOR
    return int(found[1]) if found else _USUAL_MAJOR


def _package_folder() -> Path | None:
    """Return the folder of pip's TensorRT libraries, loaded by their own package; or ``None``."""
    spec = find_spec(_LIBRARIES_PACKAGE)
    if spec is None:
        return None
    # The package loads all of its libraries, the builder's resources too. What it cannot load
    # is reported by name below.
    with suppress(Exception):
        import_module(_LIBRARIES_PACKAGE)
    return Path(next(iter(spec.submodule_search_locations or ['.'])))


def _load(name: str, folder: Path | None) -> None:
    errors: list[str] = []
    for path in _places(name, folder):
        try:
            ctypes.CDLL(path)
        except OSError as err:
            errors.append(str(err))
        else:
            return
    raise ProviderError(
        f"TensorRT's library {name} does not load: {errors[0]}. To install it: {INSTALL_TENSORRT}."
    )


def _places(name: str, folder: Path | None) -> Iterator[str]:
    if folder is not None and (folder / name).is_file():
        yield str(folder / name)
    yield name
