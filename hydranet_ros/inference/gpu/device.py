"""
The operations on a GPU that the frame path needs: memory, copies and kernels on three queues.

Uploads, compute and downloads have a queue each, so that the results of one frame are downloaded
while the next frame is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray


class Queue(Enum):
    """A stream of the device; steps of one queue run in order."""

    UP = 'up'
    WORK = 'work'
    DOWN = 'down'


class Block(Protocol):
    """A block of device memory, freed with its last reference; ``ptr`` is its address."""

    ptr: int


class Event(Protocol):
    """A point in a queue."""

    def synchronize(self) -> None:
        """Return when all steps before this point are done."""


class Device(Protocol):
    """
    A device that holds the arrays of a frame.

    ``allocate``, ``compile``, ``pin`` and ``unpin`` act at once; every other method only queues
    its step.

    :param memory: ONNX Runtime's name of the device memory; ``number`` is the device's number.
    :param work: handle of the stream of :attr:`Queue.WORK`, on which ONNX Runtime runs; another
        one after :meth:`renew`.
    """

    memory: str
    number: int
    work: int

    def current(self) -> AbstractContextManager[Any]:
        """Make this the calling thread's device."""

    def renew(self) -> None:
        """
        Replace the stream of :attr:`Queue.WORK` after a failed run, and with it ``work``.

        :raises ProviderError: if the device does not work.
        """

    def allocate(self, size: int) -> Block:
        """Return ``size`` bytes of device memory."""

    def compile(self, source: Path, name: str) -> Any:
        """
        Return the CUDA kernel ``name`` of a source file.

        :raises ProviderError: if it cannot be compiled.
        """

    def pin(self, address: int, size: int) -> None:
        """
        Lock pages of host memory, so that the device copies without the CPU.

        :raises RuntimeError: if they cannot be locked.
        """

    def unpin(self, address: int) -> None:
        """Undo :meth:`pin`."""

    def upload(self, target: Block, source: NDArray) -> None:
        """Copy an array to the device, on :attr:`Queue.UP`."""

    def copy(self, target: Block, source: Block, size: int) -> None:
        """Copy within the device, on :attr:`Queue.WORK`."""

    def download(self, target: NDArray, source: Block) -> None:
        """Copy from the device into an array, on :attr:`Queue.DOWN`."""

    def launch(self, kernel: Any, threads: int, arguments: Sequence[Any]) -> None:
        """Run a compiled kernel with this many threads, on :attr:`Queue.WORK`."""

    def order(self, first: Queue, then: Queue) -> None:
        """Make later steps of ``then`` wait for the steps now in ``first``."""

    def record(self, queue: Queue) -> Event:
        """Return an event after the steps now in ``queue``."""
