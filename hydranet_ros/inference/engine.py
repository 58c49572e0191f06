"""Run a model file on one provider: an image in, the network's raw outputs out."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import (
    HydranetError,
    ImageError,
    MissingDependencyError,
    ModelError,
    ProviderError,
)
from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.inference.gpu.device import Device
from hydranet_ros.inference.gpu.device_sessions import DeviceSessions
from hydranet_ros.inference.gpu.runner import DeviceFrame, DeviceRunner, device_errors
from hydranet_ros.inference.lru_cache import LruCache
from hydranet_ros.inference.model_file import OUTPUT_TYPES, ModelForms
from hydranet_ros.inference.onnx_session import first_line
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import output_shape
from hydranet_ros.inference.session import Session
from hydranet_ros.inference.sessions import SessionOpener
from hydranet_ros.model_files.metadata import INT8, ModelInfo

__all__ = ['PROVIDERS', 'Engine', 'EngineOptions', 'Prediction', 'build_engine']

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
    One model on one provider.

    The engine creates a session for each requested set of outputs, with the rest of the graph
    removed (see :mod:`hydranet_ros.inference.subgraph`), and keeps the last few. A provider that
    compiles the model, such as TensorRT, keeps one session for each image size and computes all
    outputs. Every session runs the model's self-test before its first image; see
    :mod:`hydranet_ros.inference.sessions`.

    On a GPU with CuPy, images and outputs stay in device memory
    (:mod:`hydranet_ros.inference.gpu`): a session is then also specific to one image size, and
    two frames may be in flight (:meth:`start`). Without CuPy, ONNX Runtime copies them itself.

    :param path: any form of the model; the provider's own form beside it is used if it exists.
    :param report: receives a line when a provider was chosen by measurement, when an engine is
        being built, and when it is ready.
    :param device: device for images and outputs; by default the provider's GPU, if CuPy can use
        it.
    :raises ModelError: if the file is missing, damaged, or carries no metadata.
    :raises ProviderError: if a requested provider cannot be used or gives wrong results.
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
        self._sessions: LruCache[Session] = LruCache(_SESSIONS_KEPT)
        self._device_sessions: DeviceSessions | None = None
        self._sizes_run: set[tuple[int, ...]] = set()
        self._closed = False
        models = ModelForms(self.path)
        self.info = models.given.info
        self.outputs = models.given.outputs
        self._opener = SessionOpener(models, self.options, report)
        self._device_warnings: tuple[str, ...] = ()
        self._runner: DeviceRunner | None = None
        self._precision = ''
        self._prepare(USUAL_OUTPUTS & self.outputs or self.outputs, device)
        models.keep_only(self._opener.model)

    def _prepare(self, usual: frozenset[str], device: Device | None) -> None:
        """Settle the provider: open and prove the first session, on a device if there is one."""
        while device is not None or self._opener.provider.on_gpu:
            found = device or self._find_device()
            if found is None:
                break
            self._runner = DeviceRunner(found)
            self._device_sessions = DeviceSessions(
                self._opener, self._runner, self._report, self.path
            )
            try:
                self.start(np.zeros((*self.first_size, 3), np.uint8), usual).fetch().wait()
                return
            except (ModelError, ProviderError) as err:
                self._runner.close()
                self._runner = self._device_sessions = None
                self._opener.reject(err)
        self._prepare_host(usual)

    def _prepare_host(self, usual: frozenset[str]) -> None:
        """Open and prove the first session for arrays in host memory."""
        if self._compiles:
            session = self._session(usual, self.info.native_size)
        else:
            session = self._opener.choose_fastest(usual)
            self._sessions.get(self._key(usual, None), lambda: session)
        self._precision = session.precision
        if not self._opener.provider.on_gpu:
            self._device_warnings = ()
        for note in (*session.notes, *_quantization_notes(self._opener.model.info)):
            self._report(f'{self.path.name}: {note}')

    @property
    def first_size(self) -> tuple[int, int]:
        """Return (H, W) of the first image on a device, for the fewest compilations."""
        test = self.info.self_test
        return self.info.native_size if self._compiles or test is None else test.size

    @property
    def provider(self) -> str:
        """Return the name of the provider in use, a key of :data:`PROVIDERS`."""
        return self._opener.candidate.provider

    @property
    def file(self) -> Path:
        """Return the file in use: the given one, or the provider's own form beside it."""
        return self._opener.model.path

    @property
    def precision(self) -> str:
        """Return the precision in use, which may differ from the requested one."""
        return self._precision or self._opener.candidate.precision

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what the user should know about the provider in use, one sentence each."""
        return self._opener.warnings + self._device_warnings

    @property
    def device(self) -> Device | None:
        """Return the device that holds images and outputs; ``None`` on the host."""
        return self._runner.device if self._runner is not None else None

    def _find_device(self) -> Device | None:
        """Return the provider's GPU; without CuPy ``None`` and a warning."""
        from hydranet_ros.inference.gpu.cuda import CudaDevice

        try:
            return CudaDevice(self.options.gpu)
        except (MissingDependencyError, ProviderError) as err:
            self._device_warnings += (
                f'Frames do not overlap, and depth and cloud are computed on the CPU: {err}',
            )
            return None

    @property
    def _compiles(self) -> bool:
        return self._opener.provider.compiles

    def _key(
        self, outputs: frozenset[str], size: tuple[int, int] | None
    ) -> tuple[str, frozenset[str], tuple[int, int] | None]:
        """Return what a session is for: provider, outputs, and size if the provider compiles."""
        if self._compiles:
            return str(self._opener.candidate), self.outputs, size
        return str(self._opener.candidate), outputs, None

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
        :raises ProviderError: if no provider gives right results.
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
        return self._infer_on_host(image[None], wanted)[0]

    def infer_batch(
        self, images: NDArray[np.uint8], outputs: frozenset[str] = USUAL_OUTPUTS
    ) -> list[Prediction]:
        """
        Run the network on images of one size, at once where the provider gains from it.

        :param images: (N, H, W, 3) uint8 RGB.
        :param outputs: names of the outputs to compute.
        :returns: one prediction for each image, valid until the next call.
        :raises ImageError: if the images have another shape or dtype.
        :raises ModelError: if the network cannot run on these images.
        """
        if images.ndim != 4 or not len(images):
            raise ImageError(f'images has the shape {images.shape}; expected (N, H, W, 3) uint8.')
        _check(images[0])
        wanted = outputs & self.outputs
        if not wanted:
            return [Prediction() for _ in images]
        if self._runner is not None:
            return [_copied(self.infer(image, wanted)) for image in images]
        return self._infer_on_host(images, wanted)

    def _infer_on_host(
        self, images: NDArray[np.uint8], outputs: frozenset[str]
    ) -> list[Prediction]:
        """Run a batch from host memory; (N, H, W, 3) uint8."""
        self._check_open()
        count, size = len(images), (images.shape[1], images.shape[2])
        images = np.ascontiguousarray(images)
        pooled = {name: self._array(name, count, size) for name in sorted(outputs)}
        arrays = {name: values[None] if count == 1 else values for name, values in pooled.items()}
        session = self._session(outputs, size)
        step = count if self._opener.provider.batches else 1
        try:
            for first in range(0, count, step):
                part = slice(first, first + step)
                session.run(images[part], {name: values[part] for name, values in arrays.items()})
        except Exception as err:
            raise self._failure(size, err) from err
        if count == 1:
            return [Prediction(**pooled)]
        return [
            Prediction(**{name: values[index] for name, values in arrays.items()})
            for index in range(count)
        ]

    def _array(self, name: str, count: int, size: tuple[int, int]) -> NDArray:
        """Return the reused array of an output, without the dimension of a batch of one."""
        shape = output_shape(name, count, size)
        if count == 1:
            return self._pool.get(name, shape[1:], OUTPUT_TYPES[name])
        return self._pool.get(f'{name} batch', shape, OUTPUT_TYPES[name])

    def _session(self, outputs: frozenset[str], size: tuple[int, int]) -> Session:
        """Return a proven session; create it on first use, on the next provider if one fails."""
        if not self._compiles:
            key = self._key(outputs, None)
            return self._sessions.get(key, lambda: self._opener.open(outputs))
        opened = partial(self._opener.open, self.outputs, size)
        key = self._key(self.outputs, size)
        return self._sessions.get(key, lambda: self._reported(size, opened))

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
        runner, sessions = self._runner, self._device_sessions
        if runner is None or sessions is None:
            raise ModelError(f'{self.path} runs on {self.provider!r} without a device; use infer.')
        size = (image.shape[0], image.shape[1])
        needed = self.outputs if self._compiles else outputs
        try:
            with device_errors(), runner.device.current():
                opened = partial(sessions.get, needed, size)
                session = self._reported(size, opened) if self._compiles else opened()
                return runner.start(session, image)
        except HydranetError:
            raise
        except Exception as err:
            raise self._failure(image.shape, err) from err

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError(f'The engine of {self.path} is closed; create a new one.')

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

    def _failure(self, shape: tuple[int, ...], err: Exception) -> ModelError:
        return ModelError(
            f'{self.path} failed on an image of {shape[1]}x{shape[0]}: {first_line(err)}'
        )

    def close(self) -> None:
        """Free sessions and buffers; the engine cannot be used afterwards."""
        if self._runner is not None:
            self._runner.close()
        if self._device_sessions is not None:
            self._device_sessions.clear()
        self._sessions.clear()
        self._pool = BufferPool()
        self._closed = True


def _check(image: NDArray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(
            f'The image has shape {image.shape} and dtype {image.dtype}; expected (H, W, 3) uint8 '
            'RGB.'
        )


def _quantization_notes(info: ModelInfo) -> list[str]:
    """Return a sentence on what INT8 changed when the file was written; none for float files."""
    if info.form != INT8:
        return []
    labels, depth = (
        info.metrics.get(f'int8_{name}_changed', math.nan) for name in ('labels', 'depth')
    )
    return [f'INT8 changed {labels:.1%} of the labels and depth by {depth:.1%} (median) when the '
            'file was exported.']  # fmt: skip


def _copied(found: Prediction) -> Prediction:
    values = {name: getattr(found, name) for name in OUTPUT_TYPES}
    return Prediction(**{k: None if v is None else v.copy() for k, v in values.items()})


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
