"""Run a model file on one provider: an image in, the network's raw outputs out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import (
    ImageError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    ProviderError,
)
from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.inference.gpu.device import Device
from hydranet_ros.inference.gpu.runner import DeviceFrame, DeviceRunner
from hydranet_ros.inference.gpu.session import DeviceSession
from hydranet_ros.inference.lru_cache import LruCache
from hydranet_ros.inference.onnx_session import (
    OpenedSession,
    first_choice,
    first_line,
    open_session,
)
from hydranet_ros.inference.providers import PROVIDERS, DevicePlacement, EngineOptions
from hydranet_ros.inference.subgraph import output_names, prune
from hydranet_ros.model_files.metadata import REWRITE_HINT, ModelInfo

__all__ = ['PROVIDERS', 'Engine', 'EngineOptions', 'Prediction', 'build_engine']

OUTPUT_TYPES = {
    'labels': np.uint8, 'confidence': np.uint8, 'depth': np.float32, 'normals': np.float32,
}  # fmt: skip
USUAL_OUTPUTS = frozenset({'labels', 'depth'})
_SESSIONS_KEPT = 3
T = TypeVar('T')
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """
    Raw outputs of the network for one image, valid until the next :meth:`Engine.infer`.

    :param labels: (H, W) uint8 class ids.
    :param depth: (H, W) float32, meters for the training camera's focal length.
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

    The engine creates a session for each requested set of outputs, with the rest of the graph
    removed (see :mod:`hydranet_ros.inference.subgraph`), and keeps the last few. A provider that
    compiles the model, such as TensorRT, keeps one session for all outputs.

    On a GPU with CuPy, images and outputs stay in device memory
    (:mod:`hydranet_ros.inference.gpu`): a session is then also specific to one image size, and
    two frames may be in flight (:meth:`start`). Without CuPy, ONNX Runtime copies them itself.

    :param report: receives a line when an engine is being built, and when it is ready.
    :param device: device for images and outputs; by default the provider's GPU, if CuPy can use
        it.
    :raises ModelError: if the file is missing, damaged, or carries no metadata.
    :raises ProviderError: if a requested provider cannot be used.
    """

    def __init__(
        self,
        path: Path | str,
        options: EngineOptions | None = None,
        *,
        report: Callable[[str], object] = logger.warning,
        device: Device | None = None,
    ) -> None:
        self.path = Path(path)
        self.options = options or EngineOptions()
        self._report = report
        self._pool = BufferPool()
        self._sessions: LruCache[Any] = LruCache(_SESSIONS_KEPT)
        self._device_sessions: LruCache[DeviceSession] = LruCache(_SESSIONS_KEPT)
        self._sizes_run: set[tuple[int, ...]] = set()
        self._model = _read_model(self.path)
        self.outputs = _known_outputs(self._model, self.path)
        self._settled = self.options
        self._graphs = True
        self.provider = first_choice(self.options)
        usual = USUAL_OUTPUTS & self.outputs or self.outputs
        opened = self._open(usual)
        self.warnings = opened.warnings
        self.info = ModelInfo.from_metadata(
            opened.session.get_modelmeta().custom_metadata_map, str(self.path)
        )
        self._check_input(opened.session)
        device = device or self._find_device()
        self._runner = DeviceRunner(device) if device else None
        if self._runner is None:
            self._sessions.get(self._key(usual), lambda: opened.session)

    @property
    def device(self) -> Device | None:
        """Return the device that holds images and outputs; ``None`` on the host."""
        return self._runner.device if self._runner is not None else None

    def _find_device(self) -> Device | None:
        """Return the provider's GPU; without CuPy ``None`` and a warning."""
        if not PROVIDERS[self.provider].on_gpu:
            return None
        from hydranet_ros.inference.gpu.cuda import CudaDevice

        try:
            return CudaDevice(self.options.device)
        except (MissingDependencyError, ProviderError) as err:
            self.warnings += (
                f'Frames do not overlap, and depth and cloud are computed on the CPU: {err}',
            )
            return None

    @property
    def _compiles(self) -> bool:
        return PROVIDERS[self.provider].compiles

    def _open(self, outputs: frozenset[str]) -> OpenedSession:
        """Create a session for these outputs; a provider that compiles gets all outputs."""
        whole = self._compiles
        opened = self._open_with(self.outputs if whole else outputs)
        self.provider, warnings = opened.provider, opened.warnings
        self._settled = replace(self.options, provider=self.provider)
        if whole and not self._compiles:
            opened = self._open_with(outputs)
        return replace(opened, warnings=warnings)

    def _open_with(
        self, outputs: frozenset[str], placement: DevicePlacement | None = None
    ) -> OpenedSession:
        model = self._model if outputs == self.outputs else prune(self._model, outputs)
        return open_session(model, self.path, self._settled, placement)

    def _key(self, outputs: frozenset[str]) -> frozenset[str]:
        return self.outputs if self._compiles else outputs

    def _check_input(self, session: Any) -> None:
        inputs = [(item.name, item.type) for item in session.get_inputs()]
        if inputs != [('image', 'tensor(uint8)')]:
            raise ModelError(
                f'{self.path} has inputs {inputs}; expected one, image of uint8. {REWRITE_HINT}'
            )

    def warm_up(self, height: int, width: int, outputs: frozenset[str] = USUAL_OUTPUTS) -> float:
        """
        Run once on a black image of this size; return the seconds it took.

        With TensorRT this builds the engine.
        """
        started = time.monotonic()
        self.infer(np.zeros((height, width, 3), np.uint8), outputs)
        return time.monotonic() - started

    def infer(
        self, image: NDArray[np.uint8], outputs: frozenset[str] = USUAL_OUTPUTS
    ) -> Prediction:
        """
        Run the network.

        :param image: (H, W, 3) uint8 RGB; an array that is not C-contiguous is copied.
        :param outputs: names of the outputs to compute; outputs that the model lacks stay
            ``None``.
        :raises ImageError: if the image has another shape or dtype.
        :raises ModelError: if the network cannot run on this image.
        """
        _check(image)
        wanted = outputs & self.outputs
        if not wanted:
            return Prediction()
        if self._runner is not None:
            frame = self.start(image, wanted)
            for name in sorted(wanted):
                frame.take(name)
            return Prediction(**frame.fetch().wait())
        self._check_open()
        key = self._key(wanted)
        session = self._sessions.get(key, lambda: self._open(key).session)
        run = partial(self._run, session, image, wanted)
        return self._reported(image.shape, run) if self._compiles else run()

    def start(self, image: NDArray[np.uint8], outputs: frozenset[str]) -> DeviceFrame:
        """
        Queue the network on the device and return at once; two frames may be in flight.

        :param image: (H, W, 3) uint8 RGB; it may change afterwards.
        :param outputs: names of the outputs to compute.
        :raises ImageError: if the image has another shape or dtype.
        :raises ModelError: if the network cannot run on this image, or there is no device.
        """
        _check(image)
        self._check_open()
        runner = self._runner
        if runner is None:
            raise ModelError(f'{self.path} runs on {self.provider!r} without a device; use infer.')
        size = image.shape[:2]
        with runner.device.current():
            key = self._key(outputs)
            session = self._device_sessions.get(
                (key, size), lambda: self._device_session(runner.device, key, size)
            )
            try:
                return runner.start(session, image)
            except Exception as err:
                raise self._failure(image.shape, err) from err

    def _check_open(self) -> None:
        if not self._model:
            raise ModelError(f'The engine of {self.path} is closed; create a new one.')

    def _device_session(
        self, device: Device, outputs: frozenset[str], size: tuple[int, ...]
    ) -> DeviceSession:
        """Create a session for one image size, with a CUDA graph if the model allows one."""
        height, width = size
        types = {name: (_shape(name, size), OUTPUT_TYPES[name]) for name in outputs}

        def make() -> DeviceSession:
            placement = DevicePlacement(device.work, (height, width), self._graphs)
            opened = self._open_with(outputs, placement)
            session = DeviceSession(opened.session, device, (height, width), types)
            session.warm_up(device)
            return session

        run = partial(self._reported, size, make) if self._compiles else make
        try:
            return run()
        except Exception as err:
            if not self._graphs:
                raise self._failure(size, err) from err
            self._graphs = False
            self._report(f'{self.path.name} runs without a CUDA graph: {first_line(err)}.')
            return self._device_session(device, outputs, size)

    def _reported(self, size: tuple[int, ...], run: Callable[[], T]) -> T:
        """Run, and report when this may compile the model for a new image size."""
        if size in self._sizes_run:
            return run()
        text = f'{size[1]}x{size[0]}'
        self._report(
            f'{self.path.name}: {self.provider} loads or builds its engine for {text}; building '
            'takes minutes, once for each model, GPU and size.'
        )
        started = time.monotonic()
        result = run()
        self._sizes_run.add(size)
        self._report(f'{self.path.name}: {text} ready after {time.monotonic() - started:.1f} s.')
        return result

    def _run(self, session: Any, image: NDArray, outputs: frozenset[str]) -> Prediction:
        image = np.ascontiguousarray(image)
        binding = session.io_binding()
        binding.bind_input('image', 'cpu', 0, np.uint8, (1, *image.shape), image.ctypes.data)
        found = {name: self._bind(binding, name, image.shape[:2]) for name in sorted(outputs)}
        try:
            session.run_with_iobinding(binding)
        except Exception as err:
            raise self._failure(image.shape, err) from err
        return Prediction(**found)

    def _bind(self, binding: Any, name: str, size: tuple[int, ...]) -> NDArray:
        array = self._pool.get(name, _shape(name, size), OUTPUT_TYPES[name])
        binding.bind_output(name, 'cpu', 0, array.dtype.type, (1, *array.shape), array.ctypes.data)
        return array

    def _failure(self, shape: tuple[int, ...], err: Exception) -> ModelError:
        return ModelError(
            f'{self.path} failed on an image of {shape[1]}x{shape[0]}: {first_line(err)}'
        )

    def close(self) -> None:
        """Free sessions and buffers; the engine cannot be used afterwards."""
        if self._runner is not None:
            self._runner.close()
        self._device_sessions.clear()
        self._sessions.clear()
        self._pool = BufferPool()
        self._model = b''


