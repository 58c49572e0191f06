"""An NVIDIA GPU through CuPy. Not run on hardware yet; the code that drives it is tested."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import MissingDependencyError, ProviderError
from hydranet_ros.inference.gpu.device import Block, Event, Queue
from hydranet_ros.inference.nvidia import wait_without_spinning
from hydranet_ros.inference.onnx_libraries import load_compiler

_THREADS = 256
_NEEDS_NUMPY_2 = 14
_CUPY_PACKAGES = ('cupy-cuda13x', 'cupy-cuda12x', 'cupy')


class CudaDevice:
    """
    One GPU; see :class:`~hydranet_ros.inference.gpu.device.Device`.

    :param number: number of the GPU.
    :raises MissingDependencyError: if CuPy is not installed.
    :raises ProviderError: if CUDA does not work.
    """

    memory = 'cuda'

    def __init__(self, number: int = 0) -> None:
        cupy = _import_cupy()
        wait_without_spinning(number)
        self.number = number
        self._cupy = cupy
        self._runtime = cupy.cuda.runtime
        self._abandoned: list[Any] = []
        try:
            self._device = cupy.cuda.Device(number)
            with self._device:
                self._streams = {queue: cupy.cuda.Stream(non_blocking=True) for queue in Queue}
        except Exception as err:  # the driver's and CuPy's own errors
            raise ProviderError(
                f'GPU {number} cannot be used by CuPy: {type(err).__name__}: {err}.'
            ) from err
        self.work: int = self._streams[Queue.WORK].ptr

    def renew(self) -> None:
        """
        Replace the stream of :attr:`Queue.WORK`, and with it ``work``.

        :raises ProviderError: if CUDA does not work.
        """
        old = self._streams[Queue.WORK]
        # A failed capture leaves the stream capturing, and every call on it fails.
        with suppress(Exception):
            old.end_capture()
        self._abandoned.append(old)  # a session that failed may still refer to it
        try:
            with self._device:
                self._streams[Queue.WORK] = self._cupy.cuda.Stream(non_blocking=True)
        except Exception as err:  # the driver's and CuPy's own errors
            raise ProviderError(
                f'GPU {self.number} cannot be used by CuPy: {type(err).__name__}: {err}.'
            ) from err
        self.work = self._streams[Queue.WORK].ptr

    def current(self) -> AbstractContextManager[Any]:
        """Make this the calling thread's device."""
        return self._device

    def allocate(self, size: int) -> Block:
        """Return ``size`` bytes of device memory."""
        with self._device:
            return self._cupy.cuda.alloc(size)

    def compile(self, source: Path, name: str) -> Any:
        """
        Return the CUDA kernel ``name`` of a source file.

        :raises ProviderError: if it cannot be compiled.
        """
        try:
            with self._device:
                kernel = self._cupy.RawKernel(source.read_text(encoding='utf-8'), name)
                kernel.compile()
        except Exception as err:  # the compiler's and CuPy's own errors
            raise ProviderError(
                f'The CUDA kernel {name} cannot be compiled: {type(err).__name__}: {err}.'
            ) from err
        return kernel

    def pin(self, address: int, size: int) -> None:
        """Lock pages of host memory; raise ``RuntimeError`` if they cannot be locked."""
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

    def launch(self, kernel: Any, threads: int, arguments: Sequence[Any]) -> None:
        """Run a compiled kernel with at least this many threads, on :attr:`Queue.WORK`."""
        blocks = -(-threads // _THREADS)
        with self._streams[Queue.WORK]:
            kernel((blocks,), (_THREADS,), tuple(arguments))

    def order(self, first: Queue, then: Queue) -> None:
        """Make later steps of ``then`` wait for the steps now in ``first``."""
        self._streams[then].wait_event(self._event(first))

    def record(self, queue: Queue) -> Event:
        """Return an event after the steps now in ``queue``."""
        return self._event(queue)

    def _event(self, queue: Queue) -> Any:
        # By default a thread that waits for an event keeps a core busy.
        event = self._cupy.cuda.Event(block=True, disable_timing=True)
        event.record(self._streams[queue])
        return event


def _import_cupy() -> Any:
    """
    Return the module cupy, which can compile kernels with pip's NVRTC.

    :raises MissingDependencyError: if it cannot be imported.
    """
    load_compiler()
    try:
        import cupy
    except Exception as err:  # a build for another NumPy raises errors of several classes
        raise MissingDependencyError(
            import_problem(err, np.__version__, *_cupy_package())
        ) from err
    return cupy


def import_problem(err: Exception, numpy: str, package: str, cupy: str) -> str:
    """
    Return what an error of ``import cupy`` means and the remedy.

    :param numpy: version of NumPy.
    :param package: name of CuPy's package.
    :param cupy: version of CuPy, empty if it is not installed.
    """
    if not cupy:
        return f"CuPy is not installed ({err}): pip install 'hydranet_ros[gpu]'."
    if int(cupy.split('.')[0]) >= _NEEDS_NUMPY_2 and numpy.startswith('1.'):
        return (
            f'CuPy {cupy} needs NumPy 2, and NumPy {numpy} is installed, which packages of ROS '
            f"from apt use: install CuPy 13 with pip install '{package}<{_NEEDS_NUMPY_2}'."
        )
    return f"CuPy {cupy} cannot be imported ({err}): pip install 'hydranet_ros[gpu]'."


def _cupy_package() -> tuple[str, str]:
    """Return the name and version of CuPy's package, the version empty if there is none."""
    for name in _CUPY_PACKAGES:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return _CUPY_PACKAGES[0], ''
