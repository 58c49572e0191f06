"""Pictures that show results to a person: clouds from a viewpoint, and a labelled sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.perception.colormaps import DEFAULT_DEPTH_COLORMAP, DEPTH_COLORMAPS

Picture = NDArray[np.uint8]
BACKGROUND = (24, 26, 30)
_TEXT = (230, 232, 236)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GAP = 10
_BAR = 46


@dataclass(frozen=True)
class Moment:
    """
    One frame to show.

    :param image: (H, W, 3) uint8 RGB, as ``overlay`` and ``depth``.
    :param cloud: organised cloud of :data:`hydranet_ros.perception.pipeline.POINT_DTYPE`.
    """

    title: str
    image: Picture
    overlay: Picture
    depth: Picture
    cloud: NDArray


def points_of(cloud: NDArray) -> tuple[NDArray[np.float32], Picture]:
    """Return the (N, 3) points, metres in the optical frame, and (N, 3) RGB of a cloud."""
    flat = cloud.ravel()
    flat = flat[np.isfinite(flat['z'])]
    points = np.stack([flat['x'], flat['y'], flat['z']], -1)
    return points, np.stack([flat['r'], flat['g'], flat['b']], -1)


def cloud_from_behind(cloud: NDArray, size: tuple[int, int]) -> Picture:
    """Return a cloud seen from 7 m behind and 4.5 m above the camera, (height, width) ``size``."""
    points, colors = points_of(cloud)
    height, width = size
    pitch = np.radians(14)
    eye = np.array([0.0, -4.5, -7.0])
    x, y, z = (points - eye).T
    ahead = z * np.cos(pitch) + y * np.sin(pitch)
    down = y * np.cos(pitch) - z * np.sin(pitch)
    focal = 0.62 * width
    seen = ahead > 1.0
    u = width / 2 + focal * x[seen] / ahead[seen]
    v = height * 0.45 + focal * down[seen] / ahead[seen]
    dot = np.clip(90 / ahead[seen], 1, 6).astype(int)
    return _splat(u, v, ahead[seen], colors[seen], size, dot)


def cloud_from_above(cloud: NDArray, size: tuple[int, int], reach: float = 40.0) -> Picture:
    """
    Return a cloud from above, ``reach`` metres ahead along the width, one scale for both axes.

    Rings mark every 10 m; what is higher than 3 m above the camera is left out.
    """
    points, colors = points_of(cloud)
    height, width = size
    scale = (width - 30) / reach
    u, v = 20 + points[:, 2] * scale, height / 2 + points[:, 0] * scale
    low = points[:, 1] > -3.0
    dot = np.full(int(low.sum()), 2)
    picture = _splat(u[low], v[low], points[low, 1], colors[low], size, dot)
    for ring in range(10, int(reach) + 1, 10):
        cv2.ellipse(picture, (20, height // 2), (int(ring * scale),) * 2, 0, -60, 60,
                    (90, 95, 105), 1, cv2.LINE_AA)  # fmt: skip
        write_text(picture, f'{ring} m', (20 + int(ring * scale) - 34, height - 8), 0.4)
    cv2.circle(picture, (20, height // 2), 4, (255, 80, 60), -1, cv2.LINE_AA)
    return picture


def _splat(
    u: NDArray, v: NDArray, order: NDArray, colors: NDArray, size: tuple[int, int], dot: NDArray
) -> Picture:
    """Draw squares, far ones first."""
    height, width = size
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v, order, colors, dot = (a[inside] for a in (u, v, order, colors, dot))
    last = np.argsort(-order, kind='stable')
    u, v, colors, dot = u[last].astype(int), v[last].astype(int), colors[last], dot[last]
    for dy in range(dot.max(initial=1)):
        for dx in range(dot.max(initial=1)):
            big = (dot > dx) & (dot > dy)
            rows = np.minimum(v[big] + dy, height - 1)
            columns = np.minimum(u[big] + dx, width - 1)
            picture[rows, columns] = colors[big]
    return picture


def contact_sheet(
    moments: Sequence[Moment],
    classes: Sequence[ClassInfo],
    depth_range: tuple[float, float],
    *,
    panel: tuple[int, int] = (270, 480),
) -> Picture:
    """
    Return a sheet with a row a moment: image, overlay, depth, cloud from behind and from above.

    :param panel: (height, width) of one picture.
    """
    names = ('image', 'segmentation', 'depth', 'cloud from behind', 'cloud from above')
    rows = [header(names, panel[1])]
    for moment in moments:
        cells = [cv2.resize(item, panel[::-1], interpolation=cv2.INTER_AREA)
                 for item in (moment.image, moment.overlay, moment.depth)]  # fmt: skip
        cells += [cloud_from_behind(moment.cloud, panel), cloud_from_above(moment.cloud, panel)]
        write_text(cells[0], moment.title, (8, panel[0] - 10), 0.5)
        rows.append(joined(cells))
    rows.append(legend(classes, depth_range, rows[0].shape[1]))
    return np.ascontiguousarray(padded(np.vstack(rows)))


def header(names: Sequence[str], width: int) -> Picture:
    """Return a row of titles over columns of ``width`` pixels."""
    cells = []
    for name in names:
        cell = np.full((30, width, 3), BACKGROUND, np.uint8)
        write_text(cell, name, (2, 20), 0.55)
        cells.append(cell)
    return joined(cells)[:-_GAP]


def joined(cells: Sequence[Picture]) -> Picture:
    """Return pictures of one height as a row, with a gap between them and below."""
    gap = np.full((cells[0].shape[0], _GAP, 3), BACKGROUND, np.uint8)
    parts = [part for cell in cells for part in (cell, gap)][:-1]
    row = np.hstack(parts)
    return np.vstack([row, np.full((_GAP, row.shape[1], 3), BACKGROUND, np.uint8)])


def padded(picture: Picture) -> Picture:
    """Return a picture with a margin."""
    return cv2.copyMakeBorder(
        picture, _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=BACKGROUND
    )


def legend(classes: Sequence[ClassInfo], depth_range: tuple[float, float], width: int) -> Picture:
    """Return the colours of the first twelve classes and of depth, ``width`` pixels wide."""
    picture = np.full((_BAR, width, 3), BACKGROUND, np.uint8)
    x = 2
    for item in classes[:12]:
        cv2.rectangle(picture, (x, 12), (x + 22, 34), item.color, -1)
        write_text(picture, item.name, (x + 30, 29), 0.55)
        x += 50 + cv2.getTextSize(item.name, _FONT, 0.55, 1)[0][0]
    near, far = depth_range
    start, length = width - 620, 480
    shown = 1 + (np.arange(length) * 254 // length)
    picture[12:34, start : start + length] = DEPTH_COLORMAPS[DEFAULT_DEPTH_COLORMAP][shown]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        metres = near + part**2 * (far - near)
        write_text(picture, f'{metres:.0f} m', (start + int(part * (length - 40)) + 4, 29), 0.45)
    return picture


def write_text(picture: Picture, text: str, place: tuple[int, int], size: float) -> None:
    """Write into a picture, legible on any ground; ``place`` is (x, y) of the baseline."""
    x, y = place
    # A thicker stroke would make a shadow, but OpenCV 5 makes it wider than the text too.
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
        cv2.putText(picture, text, (x + dx, y + dy), _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(picture, text, place, _FONT, size, _TEXT, 1, cv2.LINE_AA)


def video_frame(image: Picture, overlay: Picture, depth: Picture) -> Picture:
    """Return image, overlay and depth beside each other."""
    return np.hstack([image, overlay, depth])
