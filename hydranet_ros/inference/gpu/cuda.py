"""An NVIDIA GPU by CuPy. Not run on hardware yet; what drives it is tested on the host."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from hydranet_ros.errors import MissingDependencyError, ProviderError
from hydranet_ros.inference.gpu.device import KERNEL, SOURCE, Block, Mark, Queue

_THREADS = 256


class CudaDevice:
    """
    The GPU of this number; see :class:`~hydranet_ros.inference.gpu.device.Device`.

    :raises MissingDependencyError: if CuPy is not installed.
    :raises ProviderError: if CUDA does not work or the kernel cannot be compiled.
    """

    memory = 'cuda'

    def __init__(self, number: int = 0) -> None:
        try:
            import cupy
        except ImportError as err:
            raise MissingDependencyError(
                f"CuPy cannot be imported ({err}): pip install 'hydranet_ros[gpu]'."
            ) from err
        self.number = number
        self._cupy = cupy
        self._runtime = cupy.cuda.runtime
        try:
            self._device = cupy.cuda.Device(number)
            with self._device:
                self._streams = {queue: cupy.cuda.Stream(non_blocking=True) for queue in Queue}
                self._kernel = cupy.RawKernel(SOURCE.read_text(encoding='utf-8'), KERNEL)
                self._kernel.compile()
        except Exception as err:  # the driver's, the compiler's and CuPy's own errors
            raise ProviderError(
                f'GPU {number} cannot be used by CuPy: {type(err).__name__}: {err}.'
            ) from err
        self.work: int = self._streams[Queue.WORK].ptr

    def current(self) -> AbstractContextManager[Any]:
        """Make it the calling thread's device."""
        return self._device

    def allocate(self, size: int) -> Block:
        """Return ``size`` bytes of its memory."""
        with self._device:
            return self._cupy.cuda.alloc(size)

    def pin(self, address: int, size: int) -> None:
        """Lock the pages of some memory of the host; ``RuntimeError`` if that cannot be."""
        self._runtime.hostRegister(address, size, 0)

    def unpin(self, address: int) -> None:
        """Undo :meth:`pin`."""
        self._runtime.hostUnregister(address)

    def upload(self, target: Block, source: NDArray) -> None:
        """Copy an array to the device, on :attr:`Queue.UP`."""
        kind = self._runtime.memcpyHostToDevice
        self._copy(target.ptr, source.ctypes.data, source.nbytes, kind, Queue.UP)

    def copy(self, target: Block, source: Block, size: int) -> None:
        """Copy within the device, on :attr:`Queue.WORK`."""
        kind = self._runtime.memcpyDeviceToDevice
        self._copy(target.ptr, source.ptr, size, kind, Queue.WORK)

    def download(self, target: NDArray, source: Block) -> None:
        """Copy from the device into an array, on :attr:`Queue.DOWN`."""
        kind = self._runtime.memcpyDeviceToHost
        self._copy(target.ctypes.data, source.ptr, target.nbytes, kind, Queue.DOWN)

    def _copy(self, target: int, source: int, size: int, kind: int, queue: Queue) -> None:
        self._runtime.memcpyAsync(target, source, size, kind, self._streams[queue].ptr)

    def launch(self, pixels: int, arguments: Sequence[Any]) -> None:
        """Run the kernel with a thread a pixel, on :attr:`Queue.WORK`."""
        blocks = -(-pixels // _THREADS)
        with self._streams[Queue.WORK]:
            self._kernel((blocks,), (_THREADS,), tuple(arguments))

    def order(self, first: Queue, then: Queue) -> None:
        """Let what is queued on ``then`` from now on wait for what is on ``first`` so far."""
        self._streams[then].wait_event(self._event(first))

    def mark(self, queue: Queue) -> Mark:
        """Return a mark behind what is on ``queue`` so far."""
        return self._event(queue)

    def _event(self, queue: Queue) -> Any:
        event = self._cupy.cuda.Event(disable_timing=True)
        event.record(self._streams[queue])
        return event
