"""Post-processing on an NVIDIA GPU, bit for bit as on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hydranet_ros.camera.model import CameraModel, pixel_rays
from hydranet_ros.inference.engine import Engine, Prediction
from hydranet_ros.inference.gpu.device import Block, Device, Queue
from hydranet_ros.inference.gpu.runner import DeviceFrame, device_errors
from hydranet_ros.inference.lru_cache import LruCache
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud
from hydranet_ros.perception.postprocess import (
    CLOUD,
    MIN_DEPTH,
    Postprocessed,
    PostprocessParams,
    Stopwatch,
)

KERNEL_SOURCE = Path(__file__).with_name('postprocess.cu')
KERNEL = 'postprocess'
_CAMERAS_KEPT = 4
_COMPUTED: Mapping[str, DTypeLike] = {'labels': np.uint8, 'depth': np.float32, CLOUD: POINT_DTYPE}
"""Results that the kernel writes, in the order of its arguments."""


class CudaPostprocessor:
    """
    One kernel per frame on the device's work stream.

    Two frames may be in flight; a result is valid until the second frame after it starts.

    :raises ProviderError: if the kernel cannot be compiled.
    """

    overlaps = True

    def __init__(self, engine: Engine, device: Device) -> None:
        self._engine = engine
        self._device = device
        self._kernel = device.compile(KERNEL_SOURCE, KERNEL)
        self._rays: LruCache[tuple[Block, Block]] = LruCache(_CAMERAS_KEPT)
        self._surfaces: LruCache[Block] = LruCache(1)

    def submit(
        self, image: NDArray[np.uint8], outputs: frozenset[str], keep: frozenset[str],
        params: PostprocessParams,
    ) -> Callable[[], Postprocessed]:  # fmt: skip
        """Queue the frame; see :class:`~hydranet_ros.perception.postprocess.Postprocessor`."""
        watch = Stopwatch()
        frame = self._engine.start(image, outputs)
        with device_errors(), self._device.current():
            self._queue(frame, keep, params)
            pending = frame.fetch()
        watch.lap('submit')

        def result() -> Postprocessed:
            found = pending.wait()
            watch.lap('engine')
            return _postprocessed(found, watch)

        return result

    def process_with_raw(
        self, image: NDArray[np.uint8], outputs: frozenset[str], keep: frozenset[str],
        params: PostprocessParams,
    ) -> tuple[Postprocessed, Prediction]:  # fmt: skip
        """Return the result of a frame and the network's outputs that it was made from."""
        frame = self._engine.start(image, outputs)
        with device_errors(), self._device.current():
            self._queue(frame, keep, params)
            for name in sorted(outputs):
                frame.take(name, f'raw {name}')
            found = dict(frame.fetch().wait())
        raw = Prediction(**{name: found.pop(f'raw {name}') for name in outputs})
        return _postprocessed(found, Stopwatch()), raw

    def _queue(self, frame: DeviceFrame, keep: frozenset[str], params: PostprocessParams) -> None:
        """Queue the kernel and the copies of the outputs that it does not change."""
        for name in sorted(keep):
            if name in _COMPUTED:
                frame.reserve(name, self._shape(name, frame.size, params), _COMPUTED[name])
        self._launch(frame, params)
        for name in sorted(keep - set(_COMPUTED)):
            frame.take(name)

    @staticmethod
    def _shape(name: str, size: tuple[int, int], params: PostprocessParams) -> tuple[int, ...]:
        return tuple(-(-side // params.stride) for side in size) if name == CLOUD else size

    def _launch(self, frame: DeviceFrame, params: PostprocessParams) -> None:
        """Queue the kernel; ``postprocess.cu`` names its arguments."""
        rays: tuple[Block | None, Block | None] = (None, None)
        if frame.reserved(CLOUD) is not None and params.camera is not None:
            rays = self._rays_of(params.camera, params.stride)
        raw = frame.outputs
        confidence = raw.get('confidence') if params.min_confidence else None
        blocks = (
            frame.image, raw.get('labels'), confidence, raw.get('depth'), self._surface(params),
            *rays, *(frame.reserved(name) for name in _COMPUTED),
        )  # fmt: skip
        integers = (*frame.size, params.stride)
        numbers = (params.min_confidence, MIN_DEPTH, params.max_depth, np.nan)
        arguments: list[Any] = [np.uint64(0 if block is None else block.ptr) for block in blocks]
        arguments += [np.int32(value) for value in integers]
        arguments += [np.float64(params.depth_factor), *(np.float32(value) for value in numbers)]
        self._device.launch(self._kernel, frame.size[0] * frame.size[1], arguments)

    def _rays_of(self, camera: CameraModel, stride: int) -> tuple[Block, Block]:
        def make() -> tuple[Block, Block]:
            rays = pixel_rays(camera, stride)
            return self._upload(rays[..., 0]), self._upload(rays[..., 1])

        return self._rays.get((camera, stride), make)

    def _surface(self, params: PostprocessParams) -> Block:
        return self._surfaces.get(params.surface, lambda: self._upload(params.surface_table))

    def _upload(self, values: NDArray) -> Block:
        """Return a block with these values, and wait until they are uploaded."""
        # The allocator may return the memory of rays that a frame in flight still reads.
        self._device.record(Queue.WORK).synchronize()
        values = np.ascontiguousarray(values)
        block = self._device.allocate(values.nbytes)
        self._device.upload(block, values)
        self._device.record(Queue.UP).synchronize()
        return block


def _postprocessed(arrays: Mapping[str, NDArray], watch: Stopwatch) -> Postprocessed:
    found: dict[str, Any] = dict(arrays)
    cloud = PointCloud(found.pop(CLOUD)) if CLOUD in found else None
    return Postprocessed(**found, cloud=cloud, timing=watch.laps)
