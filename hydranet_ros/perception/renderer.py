"""Draw the colored images of a frame: class colors, overlay and colored depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.inference.buffers import BufferPool
from hydranet_ros.model_files.metadata import ModelInfo
from hydranet_ros.perception.colormaps import (
    DEFAULT_DEPTH_COLORMAP,
    color_depth,
    color_labels,
    overlay,
    palette,
)
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.postprocess import Postprocessed

Rgb = NDArray[np.uint8]


@dataclass
class _Frame:
    image: Rgb
    result: Postprocessed
    alpha: float
    depth_colormap: str
    colors: Rgb | None = None


class Renderer:
    """
    Draws into reused buffers; an image is valid until the next frame.

    A new drawn output is one more method in ``_methods``.
    """

    def __init__(self, info: ModelInfo) -> None:
        self._palette = palette(info.classes)
        self._depth_range = info.depth_range
        self._pool = BufferPool()
        self._methods: Mapping[Output, Callable[[_Frame], Rgb | None]] = {
            Output.COLOR: self._color,
            Output.OVERLAY: self._overlay,
            Output.DEPTH_COLOR: self._depth_color,
        }

    def draw(
        self, image: Rgb, result: Postprocessed, wanted: frozenset[Output], *, alpha: float,
        depth_colormap: str = DEFAULT_DEPTH_COLORMAP,
    ) -> dict[Output, Rgb]:  # fmt: skip
        """
        Return the wanted colored images, (H, W, 3) uint8 RGB.

        :param image: (H, W, 3) uint8 RGB.
        :param alpha: weight of the class colors in the overlay, 0..1.
        :param depth_colormap: key of :data:`~hydranet_ros.perception.colormaps.DEPTH_COLORMAPS`.
        """
        frame = _Frame(image, result, alpha, depth_colormap)
        drawn = {out: draw(frame) for out, draw in self._methods.items() if out in wanted}
        return {out: found for out, found in drawn.items() if found is not None}

    def _color(self, frame: _Frame) -> Rgb | None:
        labels = frame.result.labels
        if frame.colors is None and labels is not None:
            frame.colors = color_labels(labels, self._palette, self._buffer('color', frame))
        return frame.colors

    def _overlay(self, frame: _Frame) -> Rgb | None:
        colors = self._color(frame)
        if colors is None:
            return None
        return overlay(frame.image, colors, frame.alpha, self._buffer('overlay', frame))

    def _depth_color(self, frame: _Frame) -> Rgb | None:
        depth = frame.result.depth
        if depth is None:
            return None
        buffer = self._buffer('depth_color', frame)
        return color_depth(depth, self._depth_range, buffer, self._pool, frame.depth_colormap)

    def _buffer(self, name: str, frame: _Frame) -> Rgb:
        return self._pool.get(name, frame.image.shape, np.uint8)
