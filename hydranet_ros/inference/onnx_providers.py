"""The providers that ONNX Runtime runs: CPU, CUDA, TensorRT."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.node_assignment import assignment_note
from hydranet_ros.inference.nvidia import driver_problem, wait_without_spinning
from hydranet_ros.inference.onnx_libraries import missing_library
from hydranet_ros.inference.onnx_session import (
    INSTALL_GPU,
    RUNTIME_NAMES,
    DevicePlacement,
    OnnxSession,
    available,
    create_session,
    import_runtime,
)
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.inference.tensorrt_cache import (
    discard_engines,
    engine_folder,
    prepare_folder,
    record_engines,
)
from hydranet_ros.inference.unsigned import unsigned_activations
from hydranet_ros.model_files.metadata import INT8

logger = logging.getLogger(__name__)


class OnnxProvider:
    """What the providers of ONNX Runtime share; see ``inference/session.py``."""

    name: str
    on_gpu = False
    compiles = False
    batches = False
    forms: tuple[str, ...] = ('portable',)
    precisions: tuple[str, ...] = ('float32', 'int8')
    others: tuple[type[OnnxProvider], ...] = ()
    """Providers of the same session for the nodes that this one cannot run."""

    @property
    def runtime_name(self) -> str:
        """Return ONNX Runtime's name."""
        return RUNTIME_NAMES[self.name]

    def missing(self) -> str | None:
        """Return why the installed wheel lacks this provider, or ``None``."""
        if available(self.name):
            return None
        return f'the installed onnxruntime was built without it. To install it: {INSTALL_GPU}'

    def version(self) -> str:
        """Return the version of ONNX Runtime."""
        return f'onnxruntime {import_runtime().__version__}'

    def automatic_precisions(self, options: EngineOptions) -> tuple[str, ...]:
        """Return float32."""
        return ('float32',)

    def session_options(
        self, request: SessionRequest, placement: DevicePlacement | None
    ) -> Mapping[str, Any]:
        """Return ONNX Runtime's options for this provider."""
        return {}

    def open(self, request: SessionRequest) -> OnnxSession:
        """Load a model for arrays in host memory."""
        session = self.runtime_session(request)
        return OnnxSession(session, request.precision, self.notes(session))

    def notes(self, session: Any) -> tuple[str, ...]:
        """Return sentences about a session of this provider, for the log."""
        return ()

    def runtime_session(
        self, request: SessionRequest, placement: DevicePlacement | None = None
    ) -> Any:
        """
        Return an ``onnxruntime.InferenceSession``.

        :param placement: for arrays in GPU memory; ``None`` for host memory.
        """
        # Only one provider may capture a graph.
        plain = replace(placement, graph=False) if placement is not None else None
        providers = [(self.runtime_name, self.session_options(request, placement))]
        for kind in self.others:
            other = kind()
            if available(other.name):
                providers.append((other.runtime_name, other.session_options(request, plain)))
        return create_session(
            request.model, request.source, providers, threads=request.options.threads,
            size=placement.size if placement is not None else request.size, record=self.on_gpu,
        )  # fmt: skip


class CpuProvider(OnnxProvider):
    """ONNX Runtime's own CPU kernels."""

    name = 'cpu'
    forms: tuple[str, ...] = ('cpu', 'portable')

    def runtime_session(
        self, request: SessionRequest, placement: DevicePlacement | None = None
    ) -> Any:
        """Return an ``onnxruntime.InferenceSession``; int8 activations become uint8."""
        if request.precision == INT8:
            request = replace(request, model=unsigned_activations(request.model))
        return super().runtime_session(request, placement)