def _shape(name: str, size: tuple[int, ...]) -> tuple[int, ...]:
    return (*size, 3) if name == 'normals' else size


def _check(image: NDArray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(
            f'The image has shape {image.shape} and dtype {image.dtype}; expected (H, W, 3) uint8 '
            'RGB.'
        )


def _read_model(path: Path) -> bytes:
    if not path.is_file():
        raise ModelNotFoundError(
            f'Model file {path} does not exist. Get one with: hydranet weights pull NAME, or '
            f'{REWRITE_HINT[0].lower()}{REWRITE_HINT[1:]}'
        )
    try:
        return path.read_bytes()
    except OSError as err:
        raise ModelError(f'Model file {path} cannot be read: {err}.') from err


def _known_outputs(model: bytes, path: Path) -> frozenset[str]:
    try:
        found = frozenset(output_names(model))
    except ValueError as err:
        raise ModelError(
            f'{path} ({len(model)} bytes) is not a complete ONNX file: {err}. Get it again. '
            f'{REWRITE_HINT}'
        ) from err
    if not found or found - set(OUTPUT_TYPES):
        raise ModelError(
            f'{path} has outputs {sorted(found)}; expected any of {sorted(OUTPUT_TYPES)}. '
            f'{REWRITE_HINT}'
        )
    return found


def build_engine(
    path: Path,
    options: EngineOptions,
    sizes: Sequence[tuple[int, int]] = (),
    *,
    report: Callable[[str], object] = logger.warning,
) -> list[float]:
    """
    Build and cache the TensorRT engines of a model; return the seconds for each size.

    :param sizes: (height, width) of the expected images; none for the model's native size.
    :raises ProviderError: if TensorRT cannot be used.
    """
    engine = Engine(path, replace(options, provider='tensorrt'), report=report)
    try:
        return [engine.warm_up(*size) for size in sizes or [engine.info.native_size]]
    finally:
        engine.close()
