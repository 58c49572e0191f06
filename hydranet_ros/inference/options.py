"""The choices that a user has about how a model runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydranet_ros.errors import ProviderError

PRECISIONS = ('auto', 'float32', 'bfloat16', 'float16', 'int8')
AUTO = 'auto'


@dataclass(frozen=True)
class EngineOptions:
    """
    How to run a model.

    :param provider: ``auto`` takes the best provider that works and gives right results, and
        warns when that is not the best one for this machine; a name requests that provider.
    :param precision: arithmetic of the network, one of :data:`PRECISIONS`. ``auto`` takes the
        fastest that the provider has and that passes the model's self-test; ``int8`` needs a
        quantized file (``hydranet export --int8``).
    :param threads: threads of the CPU, 0 for one per core.
    :param device: the NVIDIA GPU's number for CUDA and TensorRT; ``CPU``, ``GPU``, ``GPU.1``,
        ``NPU`` or ``AUTO`` for OpenVINO; empty for the provider's default.
    :param cache_directory: folder of compiled models, ``None`` for the user's cache.
    :raises ProviderError: if a value is outside what is allowed.
    """

    provider: str = AUTO
    precision: str = AUTO
    threads: int = 0
    device: str = ''
    cache_directory: Path | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ProviderError(
                f'precision is {self.precision!r}; allowed: {", ".join(PRECISIONS)}.'
            )
        if self.threads < 0:
            raise ProviderError(f'threads is {self.threads}; it must be 0 or more.')

    @property
    def gpu(self) -> int:
        """
        Return the number of the NVIDIA GPU.

        :raises ProviderError: if ``device`` is not a number.
        """
        if not self.device:
            return 0
        if not self.device.isdecimal():
            raise ProviderError(
                f'device is {self.device!r}; CUDA and TensorRT need the number of a GPU, for '
                'example 0.'
            )
        return int(self.device)