class CudaProvider(OnnxProvider):
    """cuDNN and ONNX Runtime's CUDA kernels."""

    name = 'cuda'
    on_gpu = True
    batches = True
    others: tuple[type[OnnxProvider], ...] = (CpuProvider,)
    graph_option = 'enable_cuda_graph'

    def missing(self) -> str | None:
        """Return why the wheel, the driver or a library is missing, or ``None``."""
        return super().missing() or driver_problem(_cuda_version()) or missing_library(self.name)

    def runtime_session(
        self, request: SessionRequest, placement: DevicePlacement | None = None
    ) -> Any:
        """
        Return an ``onnxruntime.InferenceSession``.

        :raises ProviderError: if there is no such GPU, or the driver or a library is missing.
        """
        self.prepare(request)
        return super().runtime_session(request, placement)

    def prepare(self, request: SessionRequest) -> None:
        """
        Check the driver and load libraries before the first session.

        :raises ProviderError: if there is no such GPU, its driver is too old, or a library does
            not load.
        """
        problem = driver_problem(_cuda_version(), request.options.gpu)
        problem = problem or missing_library(self.name)
        if problem:
            raise ProviderError(problem)
        wait_without_spinning(request.options.gpu)

    def notes(self, session: Any) -> tuple[str, ...]:
        """Return one sentence if nodes run on other providers."""
        note = assignment_note(session, self.runtime_name)
        return (note,) if note else ()

    def session_options(
        self, request: SessionRequest, placement: DevicePlacement | None
    ) -> Mapping[str, Any]:
        """Return the GPU's number, the use of TF32 and, with a placement, stream and graph."""
        values: dict[str, Any] = {'device_id': request.options.gpu, **self.precision(request)}
        if placement is not None:
            values['user_compute_stream'] = str(placement.stream)
            values[self.graph_option] = placement.graph
        return values

    def automatic_precisions(self, options: EngineOptions) -> tuple[str, ...]:
        """Return TF32, which only ``auto`` uses, then float32."""
        return ('tf32', 'float32')

    def precision(self, request: SessionRequest) -> Mapping[str, Any]:
        """Return the options of the precision; ONNX Runtime uses TF32 by default."""
        return {'use_tf32': request.precision == 'tf32'}


class TensorrtProvider(CudaProvider):
    """TensorRT engines, built once for a model, GPU and image size and then cached."""

    name = 'tensorrt'
    compiles = True
    precisions: tuple[str, ...] = ('float32', 'float16', 'int8')
    others = (CudaProvider, CpuProvider)
    graph_option = 'trt_cuda_graph_enable'

    def automatic_precisions(self, options: EngineOptions) -> tuple[str, ...]:
        """Return float16, then TF32, which only ``auto`` uses."""
        return ('float16', 'tf32')

    def prepare(self, request: SessionRequest) -> None:
        """
        Switch off TF32 for float32 too.

        :raises ProviderError: if a driver or a library is missing.
        """
        super().prepare(request)
        if request.precision == 'float32':
            # ONNX Runtime has no option for TensorRT's use of TF32, which is on by default.
            os.environ['NVIDIA_TF32_OVERRIDE'] = '0'

    def runtime_session(
        self, request: SessionRequest, placement: DevicePlacement | None = None
    ) -> Any:
        """Return an ``onnxruntime.InferenceSession``; an engine that fails is built again."""
        folder = self.folder(request, placement)
        try:
            session = super().runtime_session(request, placement)
        except ModelError as err:
            if not discard_engines(folder):
                raise
            logger.warning('The engine in %s is built again, it cannot be loaded: %s', folder, err)
            session = super().runtime_session(request, placement)
        record_engines(folder)
        return session

    def folder(self, request: SessionRequest, placement: DevicePlacement | None) -> Path:
        """Return the folder of the cached engine."""
        options = request.options
        return engine_folder(
            request.model, options.cache_directory,
            precision=request.precision, device=options.gpu,
            size=placement.size if placement is not None else request.size,
            runtime=import_runtime().__version__,
        )  # fmt: skip

    def session_options(
        self, request: SessionRequest, placement: DevicePlacement | None
    ) -> Mapping[str, Any]:
        """Add the cache folders to the options of CUDA."""
        folder = self.folder(request, placement)
        values = super().session_options(request, placement)
        if not prepare_folder(folder):
            return values
        return {
            **values,
            'trt_engine_cache_enable': True,
            'trt_engine_cache_path': str(folder),
            'trt_timing_cache_enable': True,
            'trt_timing_cache_path': str(folder),
        }

    def precision(self, request: SessionRequest) -> Mapping[str, Any]:
        """Return the options of the precision."""
        return {
            'trt_fp16_enable': request.precision == 'float16',
            'trt_int8_enable': request.precision == 'int8',
        }


def _cuda_version() -> str:
    """Return the version of CUDA that ONNX Runtime was built with; empty if unknown."""
    return str(getattr(import_runtime(), 'cuda_version', None) or '')
