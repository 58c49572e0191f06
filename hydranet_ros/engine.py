"""
ONNX Runtime: an image in, a :class:`Prediction` out.

The model file says what it is; the provider that the session really got is read back from it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.buffers import BufferPool
from hydranet_ros.engine_cache import cache_folder, gpu_name
from hydranet_ros.errors import ImageError, MissingDependencyError, ModelError, ProviderError
from hydranet_ros.model_info import REWRITE_HINT, ModelInfo

PROVIDERS: Mapping[str, str] = MappingProxyType({
    'tensorrt': 'TensorrtExecutionProvider',
    'cuda': 'CUDAExecutionProvider',
    'cpu': 'CPUExecutionProvider',
})  # fmt: skip
_NAMES = {value: key for key, value in PROVIDERS.items()}
_OUTPUT_TYPES = {
    'labels': np.uint8, 'confidence': np.uint8, 'depth': np.float32, 'normals': np.float32,
}  # fmt: skip
_LONG_BUILD = 5.0
_FATAL_ONLY = 3
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineOptions:
    """
    How to run a model.

    :param provider: ``auto`` tries TensorRT, CUDA, CPU in that order and warns when it falls
        back from a GPU that is there; a name demands that provider.
    :param threads: threads of the CPU provider, 0 for all cores.
    :param fp16: half precision in TensorRT.
    :param cache_directory: where built TensorRT engines are kept, ``None`` for the user's cache.
    :param device: number of the GPU.
    """

    provider: str = 'auto'
    threads: int = 0
    fp16: bool = False
    cache_directory: Path | None = None
    device: int = 0


@dataclass(frozen=True)
class Prediction:
    """
    What the network says of one image; valid until the next :meth:`Engine.infer`.

    :param labels: (H, W) uint8 class ids.
    :param depth: (H, W) float32, metres as the training camera would see them.
    :param confidence: (H, W) uint8, 255 times the winning probability.
    :param normals: (H, W, 3) float32 unit vectors in the optical frame.
    """

    labels: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    confidence: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None


class Engine:
    """
    One model file on one provider.

    :raises ModelError: if the file is missing, damaged, or carries no metadata.
    :raises ProviderError: if a demanded provider cannot be had.
    """

    def __init__(self, path: Path | str, options: EngineOptions | None = None) -> None:
        self.path = Path(path)
        self.options = options or EngineOptions()
        self.warnings: list[str] = []
        self._runtime = _import_runtime()
        self._session = self._open()
        self.info = ModelInfo.from_metadata(
            self._session.get_modelmeta().custom_metadata_map, str(self.path)
        )
        self.outputs = frozenset(item.name for item in self._session.get_outputs())
        self._check_graph()
        self.provider = _NAMES.get(self._session.get_providers()[0], 'cpu')
        self._check_provider()
        self._pool = BufferPool()
        self._run_options = self._runtime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True

    def _open(self) -> Any:
        if not self.path.is_file():
            raise ModelError(f'Model file {self.path} does not exist.')
        settings = self._runtime.SessionOptions()
        settings.log_severity_level = _FATAL_ONLY
        settings.intra_op_num_threads = self.options.threads
        settings.inter_op_num_threads = 1
        try:
            return self._runtime.InferenceSession(
                str(self.path), settings, providers=self._providers()
            )
        except Exception as err:
            if isinstance(err, ProviderError):
                raise
            reason = str(err).splitlines()[0]
            raise ModelError(
                f'{self.path} ({self.path.stat().st_size} bytes) cannot be loaded: {reason} '
                f'If it is truncated, get it again. {REWRITE_HINT}'
            ) from err

    def _providers(self) -> list[Any]:
        available = self._runtime.get_available_providers()
        wanted = self.options.provider
        if wanted == 'auto':
            chosen = [name for name in PROVIDERS if PROVIDERS[name] in available]
            return [self._with_options(name) for name in chosen]
        if wanted not in PROVIDERS:
            raise ProviderError(f'Provider {wanted!r} is unknown; allowed: auto, '
                                f'{", ".join(PROVIDERS)}.')  # fmt: skip
        if PROVIDERS[wanted] not in available:
            raise ProviderError(
                f'Provider {wanted!r} was demanded, but this onnxruntime has only '
                f"{available}. Install it with: pip install 'hydranet_ros[gpu]' (and remove the "
                'plain onnxruntime), or let provider be auto.'
            )
        return [self._with_options(wanted), *([] if wanted == 'cpu' else [PROVIDERS['cpu']])]

    def _with_options(self, name: str) -> Any:
        if name == 'cpu':
            return PROVIDERS[name]
        values: dict[str, Any] = {'device_id': self.options.device}
        if name == 'tensorrt':
            folder = str(cache_folder(self.path, self.options.cache_directory, self.options.fp16))
            values.update(
                trt_engine_cache_enable=True, trt_engine_cache_path=folder,
                trt_timing_cache_enable=True, trt_timing_cache_path=folder,
                trt_fp16_enable=self.options.fp16,
            )  # fmt: skip
        return PROVIDERS[name], values

    def _check_graph(self) -> None:
        inputs = [(item.name, item.type) for item in self._session.get_inputs()]
        unknown = sorted(self.outputs - set(_OUTPUT_TYPES))
        if inputs != [('image', 'tensor(uint8)')] or unknown or not self.outputs:
            raise ModelError(
                f'{self.path} has inputs {inputs} and outputs {sorted(self.outputs)}; expected '
                f'one uint8 input image and outputs of {sorted(_OUTPUT_TYPES)}. {REWRITE_HINT}'
            )

    def _check_provider(self) -> None:
        wanted = self.options.provider
        if wanted in (self.provider, 'auto'):
            gpu = gpu_name() if wanted == 'auto' and self.provider == 'cpu' else ''
            if gpu:
                self._warn(
                    f'Running on the CPU although there is a GPU ({gpu}): onnxruntime offers '
                    f'{self._runtime.get_available_providers()} and the session got '
                    f"{self._session.get_providers()}. Cure: pip install 'hydranet_ros[gpu]', or "
                    'provider cpu to silence this.'
                )
            return
        raise ProviderError(
            f'Provider {wanted!r} was demanded, but the session got '
            f'{self._session.get_providers()}: its libraries (CUDA, cuDNN, TensorRT) did not '
            'load. Install them, or let provider be auto.'
        )

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        logger.warning(text)

    def warm_up(self, height: int, width: int) -> float:
        """
        Run once on an empty image of this size; return the seconds it took.

        With TensorRT this is where an engine is built, which can take minutes; it says so before
        and after.
        """
        if self.provider == 'tensorrt':
            logger.warning('TensorRT may build an engine for %dx%d now; this can take minutes, '
                           'once for each size.', width, height)  # fmt: skip
        started = time.monotonic()
        self.infer(np.zeros((height, width, 3), np.uint8), self.outputs)
        took = time.monotonic() - started
        if took > _LONG_BUILD:
            logger.warning('Ready after %.0f s.', took)
        return took

    def infer(
        self, image: NDArray[np.uint8], outputs: frozenset[str] = frozenset({'labels', 'depth'})
    ) -> Prediction:
        """
        Run the network.

        :param image: (H, W, 3) uint8 RGB, C-contiguous.
        :param outputs: which of :attr:`outputs` to compute; the others cost nothing.
        :raises ImageError: if the image has another shape or type.
        :raises ModelError: if the model lacks an output that is asked for.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ImageError(
                f'The image is {image.shape} {image.dtype}; the engine takes (H, W, 3) uint8 RGB.'
            )
        missing = outputs - self.outputs
        if missing:
            raise ModelError(f'{self.path.name} has no output {sorted(missing)}; it has '
                             f'{sorted(self.outputs)}.')  # fmt: skip
        binding = self._session.io_binding()
        image = np.ascontiguousarray(image)
        shape = image.shape[:2]
        binding.bind_input('image', 'cpu', 0, np.uint8, (1, *image.shape), image.ctypes.data)
        found = {name: self._bind(binding, name, shape) for name in sorted(outputs)}
        self._session.run_with_iobinding(binding, self._run_options)
        return Prediction(**found)

    def _bind(self, binding: Any, name: str, shape: tuple[int, int]) -> NDArray:
        full = (*shape, 3) if name == 'normals' else shape
        array = self._pool.get(name, full, _OUTPUT_TYPES[name])
        binding.bind_output(name, 'cpu', 0, array.dtype.type, (1, *full), array.ctypes.data)
        return array

    def close(self) -> None:
        """Free the session; the engine cannot be used afterwards."""
        self._session = None


def build_engine(path: Path, options: EngineOptions, sizes: list[tuple[int, int]]) -> list[float]:
    """
    Build and keep the TensorRT engines of a model ahead of time; return the seconds for each.

    :param sizes: (height, width) of the images that will come.
    :raises ProviderError: if TensorRT cannot be had.
    """
    engine = Engine(path, options)
    return [engine.warm_up(*size) for size in sizes]


def _import_runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingDependencyError(
            "ONNX Runtime is not installed: pip install 'hydranet_ros[cpu]' (or [gpu])."
        ) from err
    if hasattr(onnxruntime, 'preload_dlls') and os.path.exists('/proc/driver/nvidia'):
        onnxruntime.preload_dlls()
    return onnxruntime
