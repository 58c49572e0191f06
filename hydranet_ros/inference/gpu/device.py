"""
What the path of a frame asks of a GPU: memory, copies and one kernel on three queues.

Copies up, work and copies down have a queue each, so that a frame's results come down while the
next frame is at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

SOURCE = Path(__file__).with_name('finish.cu')
KERNEL = 'finish'


class Queue(Enum):
    """Where a step waits for its turn; steps of one queue are done in order."""

    UP = 'up'
    WORK = 'work'
    DOWN = 'down'


class Block(Protocol):
    """Some bytes on the device, freed with the last reference; ``ptr`` is their address."""

    ptr: int


class Mark(Protocol):
    """A point in a queue."""

    def synchronize(self) -> None:
        """Return when all before it is done."""


class Device(Protocol):
    """
    A device that holds the arrays of a frame. Every method but ``allocate``, ``pin`` and
    ``unpin`` only queues its step.

    :param memory: what ONNX Runtime calls the device's memory; ``number`` is which device.
    :param work: handle of the stream of :attr:`Queue.WORK`, on which ONNX Runtime is to run.
    """

    memory: str
    number: int
    work: int

    def current(self) -> AbstractContextManager[Any]:
        """Make it the calling thread's device."""

    def allocate(self, size: int) -> Block:
        """Return ``size`` bytes of its memory."""

    def pin(self, address: int, size: int) -> None:
        """
        Lock the pages of some memory of the host, so that the device copies by itself.

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

    def launch(self, pixels: int, arguments: Sequence[Any]) -> None:
        """Run the kernel of ``finish.cu`` with a thread a pixel, on :attr:`Queue.WORK`."""

    def order(self, first: Queue, then: Queue) -> None:
        """Let what is queued on ``then`` from now on wait for what is on ``first`` so far."""

    def mark(self, queue: Queue) -> Mark:
        """Return a mark behind what is on ``queue`` so far."""
