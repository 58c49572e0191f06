"""A walk through a room with a camera in the hand: smooth motion, exact poses."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.drive import DriveFrame
from hydranet_scenes.renderer import Pose, StreetRenderer
from hydranet_scenes.room import Room
from hydranet_scenes.room_layouts import build_room
from hydranet_scenes.room_look import IndoorAppearance, mild_indoor
from hydranet_scenes.room_views import SHADOWS, nyud_camera

PACE = 0.45
_CELL = 0.05
_STEP = 0.02
_HEIGHT = 1.45
_YAWS = 72


class Walk:
    """
    A way to and fro through a room, between the two places furthest apart on foot.

    The camera looks where the room is open and sways as a hand does. It comes no nearer to
    furniture than 15 cm, in a room that is nearly full 5 cm.

    :param rng: phases of the sway.
    """

    def __init__(self, room: Room, rng: np.random.Generator) -> None:
        self._room = room
        self._path = _smooth(room, _way(room))
        self._along = np.linspace(0, 1, len(self._path))
        length = float(np.linalg.norm(np.diff(self._path, axis=0), axis=1).sum())
        self._duration = max(4.0, length / PACE)
        self._yaws = _gaze(room, self._path)
        self._phase = rng.uniform(0, 2 * np.pi, 4)
        self._pitch = rng.uniform(-0.32, -0.2)

    def pose(self, seconds: float) -> Pose:
        """Return the camera's pose, ``seconds`` after the start."""
        share = (1 - math.cos(math.pi * seconds / self._duration)) / 2
        x, y, yaw = (
            float(np.interp(share, self._along, values))
            for values in (self._path[:, 0], self._path[:, 1], self._yaws)
        )
        a, b, c, d = (float(phase) for phase in self._phase)
        return Pose(
            x=x, y=y, z=_HEIGHT + 0.012 * math.sin(9.0 * seconds + a),
            yaw=yaw + 0.25 * math.sin(0.7 * seconds + b),
            pitch=self._pitch + 0.03 * math.sin(1.9 * seconds + c),
            roll=0.025 * math.sin(1.3 * seconds + d),
        )  # fmt: skip

    def twist(self, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return velocity (m/s) and turn rate (rad/s) in the camera's frame, each (3,)."""
        half = 0.02
        before, after = self.pose(seconds - half), self.pose(seconds + half)
        now = self.pose(seconds).rotation()
        moved = np.array([after.x - before.x, after.y - before.y, after.z - before.z])
        turned = cv2.Rodrigues(before.rotation().T @ after.rotation())[0].ravel()
        return now.T @ moved / (2 * half), turned / (2 * half)


def walk(seed: int, frames: int, *, size: tuple[int, int], fps: float) -> Iterator[DriveFrame]:
    """Yield the frames of a walk through a seed's room, as a good camera sees them."""
    room = build_room(seed)
    rng = np.random.default_rng((333, seed))
    way, focal = Walk(room, rng), nyud_camera(size).fx
    appearance = IndoorAppearance(rng, mild_indoor(rng), focal)
    with StreetRenderer(room, size, shadow_map=SHADOWS) as renderer:
        for index in range(frames):
            seconds = index / fps
            pose = way.pose(seconds)
            truth = renderer.render(pose, focal)
            velocity, turning = way.twist(seconds)
            yield DriveFrame(seconds, appearance.apply(truth), truth, pose, velocity, turning)


def _way(room: Room) -> NDArray[np.float64]:
    """Return the (N, 2) cells of a shortest way between the two free places furthest apart."""
    x, y = (np.arange(_CELL / 2, side, _CELL) for side in room.size[:2])
    places = np.stack(np.meshgrid(x, y, indexing='ij'), -1)
    near = room.free(places.reshape(-1, 2), _HEIGHT + 0.05, room.clearance())
    free = near.reshape(len(x), len(y))
    count, parts = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
    sizes = np.bincount(parts.ravel(), minlength=count)[1:]
    part = parts == 1 + int(np.argmax(sizes))
    start = _furthest(_steps(part, tuple(np.argwhere(part)[0])))
    steps = _steps(part, start)
    cell, cells = _furthest(steps), []
    while steps[cell] > 0:
        cells.append(cell)
        cell = min(_beside(cell, part), key=lambda other: (int(steps[other]), other))
    cells.append(start)
    return np.array([places[cell] for cell in cells])


_Cell = tuple[int, int]


def _beside(cell: _Cell, part: NDArray) -> list[_Cell]:
    i, j = cell
    around = ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
    return [(a, b) for a, b in around
            if 0 <= a < part.shape[0] and 0 <= b < part.shape[1] and part[a, b]]  # fmt: skip


def _steps(part: NDArray, start: _Cell) -> NDArray[np.int32]:
    """Return how many steps each cell of a part is from ``start``, -1 where there is no way."""
    steps = np.full(part.shape, -1, np.int32)
    steps[start] = 0
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for other in _beside(cell, part):
            if steps[other] < 0:
                steps[other] = steps[cell] + 1
                queue.append(other)
    return steps


def _furthest(steps: NDArray) -> _Cell:
    i, j = np.unravel_index(int(np.argmax(steps)), steps.shape)
    return int(i), int(j)


def _even(path: NDArray) -> NDArray[np.float64]:
    """Return a path's points anew, evenly spaced by about 2 cm."""
    gone = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, gone[-1], max(2, int(gone[-1] / _STEP) + 1))
    return np.stack([np.interp(at, gone, path[:, axis]) for axis in (0, 1)], 1)


