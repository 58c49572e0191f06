"""
Frames through a GPU: pixels up, the network, what follows it, results down.

A frame is queued by :meth:`DeviceFrames.submit` and fetched by :meth:`Ticket.wait`. Two frames may
be under way at a time, each with arrays of its own: while one is at work, the results of the one
before come down and are published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hydranet_ros.perception.point_cloud import CLOUD_DTYPE
from hydranet_ros.errors import ModelError
from hydranet_ros.perception.postprocess import NEAREST, Finish
from hydranet_ros.camera.model import CameraModel, pixel_rays
from hydranet_ros.inference.gpu.device import Block, Device, Mark, Queue
from hydranet_ros.inference.gpu.pinned import PinnedPool
from hydranet_ros.inference.gpu.session import DeviceSession
from hydranet_ros.inference.lru_cache import Recent

CLOUD = 'cloud'
"""The name of what is not an output of the network."""
_CAMERAS_KEPT = 4
_FINISHED = ('labels', 'depth', CLOUD)


class Ticket:
    """A frame that is under way."""

    def __init__(self, done: Mark, arrays: Mapping[str, NDArray]) -> None:
        self._done = done
        self._arrays = arrays

    def wait(self) -> Mapping[str, NDArray]:
        """
        Return the results by name, (H, W) or (H, W, 3), the cloud (H', W').

        They are valid until the second frame after this one is submitted.

        :raises ModelError: if the device failed; it tells so only now.
        """
        try:
            self._done.synchronize()
        except RuntimeError as err:
            raise ModelError(
                f'The GPU failed at a frame: {err}. After most such failures the process must be '
                'started again.'
            ) from err
        return self._arrays


class _Slot:
    """What one of the two frames under way has to itself."""

    def __init__(self, number: int, device: Device, pool: PinnedPool) -> None:
        self._number = number
        self._device = device
        self._pool = pool
        self._blocks: dict[str, tuple[int, Block]] = {}
        self.ticket: Ticket | None = None

    def block(self, name: str, size: int) -> Block:
        """Return ``size`` bytes on the device that are kept from frame to frame."""
        if name not in self._blocks or self._blocks[name][0] != size:
            self._blocks[name] = (size, self._device.allocate(size))
        return self._blocks[name][1]

    def array(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        """Return an array in locked pages that is kept from frame to frame."""
        return self._pool.get(f'{self._number} {name}', shape, dtype)


class DeviceFrames:
    """Frames through one device, two at a time."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._pool = PinnedPool(device)
        self._slots = self._new_slots()
        self._rays: Recent[tuple[Block, Block]] = Recent(_CAMERAS_KEPT)
        self._surfaces: Recent[Block] = Recent(1)

    def _new_slots(self) -> tuple[_Slot, _Slot]:
        return _Slot(0, self.device, self._pool), _Slot(1, self.device, self._pool)

    def submit(
        self, session: DeviceSession, image: NDArray[np.uint8], take: frozenset[str],
        finish: Finish | None = None,
    ) -> Ticket:  # fmt: skip
        """
        Queue a frame; what was submitted the frame before last is no longer valid.

        :param image: (H, W, 3) uint8 RGB, of the session's size; it may change afterwards.
        :param take: results to bring: outputs of the session, and :data:`CLOUD`, for which
            ``finish`` needs a camera.
        :param finish: what to do with labels and depth; ``None`` brings them as the network says.
        """
        slot, later = self._slots
        self._slots = (later, slot)
        if slot.ticket is not None:
            slot.ticket.wait()
        device = self.device
        pixels = slot.block('image', image.nbytes)
        waiting = slot.array('image', image.shape, np.uint8)
        np.copyto(waiting, image)
        device.upload(pixels, waiting)
        device.order(Queue.UP, Queue.WORK)
        device.copy(session.image, pixels, image.nbytes)
        session.run()
        arrays = {name: slot.array(name, *self._kind(name, session, image, finish))
                  for name in sorted(take)}  # fmt: skip
        results = {name: slot.block(name, array.nbytes) for name, array in arrays.items()}
        if finish is not None:
            self._finish(session, pixels, image.shape[:2], results, finish)
        for name, array in arrays.items():
            if finish is None or name not in _FINISHED:
                device.copy(results[name], session.results[name], array.nbytes)
        device.order(Queue.WORK, Queue.DOWN)
        for name, array in arrays.items():
            device.download(array, results[name])
        slot.ticket = Ticket(device.mark(Queue.DOWN), arrays)
        return slot.ticket

    @staticmethod
    def _kind(
        name: str, session: DeviceSession, image: NDArray, finish: Finish | None
    ) -> tuple[tuple[int, ...], DTypeLike]:
        """Return shape and dtype of a result."""
        if name != CLOUD:
            return session.outputs[name]
        stride = finish.stride if finish is not None else 1
        return tuple(-(-side // stride) for side in image.shape[:2]), CLOUD_DTYPE

    def _finish(
        self, session: DeviceSession, image: Block, size: tuple[int, ...],
        results: Mapping[str, Block], finish: Finish,
    ) -> None:  # fmt: skip
        """Queue the kernel; ``finish.cu`` names its arguments."""
        rays: tuple[Block | None, Block | None] = (None, None)
        if CLOUD in results and finish.camera is not None:
            rays = self._rays_of(finish.camera, finish.stride)
        found = session.results
        sure = found.get('confidence') if finish.least_confidence else None
        blocks = (
            image, found.get('labels'), sure, found.get('depth'), self._surface(finish),
            *rays, *(results.get(name) for name in _FINISHED),
        )  # fmt: skip
        integers = (*size, finish.stride)
        numbers = (finish.least_confidence, NEAREST, finish.farthest, np.nan)
        arguments: list[Any] = [np.uint64(0 if block is None else block.ptr) for block in blocks]
        arguments += [np.int32(value) for value in integers]
        arguments += [np.float64(finish.factor), *(np.float32(value) for value in numbers)]
        self.device.launch(size[0] * size[1], arguments)

    def _rays_of(self, camera: CameraModel, stride: int) -> tuple[Block, Block]:
        def make() -> tuple[Block, Block]:
            rays = pixel_rays(camera, stride)
            return self._put(rays[..., 0]), self._put(rays[..., 1])

        return self._rays.get((camera, stride), make)

    def _surface(self, finish: Finish) -> Block:
        return self._surfaces.get(finish.surface, lambda: self._put(finish.surface_table))

    def _put(self, values: NDArray) -> Block:
        """Return a block with these values, and wait until they are there."""
        # The memory may be that of rays which a frame at work still reads.
        self.device.mark(Queue.WORK).synchronize()
        values = np.ascontiguousarray(values)
        block = self.device.allocate(values.nbytes)
        self.device.upload(block, values)
        self.device.mark(Queue.UP).synchronize()
        return block

    def close(self) -> None:
        """Wait for what is under way and free everything."""
        for slot in self._slots:
            if slot.ticket is not None:
                slot.ticket.wait()
        self._slots = self._new_slots()
        self._pool.clear()
        self._rays.clear()
        self._surfaces.clear()
