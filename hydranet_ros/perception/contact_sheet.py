"""A contact sheet: one image that shows the results of several frames side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.perception.cloud_views import (
    BACKGROUND,
    FONT,
    draw_text,
    view_from_above,
    view_from_behind,
)
from hydranet_ros.perception.colormaps import DEFAULT_DEPTH_COLORMAP, DEPTH_COLORMAPS, Rgb

TITLES = ('image', 'segmentation', 'depth', 'cloud from behind', 'cloud from above')
_GAP = 10
_TITLE_HEIGHT = 30
_LEGEND_HEIGHT = 46
_LEGEND_CLASSES = 12
_SCALE_WIDTH = 480


@dataclass(frozen=True)
class SheetRow:
    """
    The results of one frame.

    :param image: (H, W, 3) uint8 RGB, as ``overlay`` and ``depth``.
    :param cloud: (h, w) of :data:`~hydranet_ros.perception.point_cloud.POINT_DTYPE`.
    """

    title: str
    image: Rgb
    overlay: Rgb
    depth: Rgb
    cloud: NDArray


def contact_sheet(
    frames: Sequence[SheetRow],
    classes: Sequence[ClassInfo],
    depth_range: tuple[float, float],
    *,
    panel: tuple[int, int] = (270, 480),
) -> Rgb:
    """
    Return a sheet with one row per frame: image, overlay, depth and two views of the cloud.

    :param depth_range: meters of the depth colors, nearest and farthest.
    :param panel: (height, width) of each panel.
    """
    rows = [title_row(TITLES, panel[1])]
    for frame in frames:
        cells = [cv2.resize(item, panel[::-1], interpolation=cv2.INTER_AREA)
                 for item in (frame.image, frame.overlay, frame.depth)]  # fmt: skip
        cells += [view_from_behind(frame.cloud, panel), view_from_above(frame.cloud, panel)]
        draw_text(cells[0], frame.title, (8, panel[0] - 10), 0.5)
        rows.append(join_row(cells))
    rows.append(legend(classes, depth_range, rows[0].shape[1]))
    return np.ascontiguousarray(add_margin(np.vstack(rows)))


def title_row(titles: Sequence[str], width: int) -> Rgb:
    """Return a row of titles over columns of ``width`` pixels."""
    cells = []
    for title in titles:
        cell = np.full((_TITLE_HEIGHT, width, 3), BACKGROUND, np.uint8)
        draw_text(cell, title, (2, 20), 0.55)
        cells.append(cell)
    return join_row(cells)[:-_GAP]


def join_row(cells: Sequence[Rgb]) -> Rgb:
    """Join images of one height into a row, with a gap between them and below."""
    gap = np.full((cells[0].shape[0], _GAP, 3), BACKGROUND, np.uint8)
    parts = [part for cell in cells for part in (cell, gap)][:-1]
    row = np.hstack(parts)
    return np.vstack([row, np.full((_GAP, row.shape[1], 3), BACKGROUND, np.uint8)])


def add_margin(image: Rgb) -> Rgb:
    """Return an image with a margin of background color."""
    return cv2.copyMakeBorder(image, _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=BACKGROUND)


def legend(classes: Sequence[ClassInfo], depth_range: tuple[float, float], width: int) -> Rgb:
    """
    Return a legend of the first twelve classes and of the depth colors.

    :param depth_range: meters, nearest and farthest.
    :param width: of the legend, pixels.
    """
    image = np.full((_LEGEND_HEIGHT, width, 3), BACKGROUND, np.uint8)
    x = 2
    for item in classes[:_LEGEND_CLASSES]:
        cv2.rectangle(image, (x, 12), (x + 22, 34), item.color, -1)
        draw_text(image, item.name, (x + 30, 29), 0.55)
        x += 50 + cv2.getTextSize(item.name, FONT, 0.55, 1)[0][0]
    _draw_depth_scale(image, depth_range, width - 620)
    return image


def _draw_depth_scale(image: Rgb, depth_range: tuple[float, float], left: int) -> None:
    """Draw the depth colors from near to far; they are linear in the square root of depth."""
    near, far = depth_range
    colors = 1 + (np.arange(_SCALE_WIDTH) * 254 // _SCALE_WIDTH)
    image[12:34, left : left + _SCALE_WIDTH] = DEPTH_COLORMAPS[DEFAULT_DEPTH_COLORMAP][colors]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        meters = near + part**2 * (far - near)
        x = left + int(part * (_SCALE_WIDTH - 40)) + 4
        draw_text(image, f'{meters:.0f} m', (x, 29), 0.45)


def video_frame(image: Rgb, overlay: Rgb, depth: Rgb) -> Rgb:
    """Return image, overlay and depth side by side."""
    return np.hstack([image, overlay, depth])