def _smooth(room: Room, path: NDArray) -> NDArray[np.float64]:
    """Round a path's corners as far as the furniture lets it."""
    path, clearance = _even(path), room.clearance()
    for _ in range(600):
        middle = path.copy()
        middle[1:-1] = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
        good = room.free(middle, _HEIGHT + 0.05, clearance)
        path = np.where(good[:, None], middle, path)
    return _even(np.stack([_averaged(path[:, axis], 0.6) for axis in (0, 1)], 1))


def _averaged(values: NDArray, metres: float) -> NDArray[np.float64]:
    """Return the moving average of values along a path, its ends held."""
    half = max(1, round(metres / 2 / _STEP))
    kernel = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode='edge')
    return np.convolve(padded, kernel / kernel.sum(), mode='valid')


def _gaze(room: Room, path: NDArray) -> NDArray[np.float64]:
    """Return a yaw for each point of a path: where the room is open, turning slowly."""
    chosen = path[:: max(1, int(0.1 / _STEP))]
    yaws = np.arange(_YAWS) * 2 * np.pi / _YAWS
    rays = np.stack([np.cos(yaws), np.sin(yaws), np.full(_YAWS, -0.2)], 1)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    spread = np.exp(-0.5 * (np.minimum(np.arange(_YAWS), _YAWS - np.arange(_YAWS)) / 4.0) ** 2)
    spread /= spread.sum()
    value = np.empty((len(chosen), _YAWS))
    for row, (x, y) in enumerate(chosen):
        far = np.minimum(room.clear_distance(np.array([x, y, _HEIGHT]), rays), 4.0)
        value[row] = np.real(np.fft.ifft(np.fft.fft(far) * np.fft.fft(spread)))
    best, turns = value[0], np.zeros(value.shape, int)
    for row in range(1, len(chosen)):
        options = np.stack([np.roll(best, turn) - 0.03 * turn**2 for turn in (-1, 0, 1)])
        turns[row] = np.argmax(options, 0) - 1
        best = options.max(0) + value[row]
    index = int(np.argmax(best))
    found = np.empty(len(chosen))
    angle = float(yaws[index])
    for row in range(len(chosen) - 1, -1, -1):
        found[row] = angle
        turn = int(turns[row, index])
        index = (index - turn) % _YAWS
        angle -= turn * 2 * np.pi / _YAWS
    at = np.linspace(0, 1, len(path))
    slow = np.interp(at, np.linspace(0, 1, len(chosen)), found)
    return _averaged(slow, 1.2)
