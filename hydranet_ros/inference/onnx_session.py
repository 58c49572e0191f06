"""
Create an ONNX Runtime session on the best provider that works.

``onnxruntime.get_available_providers()`` lists what the wheel was built with. ONNX Runtime drops
a provider whose libraries do not load when it creates the session, so the provider in use is
read back from the session.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydranet_ros.errors import MissingDependencyError, ModelError, ProviderError
from hydranet_ros.inference.providers import PROVIDERS, DevicePlacement, EngineOptions
from hydranet_ros.inference.tensorrt_cache import gpu_name
from hydranet_ros.model_files.metadata import REWRITE_HINT

_NAMES = {item.runtime_name: name for name, item in PROVIDERS.items()}
_ERRORS_ONLY = 3
_INSTALL_GPU = (
    "pip uninstall onnxruntime, then pip install 'hydranet_ros[gpu]' (it brings onnxruntime-gpu "
    'and its CUDA, cuDNN and TensorRT libraries)'
)


@dataclass(frozen=True)
class OpenedSession:
    """
    A session and the provider that runs it.

    :param session: ``onnxruntime.InferenceSession``.
    :param provider: key of :data:`~hydranet_ros.inference.providers.PROVIDERS` that the session
        really uses.
    :param warnings: why a better provider is not used, one sentence each.
    """

    session: Any
    provider: str
    warnings: tuple[str, ...]


def first_choice(options: EngineOptions) -> str:
    """
    Return the provider that is tried first.

    :raises ProviderError: if the requested one is not in the installed wheel.
    """
    return _candidates(import_runtime(), options)[0]


def open_session(
    model: bytes, source: Path, options: EngineOptions, placement: DevicePlacement | None = None
) -> OpenedSession:
    """
    Return a session on the best requested provider that works.

    :param model: bytes of the ONNX file.
    :param source: name of the file, for messages.
    :param placement: ``None`` for arrays of any size in host memory.
    :raises ModelError: if no provider can load the model.
    :raises ProviderError: if a requested provider cannot be used.
    """
    runtime = import_runtime()
    names = _candidates(runtime, options)
    reasons: dict[str, str] = {}
    for start, name in enumerate(names):
        try:
            session = _create(runtime, model, names[start:], options, placement)
        except ProviderError:
            raise
        except Exception as err:
            reasons[name] = first_line(err)
            continue
        provider = _NAMES.get(session.get_providers()[0], 'cpu')
        return OpenedSession(session, provider, _fallback_warnings(names, provider, reasons,
                                                                   options))  # fmt: skip
    raise ModelError(
        f'{source} ({len(model)} bytes) cannot be loaded: {reasons[names[-1]]}. If the file is '
        f'damaged, get it again. {REWRITE_HINT}'
    )


def _candidates(runtime: Any, options: EngineOptions) -> list[str]:
    """Return the providers of the wheel from the requested one on, best first."""
    available = runtime.get_available_providers()
    requested = options.provider
    if requested != 'auto' and PROVIDERS[requested].runtime_name not in available:
        raise ProviderError(
            f'Provider {requested!r} was requested, but the installed onnxruntime was built '
            f'without it (it has {[_NAMES.get(name, name) for name in available]}). To install '
            f'it: {_INSTALL_GPU}; or set provider to auto.'
        )
    order = list(PROVIDERS)
    first = 0 if requested == 'auto' else order.index(requested)
    return [name for name in order[first:] if PROVIDERS[name].runtime_name in available]


def _create(
    runtime: Any,
    model: bytes,
    names: list[str],
    options: EngineOptions,
    placement: DevicePlacement | None,
) -> Any:
    settings = runtime.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    # Idle worker threads would spin and take the core from the thread that publishes.
    settings.add_session_config_entry('session.force_spinning_stop', '1')
    # A memory pattern reserves a second block for what the arena holds already: 84 MB.
    settings.enable_mem_pattern = False
    if placement is not None:
        for name, length in zip(('height', 'width'), placement.size):
            settings.add_free_dimension_override_by_name(name, length)
    providers = []
    for name in names:
        provider = PROVIDERS[name]
        values = provider.session_options(model, options, placement)
        providers.append((provider.runtime_name, values))
        # Only one provider may capture a graph; the others run the nodes that it cannot run.
        placement = replace(placement, graph=False) if placement is not None else None
    return runtime.InferenceSession(model, settings, providers=providers, enable_fallback=0)


def _fallback_warnings(
    names: list[str], provider: str, reasons: Mapping[str, str], options: EngineOptions
) -> tuple[str, ...]:
    """Return a warning for each better provider that failed; raise if one was requested."""
    silent = "its libraries did not load; onnxruntime's own log line above names the missing one"
    missed = names[: names.index(provider)]
    texts = [f'Provider {name!r} cannot be used: {reasons.get(name, silent)}.' for name in missed]
    if options.provider not in ('auto', provider):
        raise ProviderError(
            f'{texts[0]} It was requested explicitly. To install it: {_INSTALL_GPU}; or set '
            'provider to auto.'
        )
    if provider == 'cpu' and not missed and options.provider == 'auto':
        gpu = gpu_name(options.device)
        texts = [f'The GPU ({gpu}) is not used: onnxruntime was built without it.'] if gpu else []
    if texts:
        texts[-1] += (
            f' Running on {provider!r} instead. To use the GPU: {_INSTALL_GPU}. To silence this '
            f'warning, set provider to {provider!r}.'
        )
    return tuple(texts)


def first_line(err: Exception) -> str:
    """Return the first line of an onnxruntime error without the location in its source."""
    text = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
    return re.sub(r'\S+\.(cc|h):\d+ .*?\) ', '', text).rstrip('. ')


def import_runtime() -> Any:
    """
    Return the module onnxruntime, with the GPU libraries of pip packages loaded if present.

    :raises MissingDependencyError: if it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingDependencyError(
            "ONNX Runtime is not installed: pip install 'hydranet_ros[cpu]' (or [gpu])."
        ) from err
    if hasattr(onnxruntime, 'preload_dlls') and os.path.exists('/proc/driver/nvidia'):
        onnxruntime.preload_dlls()
    return onnxruntime
