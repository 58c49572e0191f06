"""
NVIDIA's driver and GPUs, read from the driver's own libraries.

The GPUs have the numbers that CUDA gives them, which ``CUDA_VISIBLE_DEVICES`` changes and which
differ from those of ``nvidia-smi``. ``libcuda.so.1`` exists on every system with a driver, also
in WSL2, which has no ``/proc/driver/nvidia``. Nothing here raises an error. Not run on hardware
yet; tested with libraries that have the same functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CUDA_LIBRARY = 'libcuda.so.1'
NVML_LIBRARY = 'libnvidia-ml.so.1'
FIRST_DRIVERS = {11: 'r450', 12: 'r525', 13: 'r580'}
"""First driver branch that runs programs of each major version of CUDA."""
_TEXT_BYTES = 256
_SCHEDULING, _BLOCKING = 7, 4  # CU_CTX_SCHED_MASK, CU_CTX_SCHED_BLOCKING_SYNC
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


@dataclass(frozen=True)
class Gpu:
    """
    One GPU.

    :param number: CUDA's ordinal.
    :param capability: compute capability, for example (8, 7).
    :param memory: bytes.
    """

    number: int
    name: str
    capability: tuple[int, int]
    memory: int


@dataclass(frozen=True)
class Driver:
    """
    The driver of this machine.

    :param version: for example ``580.65.06``; empty if unknown.
    :param cuda: highest version of CUDA that it supports, for example (13, 0); (0, 0) if unknown.
    :param gpus: GPUs that this process may use.
    :param error: why no GPU can be used; empty if there is one.
    """

    version: str
    cuda: tuple[int, int]
    gpus: tuple[Gpu, ...] = ()
    error: str = ''


class _CudaError(Exception):
    """A function of the driver failed."""


def driver_loads(library: str = CUDA_LIBRARY) -> bool:
    """Return whether there is an NVIDIA driver; does not initialize it."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


@lru_cache(maxsize=8)
def find_driver(library: str = CUDA_LIBRARY, nvml: str = NVML_LIBRARY) -> Driver | None:
    """Return the driver, read once; ``None`` if there is none."""
    if not driver_loads(library):
        return None
    found, cuda = Driver(_driver_version(nvml), (0, 0)), (0, 0)
    try:
        driver = ctypes.CDLL(library)
        number = ctypes.c_int()
        # Works before cuInit, and where no GPU is visible.
        _call(driver, 'cuDriverGetVersion', ctypes.byref(number))
        cuda = number.value // 1000, number.value % 1000 // 10
        _call(driver, 'cuInit', 0)
        gpus = tuple(_gpus(driver))
    except (_CudaError, OSError, AttributeError) as err:
        return Driver(found.version, cuda, error=str(err))
    return Driver(found.version, cuda, gpus, '' if gpus else 'no GPU is visible to this process')


def gpu_name(number: int = 0) -> str:
    """Return the name of a GPU by CUDA's ordinal, or an empty string if there is none."""
    driver = find_driver()
    gpus = driver.gpus if driver is not None else ()
    return next((gpu.name for gpu in gpus if gpu.number == number), '')


def driver_problem(
    cuda_version: str, number: int = 0, driver: Driver | None | str = 'installed'
) -> str | None:
    """
    Return why a program built with this version of CUDA cannot use a GPU, or ``None``.

    :param cuda_version: for example ``13.0``; empty if unknown.
    :param number: CUDA's ordinal of the GPU.
    :param driver: by default that of this machine.
    """
    found = find_driver() if isinstance(driver, str) else driver
    if found is None:
        return (
            f'there is no NVIDIA driver ({CUDA_LIBRARY} does not load); in a container, start it '
            'with --gpus all'
        )
    major = int(cuda_version.split('.')[0]) if cuda_version[:1].isdecimal() else 0
    if found.cuda[0] and found.cuda[0] < major:
        return (
            f'the NVIDIA driver {found.version or "installed here"} supports CUDA '
            f'{found.cuda[0]}.{found.cuda[1]}, and the installed onnxruntime needs CUDA {major}: '
            f'update the driver to {FIRST_DRIVERS.get(major, "a newer branch")} or newer'
        )
    if found.error:
        return f'the NVIDIA driver cannot be used: {found.error}'
    if number >= len(found.gpus):
        return (
            f'there is no GPU {number}; this process may use '
            f'{", ".join(f"{gpu.number} ({gpu.name})" for gpu in found.gpus)}'
        )
    return None


