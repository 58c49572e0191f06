"""
OpenVINO in this process: its module, and the one core that all sessions use.

Loaded carelessly, OpenVINO reports every import to Intel and makes a later signal fatal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from hydranet_ros.errors import ProviderError

INSTALL = "pip install 'hydranet_ros[openvino]'"
_CONVERTER = 'openvino.tools.ovc'


@lru_cache(maxsize=1)
def openvino_core() -> Any:
    """
    Return the ``openvino.Core`` of this process, which lives as long as the process.

    The CPU plugin gives the thread that loads it an alternative signal stack (for AMX), and frees
    that stack with the core. After two cores, or one that another thread has freed, the first
    thread keeps a stack that is unmapped: the next signal, such as Ctrl-C, ends the process with
    SIGSEGV. So there is one core, and a thread that ends at once loads its plugin.

    :raises ProviderError: if OpenVINO cannot be imported or started.
    """
    runtime = import_openvino()
    try:
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(_load_core, runtime).result()
    except RuntimeError as err:
        raise ProviderError(f'OpenVINO cannot be started: {err}') from err


def _load_core(runtime: Any) -> Any:
    core = runtime.Core()
    core.get_property('CPU', 'FULL_DEVICE_NAME')  # the plugin is loaded by its first use
    return core


def import_openvino() -> Any:
    """
    Return the module openvino, without its converter and telemetry.

    :raises ProviderError: if it cannot be imported.
    """
    try:
        with _converter_left_out():
            import openvino
    except (ImportError, OSError) as err:
        raise ProviderError(
            f'OpenVINO cannot be imported: {err}. To install it: {INSTALL}'
        ) from err
    return openvino


@contextmanager
def _converter_left_out() -> Iterator[None]:
    """
    Make OpenVINO's converter of models look uninstalled while ``openvino`` is imported.

    The converter's own import is two thirds of the time. It starts a thread and a process that
    report the import to Intel, and creates a folder in the user's home.
    """
    if 'openvino' in sys.modules or _CONVERTER in sys.modules:
        yield
        return
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_CONVERTER]
