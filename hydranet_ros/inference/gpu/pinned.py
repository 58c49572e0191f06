"""Page-locked arrays that a ROS message can use: results are downloaded into the message."""

from __future__ import annotations

import logging
import mmap
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hydranet_ros.inference.buffers import allocate, backing_array
from hydranet_ros.inference.gpu.device import Device

_TRIES = 8
_SMALLEST_LOCKED = 1 << 16
_locked: dict[int, range] = {}
"""Locked pages by the address of their array, for the whole process."""
logger = logging.getLogger(__name__)


class PinnedPool:
    """
    Page-locked arrays reused by name, like :class:`~hydranet_ros.inference.buffers.BufferPool`.

    Pages stay locked as long as an array or a message refers to them. Small arrays are not
    locked. If pages cannot be locked, the array is an ordinary one, which is slower to download
    to; this is logged once.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._arrays: dict[str, NDArray] = {}
        self._warned = False

    def get(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        """Return the array with this name; it still holds its last values."""
        found = self._arrays.get(name)
        if found is None or found.shape != tuple(shape) or found.dtype != np.dtype(dtype):
            found = self._arrays[name] = self._make(shape, dtype)
        return found

    def _make(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        array = _on_own_pages(shape, dtype)
        address = array.ctypes.data
        if array.nbytes < _SMALLEST_LOCKED:
            return array
        try:
            self._device.pin(address, array.nbytes)
        except RuntimeError as err:
            if not self._warned:
                logger.warning('Pages of results cannot be locked; downloads are slower: %s', err)
            self._warned = True
        else:
            _locked[address] = _pages(array)
            store = backing_array(array)
            weakref.finalize(store, _unlock, self._device, address).atexit = False
        return array

    def clear(self) -> None:
        """Drop all arrays."""
        self._arrays.clear()


def _unlock(device: Device, address: int) -> None:
    del _locked[address]
    try:
        device.unpin(address)
    except RuntimeError as err:  # after a failure of the GPU every call fails
        logger.debug('Pages of results cannot be unlocked: %s', err)


def _on_own_pages(shape: Sequence[int], dtype: DTypeLike) -> NDArray:
    """Return an array that shares no page with a locked one: a page can be locked only once."""
    refused = []
    for _ in range(_TRIES):
        array = allocate(shape, dtype)
        pages = _pages(array)
        if not any(_overlap(pages, other) for other in _locked.values()):
            break
        refused.append(array)
    return array


def _pages(array: NDArray) -> range:
    start = array.ctypes.data
    return range(start // mmap.PAGESIZE, (start + array.nbytes - 1) // mmap.PAGESIZE + 1)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
