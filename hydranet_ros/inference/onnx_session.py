"""
Sessions of ONNX Runtime.

``onnxruntime.get_available_providers()`` lists what the wheel was built with. ONNX Runtime drops
a provider whose libraries do not load when it creates the session, so the provider in use is
read back from the session.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import MissingDependencyError, ModelError, ProviderError
from hydranet_ros.inference.installed import INCOMPLETE, REMOVE, module_is_incomplete
from hydranet_ros.inference.onnx_libraries import preload_cuda
from hydranet_ros.model_files.metadata import REWRITE_HINT

RUNTIME_NAMES: Mapping[str, str] = {
    'tensorrt': 'TensorrtExecutionProvider',
    'cuda': 'CUDAExecutionProvider',
    'cpu': 'CPUExecutionProvider',
}
"""ONNX Runtime's name of each of our providers that it runs, best first."""
INSTALL_GPU = (
    f"{REMOVE}, then pip install 'hydranet_ros[gpu]' (it brings onnxruntime-gpu and its CUDA and "
    'cuDNN libraries)'
)
Providers = Sequence[tuple[str, Mapping[str, Any]]]
RECORD_ASSIGNMENT = 'session.record_ep_graph_assignment_info'
_OF_THE_GPU = re.compile('CUDA (failure|error)|CUDNN|CUBLAS|provider option', re.IGNORECASE)
"""Errors of the GPU or its driver, not of the model."""
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class DevicePlacement:
    """
    How a session runs whose inputs and outputs are in GPU memory.

    :param stream: handle of the CUDA stream.
    :param size: (H, W) of every image.
    :param graph: replay one CUDA graph instead of launching each kernel.
    """

    stream: int
    size: tuple[int, int]
    graph: bool


class OnnxSession:
    """
    A session of ONNX Runtime on arrays in host memory; see
    :class:`~hydranet_ros.inference.session.Session`.

    :param session: ``onnxruntime.InferenceSession``.
    """

    def __init__(self, session: Any, precision: str, notes: tuple[str, ...] = ()) -> None:
        self.session = session
        self.precision = precision
        self.notes = notes

    def run(self, images: NDArray[np.uint8], outputs: Mapping[str, NDArray]) -> None:
        """Run on images (N, H, W, 3) and write the outputs into arrays."""
        binding = self.session.io_binding()
        binding.bind_input('image', 'cpu', 0, np.uint8, images.shape, images.ctypes.data)
        for name, array in outputs.items():
            kind = array.dtype.type
            binding.bind_output(name, 'cpu', 0, kind, array.shape, array.ctypes.data)
        self.session.run_with_iobinding(binding)

    def close(self) -> None:
        """Free the session."""
        self.session = None


def create_session(
    model: bytes,
    source: Path,
    providers: Providers,
    *,
    threads: int = 0,
    size: tuple[int, int] | None = None,
    record: bool = False,
) -> Any:
    """
    Return an ``onnxruntime.InferenceSession``.

    :param source: the file, for messages.
    :param providers: ONNX Runtime's names and options, best first; the first one must be used.
    :param size: (H, W) of every image, to fix the shapes; ``None`` if they vary.
    :param record: record which provider runs each node, for
        :func:`~hydranet_ros.inference.node_assignment.assignment_note`.
    :raises ProviderError: if the libraries of the first provider do not load.
    :raises ModelError: if the model cannot be loaded.
    """
    runtime = import_runtime()
    settings = runtime.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    # Idle worker threads would spin and take the core from the thread that publishes.
    settings.add_session_config_entry('session.force_spinning_stop', '1')
    # A memory pattern reserves a second block for what the arena holds already: 84 MB.
    settings.enable_mem_pattern = False
    if record:
        settings.add_session_config_entry(RECORD_ASSIGNMENT, '1')
    if size is not None:
        for name, length in zip(('batch', 'height', 'width'), (1, *size)):
            settings.add_free_dimension_override_by_name(name, length)
    try:
        session = runtime.InferenceSession(
            model, settings, providers=list(providers), enable_fallback=0
        )
    except Exception as err:
        if providers[0][0] != RUNTIME_NAMES['cpu'] and _OF_THE_GPU.search(str(err)):
            raise ProviderError(f'{providers[0][0]} failed: {first_line(err)}') from err
        raise ModelError(
            f'{source} ({len(model)} bytes) cannot be loaded: {first_line(err)}. If the file is '
            f'damaged, get it again. {REWRITE_HINT}'
        ) from err
    if session.get_providers()[0] != providers[0][0]:
        failures = preload_cuda(runtime)
        reason = f': {"; ".join(failures)}' if failures else (
            "; onnxruntime's own log line above names the missing one"
        )  # fmt: skip
        raise ProviderError(
            f'{providers[0][0]} is not used: its libraries did not load{reason}. To install them: '
            f'{INSTALL_GPU}.'
        )
    return session


def available(name: str) -> bool:
    """Return whether the installed wheel was built with a provider of :data:`RUNTIME_NAMES`."""
    return RUNTIME_NAMES[name] in import_runtime().get_available_providers()


def open_any(model: bytes, source: Path, requested: str = 'auto') -> tuple[Any, tuple[str, ...]]:
    """
    Load any ONNX model, with or without our metadata, on the best provider that works.

    :param requested: key of :data:`RUNTIME_NAMES` or ``auto``.
    :returns: the session and warnings, one sentence each.
    :raises ModelError: if no provider can load the model.
    :raises ProviderError: if the requested provider cannot be used.
    """
    names = list(RUNTIME_NAMES) if requested == 'auto' else [requested]
    if requested != 'auto' and not available(requested):
        raise ProviderError(f'Provider {requested!r} is not installed. {INSTALL_GPU}.')
    warnings: list[str] = []
    for name in (name for name in names if available(name)):
        lower = [item for item in list(RUNTIME_NAMES)[names.index(name) :] if available(item)]
        try:
            providers: Providers = [(RUNTIME_NAMES[item], {}) for item in lower]
            return create_session(model, source, providers), tuple(warnings)
        except (ModelError, ProviderError) as err:
            if name == names[-1]:
                raise
            warnings.append(f'Provider {name!r} cannot be used: {err}')
    raise ProviderError(f'onnxruntime has none of the providers {", ".join(names)}.')


def first_line(err: Exception) -> str:
    """Return the first line of an onnxruntime error without the location in its source."""
    text = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
    return re.sub(r'\S+\.(cc|h):\d+ .*?\) ', '', text).rstrip('. ')


def import_runtime() -> Any:
    """
    Return the module onnxruntime, with the GPU libraries of pip packages loaded if present.

    :raises MissingDependencyError: if it is not installed, or only in part.
    """
    if module_is_incomplete():
        raise MissingDependencyError(INCOMPLETE)
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingDependencyError(
            "ONNX Runtime is not installed: pip install 'hydranet_ros[cpu]' (or [gpu])."
        ) from err
    preload_cuda(onnxruntime)
    return onnxruntime
