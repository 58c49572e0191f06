"""
ONNX Runtime: an image in, a :class:`Prediction` out.

The model file says what it is; what is not asked of it is not computed.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.buffers import BufferPool
from hydranet_ros.errors import ImageError, ModelError, ModelNotFoundError
from hydranet_ros.model_info import REWRITE_HINT, ModelInfo
from hydranet_ros.providers import (
    PROVIDERS,
    EngineOptions,
    OpenedSession,
    first_choice,
    first_line,
    open_session,
)
from hydranet_ros.pruning import output_names, prune

__all__ = ['PROVIDERS', 'Engine', 'EngineOptions', 'Prediction', 'build_engine']

OUTPUT_TYPES = {
    'labels': np.uint8, 'confidence': np.uint8, 'depth': np.float32, 'normals': np.float32,
}  # fmt: skip
USUAL_OUTPUTS = frozenset({'labels', 'depth'})
_SESSIONS_KEPT = 3
_LONG_BUILD = 5.0
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
    out (see :mod:`hydranet_ros.pruning`); the last few are kept. TensorRT, whose engines take
    minutes to build, keeps one session for all outputs.

    :param report: is told when a TensorRT engine is being built, and how long it took.
    :raises ModelError: if the file is missing, damaged, or carries no metadata.
    :raises ProviderError: if a demanded provider cannot be had.
    """

    def __init__(
        self,
        path: Path | str,
        options: EngineOptions | None = None,
        *,
        report: Callable[[str], None] = logger.warning,
    ) -> None:
        self.path = Path(path)
        self.options = options or EngineOptions()
        self._report = report
        self._pool = BufferPool()
        self._sessions: OrderedDict[frozenset[str], Any] = OrderedDict()
        self._sizes_run: set[tuple[int, ...]] = set()
        self._model = _read_model(self.path)
        self.outputs = _known_outputs(self._model, self.path)
        self._settled = self.options
        self.provider = first_choice(self.options)
        opened = self._open(USUAL_OUTPUTS & self.outputs or self.outputs)
        self.warnings = opened.warnings
        self.info = ModelInfo.from_metadata(
            opened.session.get_modelmeta().custom_metadata_map, str(self.path)
        )
        self._check_input(opened.session)

    def _open(self, outputs: frozenset[str]) -> OpenedSession:
        """Make a session for these outputs; for TensorRT, one for all."""
        whole = self.provider == 'tensorrt'
        opened = self._open_with(self.outputs if whole else outputs)
        self.provider, warnings = opened.provider, opened.warnings
        self._settled = replace(self.options, provider=self.provider)
        if whole and self.provider != 'tensorrt':
            opened = self._open_with(outputs)
        self._sessions[self._key(outputs)] = opened.session
        if len(self._sessions) > _SESSIONS_KEPT:
            self._sessions.popitem(last=False)
        return replace(opened, warnings=warnings)

    def _open_with(self, outputs: frozenset[str]) -> OpenedSession:
        model = self._model if outputs == self.outputs else prune(self._model, outputs)
        return open_session(model, self.path, self._settled)

    def _key(self, outputs: frozenset[str]) -> frozenset[str]:
        return self.outputs if self.provider == 'tensorrt' else outputs

    def _check_input(self, session: Any) -> None:
        inputs = [(item.name, item.type) for item in session.get_inputs()]
        if inputs != [('image', 'tensor(uint8)')]:
            raise ModelError(
                f'{self.path} has inputs {inputs}; expected one, image of uint8. {REWRITE_HINT}'
            )

    def _session_for(self, outputs: frozenset[str]) -> Any:
        if not self._model:
            raise ModelError(f'The engine of {self.path} is closed; make a new one.')
        key = self._key(outputs)
        if key not in self._sessions:
            self._open(key)
        self._sessions.move_to_end(key)
        return self._sessions[key]

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
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ImageError(
                f'The network got an array {image.shape} of {image.dtype}; expected (H, W, 3) '
                'uint8 RGB.'
            )
        wanted = outputs & self.outputs
        if not wanted:
            return Prediction()
        session = self._session_for(wanted)
        if self.provider == 'tensorrt' and image.shape not in self._sizes_run:
            return self._first_run(session, image, wanted)
        return self._run(session, image, wanted)

    def _first_run(self, session: Any, image: NDArray, outputs: frozenset[str]) -> Prediction:
        """Run on a size that TensorRT may have to build an engine for, and say so."""
        size = f'{image.shape[1]}x{image.shape[0]}'
        self._report(
            f'{self.path.name}: TensorRT loads or builds its engine for {size}; building takes '
            'minutes, once for a model, GPU and size.'
        )
        started = time.monotonic()
        prediction = self._run(session, image, outputs)
        self._sizes_run.add(image.shape)
        self._report(f'{self.path.name}: {size} ready after {time.monotonic() - started:.1f} s.')
        return prediction

    def _run(self, session: Any, image: NDArray, outputs: frozenset[str]) -> Prediction:
        image = np.ascontiguousarray(image)
        binding = session.io_binding()
        binding.bind_input('image', 'cpu', 0, np.uint8, (1, *image.shape), image.ctypes.data)
        found = {name: self._bind(binding, name, image.shape[:2]) for name in sorted(outputs)}
        try:
            session.run_with_iobinding(binding)
        except Exception as err:
            raise ModelError(
                f'{self.path} failed on an image of {image.shape[1]}x{image.shape[0]}: '
                f'{first_line(err)}'
            ) from err
        return Prediction(**found)

    def _bind(self, binding: Any, name: str, shape: tuple[int, ...]) -> NDArray:
        full = (*shape, 3) if name == 'normals' else shape
        array = self._pool.get(name, full, OUTPUT_TYPES[name])
        binding.bind_output(name, 'cpu', 0, array.dtype.type, (1, *full), array.ctypes.data)
        return array

    def close(self) -> None:
        """Free sessions and buffers; the engine cannot be used afterwards."""
        self._sessions.clear()
        self._pool = BufferPool()
        self._model = b''


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
