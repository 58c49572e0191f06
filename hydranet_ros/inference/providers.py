"""
Execution providers: one small class each, and the options a user can choose.

:data:`PROVIDERS` is ordered from best to worst. A new provider is one more class in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.tensorrt_cache import cache_folder


@dataclass(frozen=True)
class EngineOptions:
    """
    How to run a model.

    :param provider: ``auto`` takes the first of TensorRT, CUDA, CPU that works and warns when
        that is not the best one for this machine; a name requests that provider.
    :param threads: threads of the CPU provider, 0 for one per core.
    :param fp16: half precision in TensorRT.
    :param cache_directory: folder of built TensorRT engines, ``None`` for the user's cache.
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
                f'threads is {self.threads} and device is {self.device}; both must be 0 or more.'
            )


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


class Provider(Protocol):
    """
    What the engine needs to know about an execution provider.

    :param name: the name users write.
    :param runtime_name: ONNX Runtime's name.
    :param on_gpu: whether it runs on an NVIDIA GPU.
    :param compiles: whether it compiles the model for each image size, which takes minutes. The
        engine then keeps one session for all outputs and reports each compilation.
    """

    name: str
    runtime_name: str
    on_gpu: bool
    compiles: bool

    def session_options(
        self, model: bytes, options: EngineOptions, placement: DevicePlacement | None
    ) -> dict[str, Any]:
        """Return ONNX Runtime's options for this provider."""


class CpuProvider:
    """ONNX Runtime's own CPU kernels."""

    name = 'cpu'
    runtime_name = 'CPUExecutionProvider'
    on_gpu = False
    compiles = False

    def session_options(
        self, model: bytes, options: EngineOptions, placement: DevicePlacement | None
    ) -> dict[str, Any]:
        """Return no options: threads are a setting of the session."""
        return {}


class CudaProvider:
    """cuDNN and ONNX Runtime's CUDA kernels."""

    name = 'cuda'
    runtime_name = 'CUDAExecutionProvider'
    on_gpu = True
    compiles = False
    graph_option = 'enable_cuda_graph'

    def session_options(
        self, model: bytes, options: EngineOptions, placement: DevicePlacement | None
    ) -> dict[str, Any]:
        """Return the GPU's number and, with a placement, its stream and CUDA graph."""
        values: dict[str, Any] = {'device_id': options.device}
        if placement is not None:
            values['user_compute_stream'] = str(placement.stream)
            values[self.graph_option] = placement.graph
        return values


class TensorrtProvider(CudaProvider):
    """TensorRT engines, built once for a model, GPU and image size and then cached."""

    name = 'tensorrt'
    runtime_name = 'TensorrtExecutionProvider'
    compiles = True
    graph_option = 'trt_cuda_graph_enable'

    def session_options(
        self, model: bytes, options: EngineOptions, placement: DevicePlacement | None
    ) -> dict[str, Any]:
        """Add the cache folders and the precision to the options of CUDA."""
        folder = str(
            cache_folder(
                model,
                options.cache_directory,
                fp16=options.fp16,
                device=options.device,
                size=placement.size if placement is not None else None,
            )
        )
        return {
            **super().session_options(model, options, placement),
            'trt_engine_cache_enable': True,
            'trt_engine_cache_path': folder,
            'trt_timing_cache_enable': True,
            'trt_timing_cache_path': folder,
            'trt_fp16_enable': options.fp16,
        }


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {item.name: item for item in (TensorrtProvider(), CudaProvider(), CpuProvider())}
)
