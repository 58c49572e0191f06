"""
Arrays whose memory a ROS message can use without a copy.

rclpy accepts an ``array.array('B')`` as message data without checking each byte. An array that
lives in one can be published without a copy.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def allocate(shape: Sequence[int], dtype: DTypeLike) -> NDArray:
    """Return a zeroed array of ``shape`` and ``dtype`` stored in an ``array.array('B')``."""
    kind = np.dtype(dtype)
    store = array('B')
    store.frombytes(bytes(int(np.prod(shape)) * kind.itemsize))
    return np.frombuffer(store, kind).reshape(shape)


def backing_array(values: NDArray) -> array | None:
    """Return the ``array.array('B')`` that holds exactly these values, or ``None``."""
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    store = base.obj if isinstance(base, memoryview) else base
    if not isinstance(store, array) or store.typecode != 'B' or not values.flags.c_contiguous:
        return None
    same_start = values.__array_interface__['data'][0] == store.buffer_info()[0]
    return store if same_start and values.nbytes == len(store) else None


class BufferPool:
    """Arrays reused by name from frame to frame; a new shape or dtype allocates a new array."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray] = {}

    def get(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        """Return the array with this name; it still holds the values of the last frame."""
        found = self._arrays.get(name)
        if found is None or found.shape != tuple(shape) or found.dtype != np.dtype(dtype):
            found = self._arrays[name] = allocate(shape, dtype)
        return found
