"""
Which execution provider runs a model: what is wanted, what is there, what the session got.

``onnxruntime.get_available_providers()`` only says what the wheel was built with; a provider
whose libraries do not load is dropped when the session is made, so the answer is read back from
the session.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hydranet_ros.inference.tensorrt_cache import cache_folder, gpu_name
from hydranet_ros.errors import MissingDependencyError, ModelError, ProviderError
from hydranet_ros.model_files.metadata import REWRITE_HINT

PROVIDERS: Mapping[str, str] = MappingProxyType({
    'tensorrt': 'TensorrtExecutionProvider',
    'cuda': 'CUDAExecutionProvider',
    'cpu': 'CPUExecutionProvider',
})  # fmt: skip
_NAMES = {value: key for key, value in PROVIDERS.items()}
_ERRORS_ONLY = 3
_GPU_CURE = (
    "Cure: pip uninstall onnxruntime, then pip install 'hydranet_ros[gpu]' (it brings "
    'onnxruntime-gpu and its CUDA, cuDNN and TensorRT libraries)'
)


@dataclass(frozen=True)
class EngineOptions:
    """
    How to run a model.

    :param provider: ``auto`` takes the first of TensorRT, CUDA, CPU that works and warns when
        that is not the best one the machine should have; a name demands that provider.
    :param threads: threads of the CPU provider, 0 for one a core.
    :param fp16: half precision in TensorRT.
    :param cache_directory: where built TensorRT engines are kept, ``None`` for the user's cache.
    :param device: number of the GPU.
    :raises ProviderError: if a value is outside what is allowed.
    """

    provider: str = 'auto'
    threads: int = 0
    fp16: bool = False
    cache_directory: Path | None = None
    device: int = 0

    def __post_init__(self) -> None:
        if self.provider != 'auto' and self.provider not in PROVIDERS:
            raise ProviderError(
                f'Provider {self.provider!r} is unknown; allowed: auto, {", ".join(PROVIDERS)}.'
            )
        if self.threads < 0 or self.device < 0:
            raise ProviderError(
                f'threads is {self.threads} and device {self.device}; allowed: 0 and more.'
            )


@dataclass(frozen=True)
class OnDevice:
    """
    How a session runs whose input and outputs lie on the GPU.

    :param stream: handle of the CUDA stream.
    :param size: (H, W) of every image.
    :param graph: replay one CUDA graph instead of launching each kernel.
    """

    stream: int
    size: tuple[int, int]
    graph: bool


@dataclass(frozen=True)
class OpenedSession:
    """
    A session and what runs it.

    :param session: ``onnxruntime.InferenceSession``.
    :param provider: key of :data:`PROVIDERS` that the session really uses.
    :param warnings: why it is not a better one, a sentence each.
    """

    session: Any
    provider: str
    warnings: tuple[str, ...]


def first_choice(options: EngineOptions) -> str:
    """
    Return the provider that is tried first.

    :raises ProviderError: if the demanded one is not in the installed wheel.
    """
    return _to_try(import_runtime(), options)[0]


def open_session(
    model: bytes, source: Path, options: EngineOptions, place: OnDevice | None = None
) -> OpenedSession:
    """
    Return a session of the best provider that is wanted and works.

    :param model: bytes of the ONNX file; ``source`` is its name, for messages.
    :param place: ``None`` for arrays of any size in the host's memory.
    :raises ModelError: if no provider can load the model.
    :raises ProviderError: if a demanded provider cannot be had.
    """
    runtime = import_runtime()
    names = _to_try(runtime, options)
    reasons: dict[str, str] = {}
    for start, name in enumerate(names):
        try:
            session = _create(runtime, model, names[start:], options, place)
        except ProviderError:
            raise
        except Exception as err:
            reasons[name] = first_line(err)
            continue
        provider = _NAMES.get(session.get_providers()[0], 'cpu')
        return OpenedSession(session, provider, _judge(names, provider, reasons, options))
    raise ModelError(
        f'{source} ({len(model)} bytes) cannot be loaded: {reasons[names[-1]]}. If the file is '
        f'damaged, get it again. {REWRITE_HINT}'
    )


def _to_try(runtime: Any, options: EngineOptions) -> list[str]:
    """Return the providers of the wheel from the wanted one on, best first."""
    available = runtime.get_available_providers()
    wanted = options.provider
    if wanted != 'auto' and PROVIDERS[wanted] not in available:
        raise ProviderError(
            f'Provider {wanted!r} was demanded, but the installed onnxruntime was built without '
            f'it (it has {[_NAMES.get(name, name) for name in available]}). {_GPU_CURE}, or let '
            'provider be auto.'
        )
    order = list(PROVIDERS)
    first = 0 if wanted == 'auto' else order.index(wanted)
    return [name for name in order[first:] if PROVIDERS[name] in available]


def _create(
    runtime: Any, model: bytes, names: list[str], options: EngineOptions, place: OnDevice | None
) -> Any:
    settings = runtime.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    # Else the threads that wait for the next run spin, and take the core from whoever publishes.
    settings.add_session_config_entry('session.force_spinning_stop', '1')
    # A pattern is a second block of memory for what the arena holds already: 84 MB for nothing.
    settings.enable_mem_pattern = False
    if place is not None:
        for name, length in zip(('height', 'width'), place.size):
            settings.add_free_dimension_override_by_name(name, length)
    providers = []
    for name in names:
        providers.append((PROVIDERS[name], _provider_options(name, model, options, place)))
        # Only one provider may capture a graph; the others are for nodes that it cannot run.
        place = replace(place, graph=False) if place is not None else None
    return runtime.InferenceSession(model, settings, providers=providers, enable_fallback=0)


def _provider_options(
    name: str, model: bytes, options: EngineOptions, place: OnDevice | None
) -> dict[str, Any]:
    if name == 'cpu':
        return {}
    values: dict[str, Any] = {'device_id': options.device}
    if place is not None:
        values['user_compute_stream'] = str(place.stream)
        values['trt_cuda_graph_enable' if name == 'tensorrt' else 'enable_cuda_graph'] = (
            place.graph
        )
    if name == 'tensorrt':
        folder = str(
            cache_folder(
                model,
                options.cache_directory,
                fp16=options.fp16,
                device=options.device,
                size=place.size if place is not None else None,
            )  # fmt: skip
        )
        values.update(
            trt_engine_cache_enable=True, trt_engine_cache_path=folder,
            trt_timing_cache_enable=True, trt_timing_cache_path=folder,
            trt_fp16_enable=options.fp16,
        )  # fmt: skip
    return values


def _judge(
    names: list[str], provider: str, reasons: Mapping[str, str], options: EngineOptions
) -> tuple[str, ...]:
    """Return a warning for each better provider that failed; raise if one was demanded."""
    silent = "its libraries did not load; onnxruntime's own line above names the missing one"
    missed = names[: names.index(provider)]
    texts = [f'Provider {name!r} cannot be used: {reasons.get(name, silent)}.' for name in missed]
    if options.provider not in ('auto', provider):
        raise ProviderError(
            f'{texts[0]} It was demanded; {_GPU_CURE[6:]}, or let provider be auto.'
        )
    if provider == 'cpu' and not missed and options.provider == 'auto':
        gpu = gpu_name(options.device)
        texts = [f'The GPU ({gpu}) is not used: onnxruntime was built without it.'] if gpu else []
    if texts:
        texts[-1] += f' Running on {provider!r} instead. {_GPU_CURE}, or demand {provider!r}.'
    return tuple(texts)


def first_line(err: Exception) -> str:
    """Return what onnxruntime says went wrong, without the place in its own source."""
    text = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
    return re.sub(r'\S+\.(cc|h):\d+ .*?\) ', '', text).rstrip('. ')


def import_runtime() -> Any:
    """
    Return the module onnxruntime, with the GPU libraries of pip packages loaded where there are.

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
