"""
Run frames on a device: upload the image, run the network, download results.

:meth:`DeviceRunner.start` queues a frame and :meth:`DeviceFrame.fetch` its downloads. Two frames
may be in flight, each with its own arrays: while one is computed, the results of the other are
downloaded and published.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hydranet_ros.errors import ModelError
from hydranet_ros.inference.gpu.device import Block, Device, Event, Queue
from hydranet_ros.inference.gpu.pinned import PinnedPool
from hydranet_ros.inference.gpu.session import DeviceSession

logger = logging.getLogger(__name__)


@contextmanager
def device_errors() -> Iterator[None]:
    """
    Turn errors of the device into errors of this package.

    CuPy raises subclasses of ``RuntimeError``, and of ``MemoryError`` if the GPU's memory is full.
    A kernel that failed makes the calls after it fail.

    :raises ModelError: if a call of the device fails.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as err:
        raise ModelError(
            f'The GPU failed while computing a frame: {err}. Most such failures need a restart of '
            'the process.'
        ) from err


class PendingResults:
    """Downloads of a frame that is in flight."""

    def __init__(self, done: Event, arrays: Mapping[str, NDArray]) -> None:
        self._done = done
        self._arrays = arrays

    def wait(self) -> Mapping[str, NDArray]:
        """
        Return the arrays by name.

        They are valid until the second frame after this one starts.

        :raises ModelError: if the device failed.
        """
        with device_errors():
            self._done.synchronize()
        return self._arrays


class _Slot:
    """The buffers of one of the two frames in flight."""

    def __init__(self, number: int, device: Device, pool: PinnedPool) -> None:
        self._number = number
        self._device = device
        self._pool = pool
        self._blocks: dict[str, tuple[int, Block]] = {}
        self.pending: PendingResults | None = None

    def block(self, name: str, size: int) -> Block:
        """Return ``size`` bytes of device memory, reused from frame to frame."""
        if name not in self._blocks or self._blocks[name][0] != size:
            self._blocks[name] = (size, self._device.allocate(size))
        return self._blocks[name][1]

    def array(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        """Return a page-locked array, reused from frame to frame."""
        return self._pool.get(f'{self._number} {name}', shape, dtype)


class DeviceFrame:
    """
    A frame whose network run is queued.

    :param image: the image on the device, (H, W, 3) uint8.
    :param size: (H, W).
    :param outputs: raw outputs of the network on the device, valid until the next frame starts.

    Its methods raise :class:`~hydranet_ros.errors.ModelError` if the device fails.
    """

    def __init__(
        self, device: Device, slot: _Slot, session: DeviceSession, image: Block,
        size: tuple[int, int],
    ) -> None:  # fmt: skip
        self._device = device
        self._slot = slot
        self._session = session
        self.image = image
        self.size = size
        self.outputs: Mapping[str, Block] = session.results
        self._arrays: dict[str, NDArray] = {}
        self._results: dict[str, Block] = {}

    @device_errors()
    def reserve(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> Block:
        """Return a block for a result that :meth:`fetch` downloads into an array."""
        array = self._slot.array(name, shape, dtype)
        self._arrays[name] = array
        self._results[name] = self._slot.block(name, array.nbytes)
        return self._results[name]

    def reserved(self, name: str) -> Block | None:
        """Return the block of a reserved result, or ``None``."""
        return self._results.get(name)

    @device_errors()
    def take(self, name: str, result: str = '') -> None:
        """
        Download an output of the network as it is.

        :param result: name of the result; by default that of the output.
        """
        result = result or name
        target = self.reserve(result, *self._session.outputs[name])
        self._device.copy(target, self.outputs[name], self._arrays[result].nbytes)

    @device_errors()
    def fetch(self) -> PendingResults:
        """Queue the downloads of every reserved result."""
        device = self._device
        device.order(Queue.WORK, Queue.DOWN)
        for name, array in self._arrays.items():
            device.download(array, self._results[name])
        self._slot.pending = PendingResults(device.record(Queue.DOWN), self._arrays)
        return self._slot.pending


class DeviceRunner:
    """Frames on one device, two at a time."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._pool = PinnedPool(device)
        self._slots = self._new_slots()

    def _new_slots(self) -> tuple[_Slot, _Slot]:
        return _Slot(0, self.device, self._pool), _Slot(1, self.device, self._pool)

    def start(self, session: DeviceSession, image: NDArray[np.uint8]) -> DeviceFrame:
        """
        Queue the network on an image; the results of the frame before last become invalid.

        :param image: (H, W, 3) uint8 RGB, of the session's size; it may change afterwards.
        """
        slot, later = self._slots
        self._slots = (later, slot)
        if slot.pending is not None:
            slot.pending.wait()
        device = self.device
        pixels = slot.block('image', image.nbytes)
        staging = slot.array('image', image.shape, np.uint8)
        np.copyto(staging, image)
        device.upload(pixels, staging)
        device.order(Queue.UP, Queue.WORK)
        device.copy(session.image, pixels, image.nbytes)
        session.run()
        return DeviceFrame(device, slot, session, pixels, (image.shape[0], image.shape[1]))

    def close(self) -> None:
        """Wait for the frames in flight and free everything; a failure of the GPU is logged."""
        try:
            for slot in self._slots:
                if slot.pending is not None:
                    slot.pending.wait()
        except ModelError as err:
            logger.warning('Frames in flight are lost: %s', err)
        self._slots = self._new_slots()
        self._pool.clear()
