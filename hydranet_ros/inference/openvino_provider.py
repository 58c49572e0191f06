"""The provider of OpenVINO's own runtime: CPUs, and Intel's GPUs and NPUs."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.openvino_runtime import INSTALL, openvino_core
from hydranet_ros.inference.openvino_session import OpenvinoSession, open_session
from hydranet_ros.inference.options import AUTO, EngineOptions
from hydranet_ros.inference.processor import processor_flags
from hydranet_ros.inference.session import SessionRequest

AUTO_DEVICE = 'AUTO'
CPU = 'CPU'
_BFLOAT16 = frozenset({'amx_bf16', 'avx512_bf16'})


class OpenvinoProvider:
    """
    OpenVINO; see :class:`~hydranet_ros.inference.session.Provider`.

    On the CPU one compiled model takes images of any size at the speed of one compiled for that
    size, and a batch takes as long as its images one after the other.
    """

    name = 'openvino'
    on_gpu = False
    compiles = False
    batches = False
    forms: tuple[str, ...] = ('portable',)
    precisions: tuple[str, ...] = ('float32', 'bfloat16', 'float16', 'int8')

    def missing(self) -> str | None:
        """Return how to install OpenVINO, or ``None`` if it is installed."""
        with suppress(ValueError):  # an import that failed before
            if importlib.util.find_spec('openvino') is not None:
                return None
        return f'OpenVINO is not installed. To install it: {INSTALL}'

    def version(self) -> str:
        """Return the version of OpenVINO."""
        try:
            return f'OpenVINO {metadata.version("openvino")}'
        except metadata.PackageNotFoundError:
            return 'OpenVINO of unknown version'

    def automatic_precisions(self, options: EngineOptions) -> tuple[str, ...]:
        """Return the half precision that the device computes in natively, then float32."""
        device = requested_device(options)
        if device == AUTO_DEVICE:
            try:
                device = choose_device(device, available_devices())
            except ProviderError:  # opening the session raises it again
                device = CPU
        if device != CPU:
            return ('float16', 'float32')
        return ('bfloat16', 'float32') if _BFLOAT16 & processor_flags() else ('float32',)

    def open(self, request: SessionRequest) -> OpenvinoSession:
        """Load a model for arrays in host memory."""
        device = requested_device(request.options)
        if device != CPU:  # looking for devices loads the plugins of all
            device = choose_device(device, available_devices())
        return open_session(request, device)


def requested_device(options: EngineOptions) -> str:
    """
    Return OpenVINO's device in a user's options, ``CPU`` by default.

    A number is an NVIDIA GPU; it does not apply to OpenVINO unless OpenVINO was requested.
    """
    if not options.device or (options.provider == AUTO and options.device.isdecimal()):
        return CPU
    return options.device


def available_devices() -> tuple[str, ...]:
    """
    Return the devices that OpenVINO finds on this machine.

    :raises ProviderError: if OpenVINO cannot be imported.
    """
    return tuple(openvino_core().available_devices)


def choose_device(requested: str, devices: Sequence[str]) -> str:
    """
    Return the device to use: for ``AUTO`` the last GPU, or the CPU if there is none.

    OpenVINO lists a GPU of the processor before a card. Its own ``AUTO`` is not used, because it
    may change the device after the self-test.

    :param requested: name of a device or ``AUTO``.
    :param devices: names of the devices of this machine.
    :raises ProviderError: if there is no such device.
    """
    if requested == AUTO_DEVICE:
        gpus = [name for name in devices if name.split('.')[0] == 'GPU']
        return gpus[-1] if gpus else CPU
    # The only GPU is called GPU, the first of several GPU.0; OpenVINO takes GPU for it.
    if requested in devices or f'{requested}.0' in devices:
        return requested
    raise ProviderError(
        f'device is {requested!r}, which OpenVINO does not find; it finds '
        f'{", ".join(devices)}. Set device to one of these or to AUTO'
    )
