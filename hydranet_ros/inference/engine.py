"""
ONNX Runtime: an image in, a :class:`Prediction` out.

The model file says what it is; what is not asked of it is not computed.
"""

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

from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.errors import (
    ImageError,
    MissingDependencyError,
    ModelError,
    ModelNotFoundError,
    ProviderError,
)
from hydranet_ros.perception.postprocess import Finish
from hydranet_ros.inference.gpu.device import Device
from hydranet_ros.inference.gpu.frames import DeviceFrames, Ticket
from hydranet_ros.inference.gpu.session import DeviceSession
from hydranet_ros.model_files.metadata import REWRITE_HINT, ModelInfo
from hydranet_ros.inference.providers import (
    PROVIDERS,
    EngineOptions,
    OnDevice,
    OpenedSession,
    first_choice,
    first_line,
    open_session,
)
from hydranet_ros.inference.subgraph import output_names, prune
from hydranet_ros.inference.lru_cache import Recent

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

    A session is made for each set of outputs that is asked for, with the rest of the graph taken
    out (see :mod:`hydranet_ros.inference.subgraph`); the last few are kept. TensorRT, whose engines take
    minutes to build, keeps one session for all outputs.

    On a GPU, with CuPy, images and results lie there (:mod:`hydranet_ros.inference.gpu`): then a session is
    also of one image size, and frames may overlap (:meth:`submit`). Without CuPy ONNX Runtime
    copies them itself.

    :param report: is told when a TensorRT engine is being built, and how long it took.
    :param device: where images and results lie; by default the provider's GPU, if CuPy can use it.
    :raises ModelError: if the file is missing, damaged, or carries no metadata.
    :raises ProviderError: if a demanded provider cannot be had.
    """

    def __init__(
        self,
        path: Path | str,
        options: EngineOptions | None = None,
        *,
        report: Callable[[str], None] = logger.warning,
        device: Device | None = None,
    ) -> None:
        self.path = Path(path)
        self.options = options or EngineOptions()
        self._report = report
        self._pool = BufferPool()
        self._sessions: Recent[Any] = Recent(_SESSIONS_KEPT)
        self._device_sessions: Recent[DeviceSession] = Recent(_SESSIONS_KEPT)
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
        self._frames = DeviceFrames(device) if device else None
        if self._frames is None:
            self._sessions.get(self._key(usual), lambda: opened.session)

    def _find_device(self) -> Device | None:
        """Return the provider's GPU; without CuPy ``None`` and a warning."""
        if self.provider == 'cpu':
            return None
        from hydranet_ros.inference.gpu.cuda import CudaDevice

        try:
            return CudaDevice(self.options.device)
        except (MissingDependencyError, ProviderError) as err:
            self.warnings += (
                f'Frames do not overlap, and depth and cloud are made on the CPU: {err}',
            )
            return None

    def _open(self, outputs: frozenset[str]) -> OpenedSession:
        """Make a session for these outputs; for TensorRT, one for all."""
        whole = self.provider == 'tensorrt'
        opened = self._open_with(self.outputs if whole else outputs)
        self.provider, warnings = opened.provider, opened.warnings
        self._settled = replace(self.options, provider=self.provider)
        if whole and self.provider != 'tensorrt':
            opened = self._open_with(outputs)
        return replace(opened, warnings=warnings)

    def _open_with(
        self, outputs: frozenset[str], place: OnDevice | None = None
    ) -> OpenedSession:  # fmt: skip
        model = self._model if outputs == self.outputs else prune(self._model, outputs)
        return open_session(model, self.path, self._settled, place)

    def _key(self, outputs: frozenset[str]) -> frozenset[str]:
        return self.outputs if self.provider == 'tensorrt' else outputs

    def _check_input(self, session: Any) -> None:
        inputs = [(item.name, item.type) for item in session.get_inputs()]
        if inputs != [('image', 'tensor(uint8)')]:
            raise ModelError(
                f'{self.path} has inputs {inputs}; expected one, image of uint8. {REWRITE_HINT}'
            )

    def warm_up(self, height: int, width: int, outputs: frozenset[str] = USUAL_OUTPUTS) -> float:
        """
        Run once on an empty image of this size; return the seconds it took.

        With TensorRT this is where an engine is built.
        """
        started = time.monotonic()
        self.infer(np.zeros((height, width, 3), np.uint8), outputs)
        return time.monotonic() - started

    def infer(
        self, image: NDArray[np.uint8], outputs: frozenset[str] = USUAL_OUTPUTS
    ) -> Prediction:
        """
        Run the network.

        :param image: (H, W, 3) uint8 RGB; C-contiguous, or it is copied.
        :param outputs: what to compute; what the model does not have stays ``None``.
        :raises ImageError: if the image has another shape or type.
        :raises ModelError: if the network cannot run on this image.
        """
        _check(image)
        wanted = outputs & self.outputs
        if not wanted:
            return Prediction()
        if self._frames is not None:
            return Prediction(**self.submit(image, wanted, wanted).wait())
        self._check_open()
        key = self._key(wanted)
        session = self._sessions.get(key, lambda: self._open(key).session)
        run = partial(self._run, session, image, wanted)
        return self._announced(image.shape, run) if self.provider == 'tensorrt' else run()

    @property
    def overlaps(self) -> bool:
        """Return whether images and results lie on a device, so that :meth:`submit` works."""
        return self._frames is not None

    def submit(
        self,
        image: NDArray[np.uint8],
        outputs: frozenset[str],
        take: frozenset[str],
        finish: Finish | None = None,
    ) -> Ticket:
        """
        Queue a frame on the device and return at once; two may be under way.

        :param image: (H, W, 3) uint8 RGB; it may change afterwards.
        :param outputs: what the network is to compute, and ``take`` what is to be brought back:
            of these, and of the cloud; see :meth:`hydranet_ros.inference.gpu.frames.DeviceFrames.submit`.
        :param finish: what to do with labels and depth on the device.
        :raises ImageError: if the image has another shape or type.
        :raises ModelError: if the network cannot run on this image, or there is no device.
        """
        _check(image)
        self._check_open()
        frames = self._frames
        if frames is None:
            raise ModelError(f'{self.path} runs on {self.provider!r} without a device: use infer.')
        size = image.shape[:2]
        with frames.device.current():
            key = self._key(outputs)
            session = self._device_sessions.get(
                (key, size), lambda: self._device_session(frames.device, key, size)
            )
            try:
                return frames.submit(session, image, take, finish)
            except Exception as err:
                raise self._failure(image.shape, err) from err

    def _check_open(self) -> None:
        if not self._model:
            raise ModelError(f'The engine of {self.path} is closed; make a new one.')

    def _device_session(
        self, device: Device, outputs: frozenset[str], size: tuple[int, ...]
    ) -> DeviceSession:
        """Make a session for one image size, as a CUDA graph where that works."""
        height, width = size
        types = {name: (_shape(name, size), OUTPUT_TYPES[name]) for name in outputs}

        def make() -> DeviceSession:
            place = OnDevice(device.work, (height, width), self._graphs)
            opened = self._open_with(outputs, place)
            session = DeviceSession(opened.session, device, (height, width), types)
            session.warm_up(device)
            return session

        run = partial(self._announced, size, make) if self.provider == 'tensorrt' else make
        try:
            return run()
        except Exception as err:
            if not self._graphs:
                raise self._failure(size, err) from err
            self._graphs = False
            self._report(f'{self.path.name} runs without a CUDA graph: {first_line(err)}.')
            return self._device_session(device, outputs, size)

    def _announced(self, size: tuple[int, ...], run: Callable[[], T]) -> T:
        """Run on a size that TensorRT may have to build an engine for, and say so."""
        if size in self._sizes_run:
            return run()
        text = f'{size[1]}x{size[0]}'
        self._report(
            f'{self.path.name}: TensorRT loads or builds its engine for {text}; building takes '
            'minutes, once for a model, GPU and size.'
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
        if self._frames is not None:
            self._frames.close()
        self._device_sessions.clear()
        self._sessions.clear()
        self._pool = BufferPool()
        self._model = b''


def _shape(name: str, size: tuple[int, ...]) -> tuple[int, ...]:
    return (*size, 3) if name == 'normals' else size


def _check(image: NDArray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(
            f'The network got an array {image.shape} of {image.dtype}; expected (H, W, 3) uint8 '
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
            f'{path} ({len(model)} bytes) is not a whole ONNX file: {err}. Get it again. '
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
    report: Callable[[str], None] = logger.warning,
) -> list[float]:
    """
    Build and keep the TensorRT engines of a model ahead of time; return the seconds for each.

    :param sizes: (height, width) of the images that will come; none for the model's own size.
    :raises ProviderError: if TensorRT cannot be had.
    """
    engine = Engine(path, replace(options, provider='tensorrt'), report=report)
    try:
        return [engine.warm_up(*size) for size in sizes or [engine.info.native_size]]
    finally:
        engine.close()
