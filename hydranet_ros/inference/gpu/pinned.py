"""Page-locked arrays that a ROS message can carry: results come down straight into a message."""

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
_WORTH_LOCKING = 1 << 16
_locked: dict[int, range] = {}
"""Pages by the address of their array: whoever locked them, it holds for the whole process."""
logger = logging.getLogger(__name__)


class PinnedPool:
    """
    Arrays kept by name, like :class:`~hydranet_ros.inference.buffers.BufferPool`, in locked pages.

    They stay locked for as long as anybody, a message too, holds their memory. Small ones are not
    worth it. Where pages cannot be locked the array is an ordinary one, which is slower to copy
    to; that is logged once.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._kept: dict[str, NDArray] = {}
        self._told = False

    def get(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        """Return the array of this name; its contents are those it was last given."""
        found = self._kept.get(name)
        if found is None or found.shape != tuple(shape) or found.dtype != np.dtype(dtype):
            found = self._kept[name] = self._make(shape, dtype)
        return found

    def _make(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        array = _alone(shape, dtype)
        address = array.ctypes.data
        if array.nbytes < _WORTH_LOCKING:
            return array
        try:
            self._device.pin(address, array.nbytes)
        except RuntimeError as err:
            if not self._told:
                logger.warning('Pages of results cannot be locked, copies are slower: %s', err)
            self._told = True
        else:
            _locked[address] = _pages(array)
            store = backing_array(array)
            weakref.finalize(store, _unlock, self._device, address).atexit = False
        return array

    def clear(self) -> None:
        """Forget all arrays."""
        self._kept.clear()


def _unlock(device: Device, address: int) -> None:
    del _locked[address]
    device.unpin(address)


def _alone(shape: Sequence[int], dtype: DTypeLike) -> NDArray:
    """Return an array that shares no page with a locked one: a page is locked only once."""
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