def wait_without_spinning(number: int = 0, library: str = CUDA_LIBRARY) -> bool:
    """
    Let a thread that waits for a GPU sleep, in every library of the process.

    By default CUDA keeps a core busy. The runtimes share the GPU's primary context, so this must
    be called before the first of them uses the GPU; a scheduling that was chosen elsewhere is
    kept. Creates no context.

    :param number: CUDA's ordinal.
    :returns: whether waiting threads sleep.
    """
    try:
        driver = ctypes.CDLL(library)
        device, flags, active = ctypes.c_int(), ctypes.c_uint(), ctypes.c_int()
        _call(driver, 'cuInit', 0)
        _call(driver, 'cuDeviceGet', ctypes.byref(device), number)
        state = ctypes.byref(flags), ctypes.byref(active)
        _call(driver, 'cuDevicePrimaryCtxGetState', device, *state)
        if not active.value and not flags.value & _SCHEDULING:
            chosen = flags.value | _BLOCKING
            _call(driver, 'cuDevicePrimaryCtxSetFlags_v2', device, ctypes.c_uint(chosen))
            _call(driver, 'cuDevicePrimaryCtxGetState', device, *state)
    except (_CudaError, OSError, AttributeError):
        return False
    return flags.value & _SCHEDULING == _BLOCKING


def _gpus(driver: Any) -> Iterator[Gpu]:
    count = ctypes.c_int()
    _call(driver, 'cuDeviceGetCount', ctypes.byref(count))
    for number in range(count.value):
        device, memory = ctypes.c_int(), ctypes.c_size_t()
        name = ctypes.create_string_buffer(_TEXT_BYTES)
        _call(driver, 'cuDeviceGet', ctypes.byref(device), number)
        _call(driver, 'cuDeviceGetName', name, _TEXT_BYTES, device)
        _call(driver, 'cuDeviceTotalMem_v2', ctypes.byref(memory), device)
        capability = (
            _attribute(driver, _CAPABILITY_MAJOR, device),
            _attribute(driver, _CAPABILITY_MINOR, device),
        )
        yield Gpu(number, name.value.decode(errors='replace'), capability, memory.value)


def _attribute(driver: Any, attribute: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    _call(driver, 'cuDeviceGetAttribute', ctypes.byref(value), attribute, device)
    return value.value


def _call(driver: Any, function: str, *arguments: Any) -> None:
    code = getattr(driver, function)(*arguments)
    if code:
        text = ctypes.c_char_p()
        driver.cuGetErrorString(code, ctypes.byref(text))
        meaning = (text.value or b'unknown error').decode(errors='replace')
        raise _CudaError(f'{function} failed with the error {code} ({meaning})')


def _driver_version(library: str) -> str:
    """Return the version of the driver, or an empty string."""
    try:
        with _nvml(library) as nvml:
            text = ctypes.create_string_buffer(_TEXT_BYTES)
            if nvml.nvmlSystemGetDriverVersion(text, _TEXT_BYTES):
                return ''
            return text.value.decode(errors='replace')
    except (OSError, AttributeError):
        return ''


@contextmanager
def _nvml(library: str) -> Iterator[Any]:
    nvml = ctypes.CDLL(library)
    if nvml.nvmlInit_v2():
        raise OSError('NVML cannot be initialized')
    try:
        yield nvml
    finally:
        nvml.nvmlShutdown()
