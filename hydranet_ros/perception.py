"""
One frame in; labels, depth and cloud out. Node, bag and video all call this.

Results live in buffers that are kept from frame to frame; they are valid until the next frame.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.buffers import BufferPool
from hydranet_ros.colour import colour_depth, colour_labels, overlay, palette
from hydranet_ros.engine import Engine, Prediction
from hydranet_ros.geometry import CameraModel, pixel_rays

CLOUD_DTYPE = np.dtype([
    ('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('b', 'u1'), ('g', 'u1'), ('r', 'u1'),
    ('label', 'u1'),
])  # fmt: skip


class Output(str, Enum):
    """What can be asked of a frame."""

    MASK = 'mask'
    COLOR = 'color'
    OVERLAY = 'overlay'
    CONFIDENCE = 'confidence'
    DEPTH = 'depth'
    DEPTH_COLOR = 'depth_color'
    NORMALS = 'normals'
    POINTS = 'points'


_LABELLED = {Output.MASK, Output.COLOR, Output.OVERLAY}
_METRIC = {Output.DEPTH, Output.DEPTH_COLOR, Output.POINTS}


@dataclass(frozen=True)
class PerceptionSettings:
    """
    What a user may choose.

    :param overlay_alpha: weight of the palette in the overlay, 0..1.
    :param cloud_stride: take every so many pixels into the cloud.
    :param scale_by_focal_length: multiply depth by the camera's focal length over that of the
        training camera: a network learns what size things have in pixels.
    :param max_depth: metres beyond which depth is unknown; 0 for no limit.
    """

    overlay_alpha: float = 0.5
    cloud_stride: int = 1
    scale_by_focal_length: bool = True
    max_depth: float = 0.0


@dataclass(frozen=True)
class Cloud:
    """
    An organised cloud: (h, w) of :data:`CLOUD_DTYPE`, metres in the camera's optical frame.

    x, y, z are NaN where there is no point; ``label`` is 255 where there is no class.
    """

    data: NDArray


@dataclass(frozen=True)
class PerceptionResult:
    """
    One frame's results; what was not wanted or cannot be had is ``None``.

    :param labels: (H, W) uint8 class ids.
    :param color: (H, W, 3) uint8 RGB, likewise ``overlay`` and ``depth_color``.
    :param confidence: (H, W) uint8, 255 times the winning probability.
    :param depth: (H, W) float32 metres along the optical axis, NaN unknown (REP 118).
    :param normals: (H, W, 3) float32 unit vectors in the optical frame.
    :param timing: milliseconds by stage.
    """

    labels: NDArray[np.uint8] | None = None
    color: NDArray[np.uint8] | None = None
    overlay: NDArray[np.uint8] | None = None
    confidence: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None
    depth_color: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None
    cloud: Cloud | None = None
    timing: Mapping[str, float] = field(default_factory=dict)


class Perception:
    """
    An engine and what follows it.

    :param settings: may be replaced between two frames.
    """

    def __init__(self, engine: Engine, settings: PerceptionSettings | None = None) -> None:
        self.engine = engine
        self.settings = settings or PerceptionSettings()
        self.palette = palette(engine.info.classes)
        self._no_surface = np.uint8(255) * ~np.array(engine.info.surface_lookup)
        self._pool = BufferPool()

    @property
    def available(self) -> frozenset[Output]:
        """Return what this model can give."""
        has = self.engine.outputs
        found: set[Output] = set()
        if 'labels' in has:
            found |= _LABELLED
        if 'confidence' in has:
            found.add(Output.CONFIDENCE)
        if 'depth' in has:
            found |= _METRIC
        if 'normals' in has:
            found.add(Output.NORMALS)
        return frozenset(found)

    def process(
        self,
        image: NDArray[np.uint8],
        camera: CameraModel | None = None,
        *,
        wanted: frozenset[Output],
    ) -> PerceptionResult:
        """
        Run one frame.

        :param image: (H, W, 3) uint8 RGB.
        :param camera: of this image; without it there is no cloud, and depth is not corrected
            for the focal length.
        :param wanted: what to compute; nothing else is.
        :raises ImageError: if the image has another shape or type.
        """
        clock = _Clock()
        prediction = self.engine.infer(image, self._needed(wanted))
        clock.lap('engine')
        results: dict = {
            'labels': prediction.labels,
            'confidence': prediction.confidence,
            'normals': prediction.normals,
        }
        if wanted & _METRIC and prediction.depth is not None:
            results['depth'] = self._metric(prediction, camera)
            clock.lap('depth')
            if Output.POINTS in wanted and camera is not None:
                results['cloud'] = self._cloud(image, prediction.labels, results['depth'], camera)
                clock.lap('cloud')
        if self._paint(image, results, wanted):
            clock.lap('colour')
        return PerceptionResult(**results, timing=clock.laps)

    def _needed(self, wanted: frozenset[Output]) -> frozenset[str]:
        """Return which outputs of the graph the wanted results need."""
        needed = set()
        if wanted & (_LABELLED | _METRIC):
            needed.add('labels')
        if wanted & _METRIC:
            needed.add('depth')
        if Output.CONFIDENCE in wanted:
            needed.add('confidence')
        if Output.NORMALS in wanted:
            needed.add('normals')
        return frozenset(needed & self.engine.outputs)

    def _metric(self, prediction: Prediction, camera: CameraModel | None) -> NDArray[np.float32]:
        """Scale depth to this camera, in place, and blank what has no depth."""
        depth = prediction.depth
        assert depth is not None
        if camera is not None and self.settings.scale_by_focal_length:
            ratio = camera.fx / self.engine.info.training_focal_length
            cv2.multiply(depth, ratio, dst=depth)
        limit = self.settings.max_depth
        mask = self._pool.get('mask', depth.shape, np.uint8)
        if prediction.labels is not None:
            cv2.LUT(prediction.labels, self._no_surface, mask)
            cv2.copyTo(self._unknown(depth.shape), mask, depth)
        cv2.inRange(depth, 1e-6, limit or 1e9, mask)
        cv2.bitwise_not(mask, mask)
        cv2.copyTo(self._unknown(depth.shape), mask, depth)
        return depth

    def _unknown(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        array = self._pool.get('unknown', shape, np.float32)
        if array[0, 0] == 0:
            array.fill(np.nan)
        return array

    def _cloud(
        self, image: NDArray, labels: NDArray | None, depth: NDArray, camera: CameraModel
    ) -> Cloud:
        stride = self.settings.cloud_stride
        x_ray, y_ray = _rays(camera, stride)
        if stride > 1:
            image, depth = image[::stride, ::stride], np.ascontiguousarray(depth[::stride, ::stride])
            labels = None if labels is None else labels[::stride, ::stride]
        shape = depth.shape
        cloud = self._pool.get('cloud', shape, CLOUD_DTYPE)
        x = self._pool.get('x', shape, np.float32)
        y = self._pool.get('y', shape, np.float32)
        color = self._pool.get('bgrl', (*shape, 4), np.uint8)
        cv2.multiply(x_ray, depth, dst=x)
        cv2.multiply(y_ray, depth, dst=y)
        if labels is None:
            labels = self._pool.get('unlabelled', shape, np.uint8)
            labels.fill(255)
        cv2.mixChannels(
            [np.ascontiguousarray(image), np.ascontiguousarray(labels)], [color],
            [2, 0, 1, 1, 0, 2, 3, 3],
        )  # fmt: skip
        packed = color.view(np.float32)[..., 0]
        cv2.merge([x, y, depth, packed], cloud.view(np.float32).reshape(*shape, 4))
        return Cloud(cloud)

    def _paint(self, image: NDArray, results: dict, wanted: frozenset[Output]) -> bool:
        labels, depth = results['labels'], results.get('depth')
        if labels is not None and wanted & {Output.COLOR, Output.OVERLAY}:
            color = self._pool.get('color', image.shape, np.uint8)
            results['color'] = colour_labels(labels, self.palette, color)
            if Output.OVERLAY in wanted:
                target = self._pool.get('overlay', image.shape, np.uint8)
                results['overlay'] = overlay(image, color, self.settings.overlay_alpha, target)
        if depth is not None and Output.DEPTH_COLOR in wanted:
            target = self._pool.get('depth_color', image.shape, np.uint8)
            results['depth_color'] = colour_depth(depth, self.engine.info.depth_range, target)
        return bool(wanted & {Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR})


@lru_cache(maxsize=4)
def _rays(camera: CameraModel, stride: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x/z and y/z of every pixel's ray; computed once a camera."""
    rays = pixel_rays(camera, stride)
    return np.ascontiguousarray(rays[..., 0]), np.ascontiguousarray(rays[..., 1])


class _Clock:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = 1e3 * (now - self._last)
        self._last = now
