"""Plan a walk through a room: the path between the furniture, and the viewing direction."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rooms.room import Room

# Mean height of the camera, in meters.
CAMERA_HEIGHT = 1.45
# Side of a cell of the planning grid, and distance between the points of a path, in meters.
_CELL = 0.05
_STEP = 0.02
# Number of viewing directions to choose from.
_YAWS = 72
# Distance between the points of a path whose viewing directions are optimized, in meters.
_YAW_STEP = 0.1

_Cell = tuple[int, int]


def plan_path(room: Room) -> NDArray[np.float64]:
    """
    Return a smooth path between the two free positions that are farthest apart on foot.

    :return: (N, 2) x and y, about 2 cm apart.
    :raises SceneError: if the room has no free position.
    """
    return _smooth(room, _longest_shortest_path(room))


def _longest_shortest_path(room: Room) -> NDArray[np.float64]:
    """Return the cells of the longest shortest path in the largest free region, (N, 2)."""
    x, y = (np.arange(_CELL / 2, side, _CELL) for side in room.size[:2])
    positions = np.stack(np.meshgrid(x, y, indexing='ij'), -1)
    free = room.free_mask(positions.reshape(-1, 2), CAMERA_HEIGHT + 0.05, room.camera_clearance())
    mask = free.reshape(len(x), len(y)).astype(np.uint8)
    count, regions = cv2.connectedComponents(mask, connectivity=4)
    sizes = np.bincount(regions.ravel(), minlength=count)[1:]
    region = regions == 1 + int(np.argmax(sizes))
    start = _farthest(_step_counts(region, tuple(np.argwhere(region)[0])))
    steps = _step_counts(region, start)
    cell, cells = _farthest(steps), []
    while steps[cell] > 0:
        cells.append(cell)
        cell = min(_neighbors(cell, region), key=lambda other: (int(steps[other]), other))
    cells.append(start)
    return np.array([positions[cell] for cell in cells])


def _neighbors(cell: _Cell, region: NDArray) -> list[_Cell]:
    """Return the neighbors of a cell that are in the region."""
    i, j = cell
    around = ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
    return [(a, b) for a, b in around
            if 0 <= a < region.shape[0] and 0 <= b < region.shape[1] and region[a, b]]  # fmt: skip


def _step_counts(region: NDArray, start: _Cell) -> NDArray[np.int32]:
    """Return the number of steps from ``start`` to each cell, -1 for unreachable cells."""
    steps = np.full(region.shape, -1, np.int32)
    steps[start] = 0
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for other in _neighbors(cell, region):
            if steps[other] < 0:
                steps[other] = steps[cell] + 1
                queue.append(other)
    return steps


def _farthest(steps: NDArray) -> _Cell:
    """Return the cell with the largest number of steps."""
    i, j = np.unravel_index(int(np.argmax(steps)), steps.shape)
    return int(i), int(j)


def _resample(path: NDArray) -> NDArray[np.float64]:
    """Return the points of a path at equal distances of about 2 cm."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], max(2, int(lengths[-1] / _STEP) + 1))
    return np.stack([np.interp(at, lengths, path[:, axis]) for axis in (0, 1)], 1)


def _smooth(room: Room, path: NDArray) -> NDArray[np.float64]:
    """Round the corners of a path while it keeps its distance from furniture."""
    path, clearance = _resample(path), room.camera_clearance()
    for _ in range(600):
        averaged = path.copy()
        averaged[1:-1] = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
        free = room.free_mask(averaged, CAMERA_HEIGHT + 0.05, clearance)
        path = np.where(free[:, None], averaged, path)
    return _resample(np.stack([_moving_average(path[:, axis], 0.6) for axis in (0, 1)], 1))


def _moving_average(values: NDArray, length: float) -> NDArray[np.float64]:
    """Average values along a path over a window of ``length`` meters, with the ends repeated."""
    half = max(1, round(length / 2 / _STEP))
    kernel = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode='edge')
    return np.convolve(padded, kernel / kernel.sum(), mode='valid')


def plan_yaws(room: Room, path: NDArray) -> NDArray[np.float64]:
    """
    Return a yaw in radians for each point of a path.

    The camera looks toward the open parts of the room and turns slowly.

    :param path: (N, 2) x and y.
    :return: (N,) continuous angles.
    """
    points = path[:: max(1, int(_YAW_STEP / _STEP))]
    yaws = _best_yaws(_openness(room, points))
    at = np.linspace(0, 1, len(path))
    return _moving_average(np.interp(at, np.linspace(0, 1, len(points)), yaws), 1.2)


def _openness(room: Room, points: NDArray) -> NDArray[np.float64]:
    """Return the free distance from each point in each direction, averaged over directions."""
    yaws = np.arange(_YAWS) * 2 * np.pi / _YAWS
    rays = np.stack([np.cos(yaws), np.sin(yaws), np.full(_YAWS, -0.2)], 1)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    kernel = np.exp(-0.5 * (np.minimum(np.arange(_YAWS), _YAWS - np.arange(_YAWS)) / 4.0) ** 2)
    kernel /= kernel.sum()
    openness = np.empty((len(points), _YAWS))
    for row, (x, y) in enumerate(points):
        distances = np.minimum(room.ray_distances(np.array([x, y, CAMERA_HEIGHT]), rays), 4.0)
        openness[row] = np.real(np.fft.ifft(np.fft.fft(distances) * np.fft.fft(kernel)))
    return openness


def _best_yaws(openness: NDArray) -> NDArray[np.float64]:
    """
    Return the yaws that maximize the sum of openness along a path, by dynamic programming.

    Between two points the yaw changes by at most one direction, at a small cost.

    :param openness: (points, directions).
    :return: (points,) continuous angles in radians.
    """
    best, turns = openness[0], np.zeros(openness.shape, int)
    for row in range(1, len(openness)):
        options = np.stack([np.roll(best, turn) - 0.03 * turn**2 for turn in (-1, 0, 1)])
        turns[row] = np.argmax(options, 0) - 1
        best = options.max(0) + openness[row]
    index = int(np.argmax(best))
    yaws = np.empty(len(openness))
    angle = float(index * 2 * np.pi / _YAWS)
    for row in range(len(openness) - 1, -1, -1):
        yaws[row] = angle
        turn = int(turns[row, index])
        index = (index - turn) % _YAWS
        angle -= turn * 2 * np.pi / _YAWS
    return yaws
