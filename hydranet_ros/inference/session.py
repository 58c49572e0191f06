"""The interfaces between the engine and the runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.inference.options import EngineOptions


class Session(Protocol):
    """
    A model loaded on one provider.

    :param precision: the arithmetic that it computes in: float32, bfloat16, float16 or int8.
    :param notes: sentences for the log, such as nodes that run elsewhere.
    """

    precision: str
    notes: tuple[str, ...]

    def run(self, images: NDArray[np.uint8], outputs: Mapping[str, NDArray]) -> None:
        """
        Run on a batch of images of one size and write the outputs into arrays.

        :param images: (N, H, W, 3) uint8 RGB, C-contiguous.
        :param outputs: by name, (N, H, W) or, for normals, (N, H, W, 3), C-contiguous.
        """

    def close(self) -> None:
        """Free the model."""


@dataclass(frozen=True)
class SessionRequest:
    """
    What a provider is asked to load.

    :param model: bytes of the ONNX file, with the requested outputs only.
    :param source: the file, for messages.
    :param precision: one of the provider's precisions.
    :param size: (H, W) of every image, for providers that compile for one size; else ``None``.
    """

    model: bytes
    source: Path
    options: EngineOptions
    precision: str = 'float32'
    size: tuple[int, int] | None = None


class Provider(Protocol):
    """
    An execution provider.

    :param name: the name users write.
    :param on_gpu: whether it runs on an NVIDIA GPU, so that images and outputs may stay there.
    :param compiles: whether it compiles the model for each image size, which takes minutes.
    :param batches: whether several images at once take less time than one after the other.
    :param forms: forms of float model files that it runs right, preferred first; see
        :data:`~hydranet_ros.model_files.metadata.FORMS`.
    :param precisions: what a user may request.
    """

    name: str
    on_gpu: bool
    compiles: bool
    batches: bool
    forms: tuple[str, ...]
    precisions: tuple[str, ...]

    def missing(self) -> str | None:
        """Return why it is not installed and the remedy, or ``None``; opens no session."""

    def version(self) -> str:
        """Return the name and version of the runtime."""

    def automatic_precisions(self, options: EngineOptions) -> tuple[str, ...]:
        """Return the precisions that ``auto`` tries, fastest first."""

    def open(self, request: SessionRequest) -> Session:
        """
        Load a model.

        :raises ProviderError: if the provider cannot be used on this machine.
        :raises ModelError: if it cannot load the model.
        """
