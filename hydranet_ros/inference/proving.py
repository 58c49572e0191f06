"""
Prove that a session computes what the model means.

A runtime can load a graph and compute something else, silently. So every session runs the
model's self-test before its first image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.model_file import OUTPUT_TYPES, ModelFile
from hydranet_ros.inference.onnx_session import first_line
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.session import Session, SessionRequest
from hydranet_ros.model_files.metadata import INT8
from hydranet_ros.model_files.selftest import SelfTest, self_test_image

Outputs = Mapping[str, NDArray]


def output_shape(name: str, count: int, size: tuple[int, int]) -> tuple[int, ...]:
    """Return the shape of an output for ``count`` images of (H, W)."""
    return (count, *size, 3) if name == 'normals' else (count, *size)


def run_once(session: Session, image: NDArray[np.uint8], names: frozenset[str]) -> Outputs:
    """
    Run a session on one image, into new arrays without the dimension of the batch.

    :raises ProviderError: if the session fails.
    """
    size = (image.shape[0], image.shape[1])
    arrays = {name: np.zeros(output_shape(name, 1, size), OUTPUT_TYPES[name]) for name in names}
    try:
        session.run(image[None], arrays)
    except Exception as err:  # each runtime has its own
        raise ProviderError(
            f'it failed on an image of {size[1]}x{size[0]}: {first_line(err)}'
        ) from err
    return {name: values[0] for name, values in arrays.items()}


def require_proof(test: SelfTest, outputs: Outputs, precision: str) -> None:
    """
    Compare the outputs of a session with the expected ones.

    :raises ProviderError: with the deviation, if it is beyond the tolerance.
    """
    deviation = test.compare(outputs, precision)
    if not deviation.accepted:
        raise ProviderError(f'its results are wrong: in the self-test, {deviation}')


class References:
    """
    Expected outputs of a model's forms for images of several sizes.

    The self-test of a file has one size. For others, and for a file without a self-test, the
    expected outputs are those of ONNX Runtime's CPU provider.

    :param cpu_form: returns the float32 file that the CPU provider runs.
    """

    def __init__(self, cpu_form: Callable[[], ModelFile]) -> None:
        self._cpu_form = cpu_form
        self._made: dict[tuple[bool, tuple[int, int]], SelfTest] = {}

    def expected(
        self, model: ModelFile, provider: str, size: tuple[int, int] | None
    ) -> SelfTest | None:
        """
        Return the self-test of a file on a provider.

        :param size: (H, W) of every image, if the provider compiles for one; else ``None``.
        :returns: ``None`` if the provider is the CPU itself and the file has no self-test of
            this size.
        :raises ModelError: if the CPU provider cannot run the model.
        """
        own = model.info.self_test
        if own is not None and size in (None, own.size):
            return own
        if provider == 'cpu':
            return None
        size = size or model.info.native_size
        quantized = model.info.form == INT8
        key = (quantized, size)
        if key not in self._made:
            self._made[key] = _from_cpu(model if quantized else self._cpu_form(), size)
        return self._made[key]


def _from_cpu(model: ModelFile, size: tuple[int, int]) -> SelfTest:
    """Return the self-test that expects what ONNX Runtime computes on the CPU."""
    precision = INT8 if model.info.form == INT8 else 'float32'
    request = SessionRequest(model.content, model.path, EngineOptions('cpu'), precision)
    session = PROVIDERS['cpu'].open(request)
    own = model.info.self_test
    try:
        if own is not None:
            require_proof(own, run_once(session, own.image(), model.outputs), precision)
        outputs = run_once(session, self_test_image(*size), model.outputs)
    except ProviderError as err:
        raise ModelError(f'{model.path}: ONNX Runtime on the CPU cannot be used: {err}') from err
    finally:
        session.close()
    return SelfTest.from_outputs(size, outputs)
