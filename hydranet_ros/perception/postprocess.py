"""
From the network's raw outputs to labels, metric depth and a point cloud.

:class:`Postprocessor` is the interface; this module implements it on the CPU,
:mod:`hydranet_ros.perception.postprocess_cuda` on an NVIDIA GPU with the same result bit for bit.
:func:`hydranet_ros.perception.pipeline.create_postprocessor` chooses one when the engine is
loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.inference.engine import Engine, Prediction
from hydranet_ros.perception.point_cloud import PointCloud, PointCloudBuilder

MIN_DEPTH = 1e-6
MAX_DEPTH = 1e9
CLOUD = 'cloud'


@dataclass(frozen=True)
class PostprocessParams:
    """
    Post-processing parameters shared by CPU and GPU.

    :param surface: 256 bytes by class id, 255 where the class has a surface, else 0.
    :param min_confidence: 0..255; pixels below it become unlabeled (255). 0 keeps all labels.
    :param depth_factor: factor of the depth, for the camera's focal length.
    :param max_depth: meters beyond which depth is unknown.
    :param camera: camera of the image, for the cloud; ``None`` for no cloud.
    :param stride: the cloud takes every n-th pixel of each row and column.
    """

    surface: bytes
    min_confidence: float = 0.0
    depth_factor: float = 1.0
    max_depth: float = MAX_DEPTH
    camera: CameraModel | None = None
    stride: int = 1

    @property
    def surface_table(self) -> NDArray[np.uint8]:
        """Return ``surface`` as (256,) uint8, without a copy."""
        return np.frombuffer(self.surface, np.uint8)


@dataclass(frozen=True)
class Postprocessed:
    """
    Labels, depth and cloud of one frame, valid until the next one; ``None`` if not requested.

    :param labels: (H, W) uint8 class ids, 255 unlabeled.
    :param depth: (H, W) float32 meters along the optical axis, NaN unknown (REP 118).
    :param confidence: (H, W) uint8, 255 times the winning probability.
    :param normals: (H, W, 3) float32 unit vectors in the optical frame.
    :param timing: milliseconds by stage.
    """

    labels: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    confidence: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None
    cloud: PointCloud | None = None
    timing: Mapping[str, float] = field(default_factory=dict)


class Postprocessor(Protocol):
    """
    Runs the network on an image and post-processes its outputs.

    :param overlaps: whether :meth:`submit` returns before the frame is computed.
    """

    overlaps: bool

    def submit(
        self, image: NDArray[np.uint8], outputs: frozenset[str], keep: frozenset[str],
        params: PostprocessParams,
    ) -> Callable[[], Postprocessed]:  # fmt: skip
        """
        Start a frame; return a function that waits for its result.

        :param image: (H, W, 3) uint8 RGB.
        :param outputs: outputs of the network to compute.
        :param keep: results to return, among ``outputs`` and ``cloud``.
        :raises ImageError: if the image has another shape or dtype.
        :raises ModelError: if the network cannot run on this image.
        """


class Stopwatch:
    """Measures the milliseconds of consecutive stages."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Store the time since the last call, or since creation, under ``name``."""
        now = time.perf_counter()
        self.laps[name] = 1e3 * (now - self._last)
        self._last = now


class CpuPostprocessor:
    """Post-processing with OpenCV, in place and in reused buffers."""

    overlaps = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = BufferPool()
        self._clouds = PointCloudBuilder()

    def submit(
        self, image: NDArray[np.uint8], outputs: frozenset[str], keep: frozenset[str],
        params: PostprocessParams,
    ) -> Callable[[], Postprocessed]:  # fmt: skip
        """Run the frame; see :class:`Postprocessor`."""
        watch = Stopwatch()
        raw = self._engine.infer(image, outputs)
        watch.lap('engine')
        result = self.process(image, raw, keep, params, watch)
        return lambda: result

    def process(
        self, image: NDArray[np.uint8], raw: Prediction, keep: frozenset[str],
        params: PostprocessParams, watch: Stopwatch | None = None,
    ) -> Postprocessed:  # fmt: skip
        """
        Post-process the network's outputs, in place.

        :param image: (H, W, 3) uint8 RGB, for the colors of the cloud.
        :param keep: results to return; see :class:`Postprocessor`.
        :param watch: measures the stages.
        """
        watch = watch or Stopwatch()
        labels = self._confident_labels(raw, params)
        watch.lap('labels')
        depth, cloud = raw.depth, None
        if depth is not None:
            depth = self.metric_depth(depth, labels, params)
            watch.lap('depth')
        if depth is not None and params.camera is not None and CLOUD in keep:
            self._clouds.prepare(params.camera, params.stride)
            watch.lap('rays')
            cloud = self._clouds.build(image, labels, depth, params.camera, stride=params.stride)
            watch.lap('cloud')
        return Postprocessed(labels, depth, raw.confidence, raw.normals, cloud, watch.laps)

    def _confident_labels(
        self, raw: Prediction, params: PostprocessParams
    ) -> NDArray[np.uint8] | None:
        """Return the labels, in place, with 255 where the confidence is too low."""
        limit = params.min_confidence
        if limit and raw.labels is not None and raw.confidence is not None:
            mask = self._pool.get('mask', raw.labels.shape, np.uint8)
            cv2.compare(raw.confidence, limit, cv2.CMP_LT, mask)
            cv2.bitwise_or(raw.labels, mask, raw.labels)
        return raw.labels

    def metric_depth(
        self,
        depth: NDArray[np.float32],
        labels: NDArray[np.uint8] | None,
        params: PostprocessParams,
    ) -> NDArray[np.float32]:
        """Scale depth to this camera, in place, and set NaN where it is unknown."""
        if params.depth_factor != 1:
            cv2.multiply(depth, params.depth_factor, depth)
        mask = self._pool.get('mask', depth.shape, np.uint8)
        cv2.inRange(depth, MIN_DEPTH, params.max_depth, mask)
        if labels is not None:
            surface = self._pool.get('surface', depth.shape, np.uint8)
            cv2.bitwise_and(mask, cv2.LUT(labels, params.surface_table, surface), mask)
        cv2.bitwise_not(mask, mask)
        return cv2.copyTo(self._unknown(depth.shape), mask, depth)

    def _unknown(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        array = self._pool.get('unknown', shape, np.float32)
        if array[0, 0] == 0:
            array.fill(np.nan)
        return array
