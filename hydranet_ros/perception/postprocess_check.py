"""
Compare post-processing on a GPU with post-processing on the CPU, before the first frame.

Both get the raw outputs of one run of the network, so they must agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.engine import Engine, Prediction
from hydranet_ros.model_files.selftest import self_test_image
from hydranet_ros.perception.postprocess import (
    CLOUD,
    CpuPostprocessor,
    Postprocessed,
    PostprocessParams,
)
from hydranet_ros.perception.postprocess_cuda import CudaPostprocessor

_STRIDE = 2
_DEPTH_FACTOR = 1.1
_USUAL_FIELD = 1.2
"""Focal length divided by the width of the image."""


def check_postprocessor(engine: Engine, postprocessor: CudaPostprocessor) -> None:
    """
    Process one deterministic image on the GPU and on the CPU.

    :raises ProviderError: if a result differs, or if the GPU fails.
    """
    image = self_test_image(*engine.first_size)
    try:
        raw = engine.infer(image, engine.outputs)
        params = _params(image, raw, engine)
        keep = engine.outputs | ({CLOUD} if raw.depth is not None else frozenset())
        found, raw = postprocessor.process_with_raw(image, engine.outputs, keep, params)
    except ModelError as err:
        raise ProviderError(f'the self-test of the post-processing failed: {err}') from err
    wanted = CpuPostprocessor(engine).process(image, raw, keep, params)
    differences = [
        text for name in sorted(keep)
        if (text := _difference(name, _array(found, name), _array(wanted, name)))
    ]  # fmt: skip
    if differences:
        raise ProviderError(
            f'in its self-test the GPU differs from the CPU: {", ".join(differences)}'
        )


def _params(image: NDArray[np.uint8], raw: Prediction, engine: Engine) -> PostprocessParams:
    """Return parameters that make about half of the pixels unlabeled, or of unknown depth."""
    height, width = image.shape[:2]
    focal = _USUAL_FIELD * width
    camera = CameraModel(
        width, height, focal, 1.01 * focal, 0.49 * width, 0.52 * height, 'plumb_bob',
        (-0.1, 0.02, 0.001, -0.001, 0.0),
    )  # fmt: skip
    values: dict[str, float] = {}
    if raw.confidence is not None:
        values['min_confidence'] = float(np.median(raw.confidence))
    if raw.depth is not None:
        values['max_depth'] = float(np.nanmedian(raw.depth)) * _DEPTH_FACTOR
    surface = bytes(255 * has for has in engine.info.surface_lookup)
    return PostprocessParams(
        surface, depth_factor=_DEPTH_FACTOR, camera=camera, stride=_STRIDE, **values
    )


def _array(found: Postprocessed, name: str) -> NDArray | None:
    if name == CLOUD:
        return found.cloud.data if found.cloud is not None else None
    return getattr(found, name)


def _difference(name: str, got: NDArray | None, want: NDArray | None) -> str:
    """Return how an output differs, or an empty string; NaN equals NaN."""
    if got is None or want is None or got.shape != want.shape or got.dtype != want.dtype:
        return '' if got is want else f'{name} has another shape'
    fields: Mapping[str, tuple[NDArray, NDArray]] = (
        {field: (got[field], want[field]) for field in got.dtype.names}
        if got.dtype.names else {name: (got, want)}
    )  # fmt: skip
    different = np.zeros(got.shape, bool)
    for one, other in fields.values():
        different |= ~((one == other) | ((one != one) & (other != other)))
    count = int(np.count_nonzero(different))
    return f'{count} of {different.size} values of {name}' if count else ''
