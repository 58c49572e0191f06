"""Step 5: post-processing on the GPU against the CPU, bit for bit, on random buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.doctor.full.images import noise
from hydranet_ros.doctor.full.outcome import judged
from hydranet_ros.inference.engine import Engine, Prediction
from hydranet_ros.inference.gpu.device import Block, Device, Queue
from hydranet_ros.inference.gpu.runner import DeviceFrame, DeviceRunner
from hydranet_ros.inference.gpu.session import DeviceSession
from hydranet_ros.inference.model_file import OUTPUT_TYPES
from hydranet_ros.perception.postprocess import (
    CLOUD,
    CpuPostprocessor,
    Postprocessed,
    PostprocessParams,
)
from hydranet_ros.perception.postprocess_cuda import CudaPostprocessor

SIZES = ((480, 640), (479, 641), (33, 57))
OUTPUTS = frozenset({'labels', 'depth', 'confidence'})
_SURFACE = bytes(255 * (index % 3 > 0) for index in range(256))
_SETTINGS: tuple[dict[str, Any], ...] = (
    {}, {'stride': 3}, {'min_confidence': 127.5}, {'depth_factor': 1.7, 'max_depth': 6.0},
)  # fmt: skip


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the number of compared results, and those that differ."""
    from hydranet_ros.inference.gpu.cuda import CudaDevice

    differing = []
    count = 0
    for name, same in compare(CudaDevice()):
        count += 1
        if not same:
            differing.append(name)
    text = f'{count} results are equal bit for bit'
    yield judged([f'{name} differs' for name in differing], text, compared=count)


def compare(device: Device) -> Iterator[tuple[str, bool]]:
    """Yield a name for each result of both post-processors, and whether they are equal."""
    for number, size in enumerate(SIZES):
        engine = RandomEngine(device, size, number)
        here = CpuPostprocessor(cast(Engine, engine))
        there = CudaPostprocessor(cast(Engine, engine), device)
        camera = CameraModel(size[1], size[0], 500.0, 510.0, size[1] / 2, size[0] / 2)
        for settings in _SETTINGS:
            params = PostprocessParams(_SURFACE, camera=camera, **settings)
            keep = OUTPUTS | {CLOUD}
            want = contents(here.submit(engine.image, OUTPUTS, keep, params)())
            got = contents(there.submit(engine.image, OUTPUTS, keep, params)())
            for name, values in want.items():
                same = name in got and equal(got[name], values)
                yield f'{name} of {size[1]}x{size[0]} with {settings or "defaults"}', same


def contents(found: Postprocessed) -> dict[str, NDArray]:
    """Return copies of the results, by name."""
    cloud = found.cloud.data if found.cloud is not None else None
    values = {'labels': found.labels, 'depth': found.depth, 'confidence': found.confidence}
    return {name: np.array(item) for name, item in {**values, CLOUD: cloud}.items()
            if item is not None}  # fmt: skip


def equal(one: NDArray, other: NDArray) -> bool:
    """Return whether two arrays are equal, field by field; NaN equals NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.names is None:
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == 'f'))
    return all(equal(one[name], other[name]) for name in one.dtype.names)


def random_outputs(size: tuple[int, int], seed: int) -> dict[str, NDArray]:
    """Return outputs of a network that never was, with every special value of depth."""
    random = np.random.default_rng(seed)
    depth = random.uniform(-1, 12, size).astype(np.float32)
    special = (0.0, -0.0, 1e-6, 1e-7, 1e9, 3e38, np.inf, -np.inf, np.nan, 6.0)
    places = random.integers(0, depth.size, (len(special), 5))
    for value, where in zip(special, places):
        depth.flat[where] = value
    return {
        'labels': random.integers(0, 256, size, np.uint8), 'depth': depth,
        'confidence': random.integers(0, 256, size, np.uint8),
    }  # fmt: skip


@dataclass
class _RandomSession:
    """A session whose outputs were computed before; see :class:`DeviceSession`."""

    outputs: Mapping[str, tuple[tuple[int, ...], Any]]
    results: Mapping[str, Block]
    image: Block

    def run(self) -> None:
        """Compute nothing."""


class RandomEngine:
    """
    What the post-processors use of an engine, with random outputs of one size.

    ``image`` is an image of that size.
    """

    def __init__(self, device: Device, size: tuple[int, int], seed: int) -> None:
        self.image = noise(size, seed)
        self._values = random_outputs(size, seed)
        self._runner = DeviceRunner(device)
        blocks = {}
        with device.current():
            for name, values in self._values.items():
                blocks[name] = device.allocate(values.nbytes)
                device.upload(blocks[name], values)
            device.record(Queue.UP).synchronize()
            image = device.allocate(self.image.nbytes)
        types = {name: (size, OUTPUT_TYPES[name]) for name in self._values}
        self._session = _RandomSession(types, blocks, image)

    def infer(self, image: NDArray[np.uint8], outputs: frozenset[str]) -> Prediction:
        """Return copies of the outputs, which post-processing changes in place."""
        return Prediction(**{name: values.copy() for name, values in self._values.items()})

    def start(self, image: NDArray[np.uint8], outputs: frozenset[str]) -> DeviceFrame:
        """Return a frame with the outputs on the device."""
        return self._runner.start(cast(DeviceSession, self._session), image)
