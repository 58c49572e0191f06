"""
Sessions of OpenVINO.

Images and outputs stay in the caller's arrays. OpenVINO chooses the arithmetic that a device has,
so the precision in use is read back from the compiled model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.openvino_cache import BlobCache
from hydranet_ros.inference.openvino_runtime import import_openvino, openvino_core
from hydranet_ros.model_files.metadata import REWRITE_HINT

if TYPE_CHECKING:
    from hydranet_ros.inference.session import SessionRequest

HINTS: Mapping[str, str] = {'float32': 'f32', 'bfloat16': 'bf16', 'float16': 'f16'}
"""OpenVINO's name of each floating-point precision."""
# Kernels prepared for image sizes. By default OpenVINO keeps 5000, and its memory
# grows by about 2 MB with every new size of small images.
_KERNELS_KEPT = 300
_LOCATIONS = ('Exception from ', 'Check ')


class OpenvinoSession:
    """
    A session of OpenVINO on arrays in host memory; see
    :class:`~hydranet_ros.inference.session.Session`.

    :param compiled: ``openvino.CompiledModel``.
    :param precision: int8, or what the device computes in.
    """

    def __init__(self, compiled: Any, precision: str, notes: tuple[str, ...] = ()) -> None:
        self.precision = precision
        self.notes = notes
        self._compiled = compiled
        self._request: Any = None
        self._names: frozenset[str] = frozenset()

    def run(self, images: NDArray[np.uint8], outputs: Mapping[str, NDArray]) -> None:
        """
        Run on images (N, H, W, 3) and write the outputs into arrays.

        :raises ModelError: if OpenVINO fails on these images.
        """
        if self._compiled is None:
            raise ModelError('The OpenVINO session is closed.')
        try:
            self._run(images, outputs)
        except Exception as err:
            # A request that has failed fails on every later image too.
            self._request = None
            raise ModelError(f'OpenVINO: {reason(err)}') from err

    def _run(self, images: NDArray[np.uint8], outputs: Mapping[str, NDArray]) -> None:
        from openvino import Tensor

        if self._request is None or self._names != outputs.keys():
            # A used request would write the other outputs into the arrays of an earlier run.
            self._request = self._compiled.create_infer_request()
            self._names = frozenset(outputs)
        shared = images.flags.writeable
        self._request.set_tensor('image', Tensor(images, shared_memory=shared))
        for name, array in outputs.items():
            self._request.set_tensor(name, Tensor(array, shared_memory=True))
        self._request.infer()
        for name, array in outputs.items():
            _finish(name, self._request.get_tensor(name), array)

    def close(self) -> None:
        """Free the model."""
        self._request = self._compiled = None


def _finish(name: str, tensor: Any, array: NDArray) -> None:
    """
    Copy an output if the device wrote it into other memory than the array.

    :raises ValueError: if it has another shape: OpenVINO then uses memory of its own, or a part.
    """
    if tuple(tensor.shape) != array.shape:
        raise ValueError(f'{name} has the shape {tuple(tensor.shape)}; expected {array.shape}')
    if tensor.data.ctypes.data != array.ctypes.data:
        array[:] = tensor.data


def open_session(request: SessionRequest, device: str) -> OpenvinoSession:
    """
    Compile a model, or load it from the cache of compiled models.

    :param device: name of a device of OpenVINO, such as ``CPU`` or ``GPU.1``.
    :raises ProviderError: if the device does not have the requested precision.
    :raises ModelError: if the model cannot be compiled for the device.
    """
    core = openvino_core()
    config = compile_options(request, device)
    full_name = core.get_property(device, 'FULL_DEVICE_NAME')
    facts = f'{full_name} {import_openvino().__version__} {sorted(config.items())}'
    cache = BlobCache(request, device, facts)
    compiled = _from_cache(core, cache, device, config)
    if compiled is None:
        compiled = _compile(core, request, device, config)
        cache.write(lambda: compiled.export_model().getvalue())
    precision = request.precision
    if precision in HINTS:
        precision = read_precision(compiled, precision)
    if request.precision == 'float16' and precision == 'bfloat16':
        raise ProviderError(
            f"OpenVINO's device {device} computes in bfloat16, which is less precise than the "
            'requested float16; set precision to bfloat16, float32 or auto'
        )
    note = f'OpenVINO computes in {precision} on {device}, which lacks {request.precision}.'
    return OpenvinoSession(compiled, precision, () if precision == request.precision else (note,))


def compile_options(request: SessionRequest, device: str) -> dict[str, Any]:
    """Return OpenVINO's properties for a session."""
    config: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
    if request.precision in HINTS:
        config['INFERENCE_PRECISION_HINT'] = HINTS[request.precision]
    if request.precision == 'float32':
        config['EXECUTION_MODE_HINT'] = 'ACCURACY'
    if device == 'CPU':
        # A worker that is pinned to a core waits for whatever else runs there.
        config['ENABLE_CPU_PINNING'] = False
        config['CPU_RUNTIME_CACHE_CAPACITY'] = _KERNELS_KEPT
        if request.options.threads:
            config['INFERENCE_NUM_THREADS'] = request.options.threads
    return config


def read_precision(compiled: Any, requested: str) -> str:
    """Return the floating-point precision that a compiled model computes in."""
    hint = compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()
    names = {value: name for name, value in HINTS.items()}
    return names.get(hint, requested)


def _from_cache(core: Any, cache: BlobCache, device: str, config: Mapping[str, Any]) -> Any:
    """Return the compiled model of the cache, or ``None``."""
    blob = cache.read()
    if blob is None:
        return None
    try:
        return core.import_model(blob, device, config)
    except RuntimeError:  # for example another driver of the device
        return None


def _compile(core: Any, request: SessionRequest, device: str, config: Mapping[str, Any]) -> Any:
    source: Path = request.source
    try:
        model = core.read_model(request.model)
        if request.size is not None:
            model.reshape({'image': [1, *request.size, 3]})
        return core.compile_model(model, device, config)
    except RuntimeError as err:
        raise ModelError(
            f'{source} ({len(request.model)} bytes) cannot be loaded by OpenVINO on {device}: '
            f'{reason(err)}. If the file is damaged, get it again. {REWRITE_HINT}'
        ) from err


def reason(err: Exception) -> str:
    """Return the first line of an OpenVINO error that is not a location in its source."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_LOCATIONS)]
    return (told or lines or [type(err).__name__])[0].rstrip('. ')
