"""
One frame in; labels, depth and cloud out. Node, bag and video all call this.

Results live in buffers that are kept from frame to frame; they are valid until the next frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.perception.point_cloud import CLOUD_DTYPE, Cloud, CloudBuilder
from hydranet_ros.perception.colormaps import colour_depth, colour_labels, overlay, palette
from hydranet_ros.inference.engine import Engine, Prediction
from hydranet_ros.perception.postprocess import FARTHEST, NEAREST, Finish
from hydranet_ros.camera.model import CameraModel
from hydranet_ros.inference.gpu.frames import CLOUD

__all__ = [
    'CLOUD_DTYPE', 'Cloud', 'Output', 'Perception', 'PerceptionResult', 'PerceptionSettings',
]  # fmt: skip

T = TypeVar('T')


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
_TAKEN = {
    'labels': _LABELLED, 'confidence': {Output.CONFIDENCE}, 'normals': {Output.NORMALS},
    'depth': {Output.DEPTH, Output.DEPTH_COLOR}, CLOUD: {Output.POINTS},
}  # fmt: skip
"""What each result on a device is brought back for."""


@dataclass(frozen=True)
class PerceptionSettings:
    """
    What a user may choose.

    :param overlay_alpha: weight of the palette in the overlay, 0..1.
    :param cloud_stride: take every so many pixels into the cloud.
    :param scale_by_focal_length: multiply depth by the camera's focal length over that of the
        training camera: a network learns what size things have in pixels.
    :param max_depth: metres beyond which depth is unknown; 0 for no limit.
    :param min_confidence: probability, 0..1, below which a pixel is unlabelled (255).
    """

    overlay_alpha: float = 0.5
    cloud_stride: int = 1
    scale_by_focal_length: bool = True
    max_depth: float = 0.0
    min_confidence: float = 0.0


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
        self._surface = bytes(255 * has for has in engine.info.surface_lookup)
        self._pool = BufferPool()
        self._clouds = CloudBuilder()

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
        :param camera: of this image (scaled if its size is another); without it there is no
            cloud, and depth is not corrected for the focal length.
        :param wanted: what to compute; nothing else is.
        :raises ImageError: if the image has another shape or type.
        """
        return self._start(image, camera, wanted)()

    def stream(
        self,
        frames: Iterable[tuple[NDArray[np.uint8], CameraModel | None, T]],
        *,
        wanted: frozenset[Output],
    ) -> Iterator[tuple[T, PerceptionResult]]:
        """
        Run many frames, each with something that is given back beside its result.

        On a device the next frame is at work while a result is used; so its image is taken
        before the result of the one before is given out.

        :raises ImageError: if an image has another shape or type.
        """
        waiting: list[tuple[T, Callable[[], PerceptionResult]]] = []
        ahead = 1 if self.engine.overlaps else 0
        try:
            for image, camera, item in frames:
                waiting.append((item, self._start(image, camera, wanted)))
                if len(waiting) > ahead:
                    done, result = waiting.pop(0)
                    yield done, result()
        except Exception:
            # What went wrong came after the frame that is under way.
            for done, result in waiting:
                yield done, result()
            raise
        for done, result in waiting:
            yield done, result()

    def _start(
        self, image: NDArray[np.uint8], camera: CameraModel | None, wanted: frozenset[Output]
    ) -> Callable[[], PerceptionResult]:
        """Queue a frame where there is a device, else run it; return what gives its result."""
        if camera is not None and (camera.height, camera.width) != image.shape[:2]:
            camera = camera.scaled(image.shape[1], image.shape[0])
        finish = self._finish(camera, wanted)
        if self.engine.overlaps:
            return self._submit(image, wanted, finish)
        result = self._run(image, wanted, finish)
        return lambda: result

    def _finish(self, camera: CameraModel | None, wanted: frozenset[Output]) -> Finish:
        settings = self.settings
        scale = camera is not None and settings.scale_by_focal_length
        return Finish(
            self._surface,
            least_confidence=255 * settings.min_confidence,
            factor=camera.fx / self.engine.info.training_focal_length if camera and scale else 1.0,
            farthest=settings.max_depth or FARTHEST,
            camera=camera if Output.POINTS in wanted else None,
            stride=settings.cloud_stride,
        )

    def _submit(
        self, image: NDArray[np.uint8], wanted: frozenset[Output], finish: Finish
    ) -> Callable[[], PerceptionResult]:
        """Queue a frame on the engine's device; return what waits for its result."""
        clock = _Clock()
        needed = self._needed(wanted)
        possible = needed | {CLOUD} if finish.camera and 'depth' in needed else needed
        take = frozenset(name for name in possible if wanted & _TAKEN[name])
        if not take:
            return PerceptionResult
        ticket = self.engine.submit(image, needed, take, finish)
        clock.lap('submit')

        def result() -> PerceptionResult:
            found = dict(ticket.wait())
            clock.lap('engine')
            cloud = Cloud(found.pop(CLOUD)) if CLOUD in found else None
            return self._result(image, Prediction(**found), cloud, wanted, clock)

        return result

    def _run(
        self, image: NDArray[np.uint8], wanted: frozenset[Output], finish: Finish
    ) -> PerceptionResult:
        """Run the network and what follows it here."""
        clock = _Clock()
        found = self.engine.infer(image, self._needed(wanted))
        clock.lap('engine')
        labels = self._confident(found, finish)
        clock.lap('labels')
        depth = cloud = None
        if found.depth is not None and wanted & _METRIC:
            depth = self._metric(found.depth, labels, finish)
            clock.lap('depth')
            if finish.camera is not None:
                self._clouds.prepare(finish.camera, finish.stride)
                clock.lap('rays')
                cloud = self._clouds.build(
                    image, labels, depth, finish.camera, stride=finish.stride
                )
                clock.lap('cloud')
        return self._result(
            image, replace(found, labels=labels, depth=depth), cloud, wanted, clock
        )

    def _result(
        self,
        image: NDArray[np.uint8],
        found: Prediction,
        cloud: Cloud | None,
        wanted: frozenset[Output],
        clock: _Clock,
    ) -> PerceptionResult:
        """Paint what is wanted of a finished frame, and keep only what is wanted."""
        results: dict[str, Any] = {'cloud': cloud}
        if self._paint(image, found.labels, found.depth, wanted, results):
            clock.lap('colour')
        plain = {
            Output.MASK: 'labels', Output.CONFIDENCE: 'confidence', Output.DEPTH: 'depth',
            Output.NORMALS: 'normals',
        }  # fmt: skip
        results.update(
            (name, getattr(found, name)) for output, name in plain.items() if output in wanted
        )
        return PerceptionResult(**results, timing=clock.laps)

    def _needed(self, wanted: frozenset[Output]) -> frozenset[str]:
        """Return which outputs of the graph the wanted results need."""
        needed = set()
        if wanted & (_LABELLED | _METRIC):
            needed.add('labels')
        if wanted & _METRIC:
            needed.add('depth')
        if Output.CONFIDENCE in wanted or ('labels' in needed and self.settings.min_confidence):
            needed.add('confidence')
        if Output.NORMALS in wanted:
            needed.add('normals')
        return frozenset(needed & self.engine.outputs)

    def _confident(self, found: Prediction, finish: Finish) -> NDArray[np.uint8] | None:
        """Return the labels, 255 where they are less sure than the settings ask, in place."""
        limit = finish.least_confidence
        if limit and found.labels is not None and found.confidence is not None:
            mask = self._pool.get('mask', found.labels.shape, np.uint8)
            cv2.compare(found.confidence, limit, cv2.CMP_LT, mask)
            cv2.bitwise_or(found.labels, mask, found.labels)
        return found.labels

    def _metric(
        self, depth: NDArray[np.float32], labels: NDArray | None, finish: Finish
    ) -> NDArray[np.float32]:
        """Scale depth to this camera, in place, and make NaN what has no depth."""
        if finish.factor != 1:
            cv2.multiply(depth, finish.factor, depth)
        mask = self._pool.get('mask', depth.shape, np.uint8)
        cv2.inRange(depth, NEAREST, finish.farthest, mask)
        if labels is not None:
            surface = self._pool.get('surface', depth.shape, np.uint8)
            cv2.bitwise_and(mask, cv2.LUT(labels, finish.surface_table, surface), mask)
        cv2.bitwise_not(mask, mask)
        return cv2.copyTo(self._unknown(depth.shape), mask, depth)

    def _unknown(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        array = self._pool.get('unknown', shape, np.float32)
        if array[0, 0] == 0:
            array.fill(np.nan)
        return array

    def _paint(
        self,
        image: NDArray,
        labels: NDArray | None,
        depth: NDArray | None,
        wanted: frozenset[Output],
        results: dict[str, Any],
    ) -> bool:
        """Add the wanted pictures to ``results``; return whether there were any."""
        if labels is not None and wanted & {Output.COLOR, Output.OVERLAY}:
            color = colour_labels(labels, self.palette, self._picture('color', image))
            if Output.COLOR in wanted:
                results['color'] = color
            if Output.OVERLAY in wanted:
                target = self._picture('overlay', image)
                results['overlay'] = overlay(image, color, self.settings.overlay_alpha, target)
        if depth is not None and Output.DEPTH_COLOR in wanted:
            results['depth_color'] = colour_depth(
                depth, self.engine.info.depth_range, self._picture('depth_color', image),
                self._pool,
            )  # fmt: skip
        return bool(wanted & {Output.COLOR, Output.OVERLAY, Output.DEPTH_COLOR})

    def _picture(self, name: str, image: NDArray) -> NDArray[np.uint8]:
        return self._pool.get(name, image.shape, np.uint8)


class _Clock:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = 1e3 * (now - self._last)
        self._last = now
