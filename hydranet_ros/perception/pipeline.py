"""
Process one frame: image and camera in; labels, depth, colors and cloud out.

The node, ``hydranet bag`` and ``hydranet predict`` all call this. Results are in buffers that are
reused; they are valid until the next frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.colormaps import DEFAULT_DEPTH_COLORMAP
from hydranet_ros.perception.outputs import OUTPUTS, Output, available, network_needs, sources
from hydranet_ros.perception.point_cloud import PointCloud
from hydranet_ros.perception.postprocess import (
    CLOUD,
    MAX_DEPTH,
    CpuPostprocessor,
    Postprocessed,
    Postprocessor,
    PostprocessParams,
    Stopwatch,
)
from hydranet_ros.perception.postprocess_check import check_postprocessor
from hydranet_ros.perception.postprocess_cuda import CudaPostprocessor
from hydranet_ros.perception.renderer import Renderer

T = TypeVar('T')


@dataclass(frozen=True)
class PerceptionSettings:
    """
    Settings that a user may change between two frames.

    :param overlay_alpha: weight of the class colors in the overlay, 0..1.
    :param cloud_stride: the cloud takes every n-th pixel of each row and column.
    :param scale_by_focal_length: multiply depth by the ratio of the camera's focal length to the
        training camera's: a network learns the size of things in pixels.
    :param depth_colormap: key of :data:`~hydranet_ros.perception.colormaps.DEPTH_COLORMAPS`.
    :param max_depth: meters beyond which depth is unknown; 0 for no limit.
    :param min_confidence: probability, 0..1, below which a pixel is unlabeled (255).
    """

    overlay_alpha: float = 0.5
    cloud_stride: int = 1
    scale_by_focal_length: bool = True
    depth_colormap: str = DEFAULT_DEPTH_COLORMAP
    max_depth: float = 0.0
    min_confidence: float = 0.0


@dataclass(frozen=True)
class PerceptionResult:
    """
    Results of one frame, each ``None`` if it was not requested or is not available.

    :param values: results by output.
    :param timing: milliseconds by stage.
    """

    values: Mapping[Output, Any] = field(default_factory=dict)
    timing: Mapping[str, float] = field(default_factory=dict)

    @property
    def labels(self) -> NDArray[np.uint8] | None:
        """Return class ids, (H, W) uint8, 255 unlabeled."""
        return self.values.get(Output.MASK)

    @property
    def color(self) -> NDArray[np.uint8] | None:
        """Return the class colors, (H, W, 3) uint8 RGB."""
        return self.values.get(Output.COLOR)

    @property
    def overlay(self) -> NDArray[np.uint8] | None:
        """Return the class colors blended over the image, (H, W, 3) uint8 RGB."""
        return self.values.get(Output.OVERLAY)

    @property
    def confidence(self) -> NDArray[np.uint8] | None:
        """Return 255 times the probability of the class, (H, W) uint8."""
        return self.values.get(Output.CONFIDENCE)

    @property
    def depth(self) -> NDArray[np.float32] | None:
        """Return meters along the optical axis, (H, W) float32, NaN unknown (REP 118)."""
        return self.values.get(Output.DEPTH)

    @property
    def depth_color(self) -> NDArray[np.uint8] | None:
        """Return depth as color over a fixed range, (H, W, 3) uint8 RGB."""
        return self.values.get(Output.DEPTH_COLOR)

    @property
    def normals(self) -> NDArray[np.float32] | None:
        """Return unit vectors in the optical frame, (H, W, 3) float32."""
        return self.values.get(Output.NORMALS)

    @property
    def cloud(self) -> PointCloud | None:
        """Return the organized point cloud."""
        return self.values.get(Output.POINTS)


class Perception:
    """
    An engine, its post-processing and the drawing of colored images.

    :param settings: may be replaced between two frames.

    ``warnings`` holds what the user should know about the post-processing, one sentence each.
    """

    def __init__(self, engine: Engine, settings: PerceptionSettings | None = None) -> None:
        self.engine = engine
        self.settings = settings or PerceptionSettings()
        self._surface = bytes(255 * has for has in engine.info.surface_lookup)
        self._postprocessor, self.warnings = create_postprocessor(engine)
        self._renderer = Renderer(engine.info)

    @property
    def available(self) -> frozenset[Output]:
        """Return the outputs that this model can produce."""
        return available(self.engine.outputs)

    def process(
        self,
        image: NDArray[np.uint8],
        camera: CameraModel | None = None,
        *,
        wanted: frozenset[Output],
    ) -> PerceptionResult:
        """
        Process one frame.

        :param image: (H, W, 3) uint8 RGB.
        :param camera: camera of this image (scaled if its size differs). Without it there is no
            cloud, and depth is not corrected for the focal length.
        :param wanted: outputs to compute; nothing else is computed.
        :raises ImageError: if the image has another shape or dtype.
        :raises ModelError: if the network cannot run on this image.
        """
        return self._start(image, camera, wanted)()

    def stream(
        self,
        frames: Iterable[tuple[NDArray[np.uint8], CameraModel | None, T]],
        *,
        wanted: frozenset[Output],
    ) -> Iterator[tuple[T, PerceptionResult]]:
        """
        Process many frames; yield the third item of each with its result.

        On a GPU the next frame is computed while the caller uses a result, so the next image is
        taken from ``frames`` before the previous result is yielded.

        :raises ImageError: if an image has another shape or dtype.
        """
        waiting: list[tuple[T, Callable[[], PerceptionResult]]] = []
        ahead = 1 if self._postprocessor.overlaps else 0
        try:
            for image, camera, item in frames:
                waiting.append((item, self._start(image, camera, wanted)))
                if len(waiting) > ahead:
                    done, result = waiting.pop(0)
                    yield done, result()
        except Exception:
            # The frame in flight precedes the one that failed: its result is still good.
            for done, result in waiting:
                yield done, result()
            raise
        for done, result in waiting:
            yield done, result()

    def _start(
        self, image: NDArray[np.uint8], camera: CameraModel | None, wanted: frozenset[Output]
    ) -> Callable[[], PerceptionResult]:
        """Start a frame; return a function that waits for its result."""
        if camera is not None and (camera.height, camera.width) != image.shape[:2]:
            camera = camera.scaled(image.shape[1], image.shape[0])
        params = self._params(camera, wanted)
        keep = sources(wanted & self.available)
        if params.camera is None:
            keep -= {CLOUD}
        if not keep:
            return PerceptionResult
        pending = self._postprocessor.submit(image, self._network_outputs(wanted), keep, params)
        return lambda: self._result(image, pending(), wanted)

    def _params(self, camera: CameraModel | None, wanted: frozenset[Output]) -> PostprocessParams:
        settings = self.settings
        scale = camera is not None and settings.scale_by_focal_length
        return PostprocessParams(
            self._surface,
            min_confidence=255 * settings.min_confidence,
            depth_factor=(
                camera.fx / self.engine.info.training_focal_length if camera and scale else 1.0
            ),
            max_depth=settings.max_depth or MAX_DEPTH,
            camera=camera if Output.POINTS in wanted else None,
            stride=settings.cloud_stride,
        )

    def _network_outputs(self, wanted: frozenset[Output]) -> frozenset[str]:
        """Return the network outputs to compute for the wanted results."""
        needed = network_needs(wanted, self.engine.outputs)
        if 'labels' in needed and self.settings.min_confidence:
            needed |= {'confidence'} & self.engine.outputs
        return needed

    def _result(
        self, image: NDArray[np.uint8], found: Postprocessed, wanted: frozenset[Output]
    ) -> PerceptionResult:
        """Draw the colored images and keep only what is wanted."""
        watch = Stopwatch()
        settings = self.settings
        drawn = self._renderer.draw(
            image, found, wanted, alpha=settings.overlay_alpha,
            depth_colormap=settings.depth_colormap,
        )  # fmt: skip
        timing = dict(found.timing)
        if drawn:
            watch.lap('color')
            timing |= watch.laps
        plain = {
            output: getattr(found, OUTPUTS[output].source)
            for output in wanted if not OUTPUTS[output].drawn
        }  # fmt: skip
        return PerceptionResult({**drawn, **plain}, timing)


def create_postprocessor(engine: Engine) -> tuple[Postprocessor, tuple[str, ...]]:
    """
    Return the post-processor for the engine's device, and warnings, one sentence each.

    The GPU's is used only if its results equal those of the CPU in a self-test.
    """
    if engine.device is None:
        return CpuPostprocessor(engine), ()
    try:
        found = CudaPostprocessor(engine, engine.device)
        check_postprocessor(engine, found)
    except ProviderError as err:
        text = f'Depth and cloud are computed on the CPU: {str(err).rstrip(".")}.'
        return CpuPostprocessor(engine), (text,)
    return found, ()
