"""The few things of a kind that were used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar('T')


class Recent(Generic[T]):
    """
    Things by key, made when they are first asked for; the one not used for longest goes first.

    :param limit: how many are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under ``key``, made by ``make`` if it is not there."""
        if key not in self._kept:
            self._kept[key] = make()
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
