"""Light sources of a room: lamps, windows, the sun and indirect light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rooms.builder import Light
from hydranet_scenes.rooms.layout import Layout
from hydranet_scenes.rooms.piece import rotation_matrix
from hydranet_scenes.rooms.shell import Opening

_MAX_LIGHTS = 7
# Floor and table lamps are left out once there are this many lights.
_MAX_WITH_LAMPS = 5


def room_lights(layout: Layout) -> list[Light]:
    """Return at most seven light sources of a furnished room."""
    rng, day = layout.rng, not layout.room.night
    warm = np.array([1.0, rng.uniform(0.84, 0.97), rng.uniform(0.62, 0.92)])
    lamps_on = not day or rng.random() < 0.65
    lights: list[Light] = []
    if lamps_on:
        lights += _ceiling_lights(layout, warm)
    if day:
        lights += _window_lights(layout, shadow=not lamps_on)
        if rng.random() < 0.6 and any(layout.openings.values()):
            lights.append(_sunlight(layout))
    if lamps_on:
        for at in layout.light_positions[: max(0, _MAX_WITH_LAMPS - len(lights))]:
            lights.append(_light(at, (0, 0, -1), warm * rng.uniform(0.3, 0.5), spread=75.0))
    lights += _indirect_lights(layout)
    return lights[:_MAX_LIGHTS]


def _light(
    at: Sequence[float] | NDArray, toward: Sequence[float] | NDArray, color: NDArray, *,
    spread: float = 90.0, shadow: bool = False,
) -> Light:  # fmt: skip
    return Light(_tuple(at), _tuple(toward), _tuple(np.clip(color, 0, 1)), spread, shadow)


def _tuple(values: Sequence[float] | NDArray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _ceiling_lights(layout: Layout, color: NDArray) -> Iterator[Light]:
    """Yield up to two lights; the more ceiling lamps a room has, the dimmer each is."""
    share = 1.0 / max(1, len(layout.ceiling_light_positions)) ** 0.6
    for at in layout.ceiling_light_positions[:2]:
        strength = layout.rng.uniform(0.55, 0.8)
        yield _light(at, (0, 0, -1), color * strength * share, shadow=True)


def _window_lights(layout: Layout, *, shadow: bool) -> Iterator[Light]:
    """Yield the daylight of the first window of each wall."""
    for index, openings in layout.openings.items():
        for window in openings[:1]:
            x, y, z = _window_center(layout, index, window, 0.05)
            inward = rotation_matrix(z=layout.walls[index].yaw) @ np.array([0, 1.0, -0.35])
            color = np.array([0.85, 0.93, 1.0]) * layout.rng.uniform(0.3, 0.55)
            yield _light((x, y, z + 0.2), inward, color, shadow=shadow)


def _sunlight(layout: Layout) -> Light:
    """Return the sun through the first window."""
    rng = layout.rng
    index, openings = next(item for item in layout.openings.items() if item[1])
    rotation = rotation_matrix(z=layout.walls[index].yaw)
    direction = rotation @ np.array([rng.normal(0, 0.5), 1.0, -rng.uniform(0.45, 1.2)])
    at = np.array(_window_center(layout, index, openings[0], 0.0)) - 3.0 * direction
    return _light(at, direction, np.array([0.75, 0.68, 0.55]), spread=0.0, shadow=True)


def _window_center(
    layout: Layout, wall: int, window: Opening, distance: float
) -> tuple[float, float, float]:
    """Return the point at a distance in front of the center of a window."""
    x, y = layout.walls[wall].at((window.left + window.right) / 2, distance)
    return x, y, (window.bottom + window.top) / 2


def _indirect_lights(layout: Layout) -> Iterator[Light]:
    """Yield a light from below and one from the side, in place of reflected light."""
    rng, (width, depth, _) = layout.rng, layout.room.size
    from_below = np.array([0.95, 0.92, 0.88]) * rng.uniform(0.12, 0.24)
    yield _light((width / 2, depth / 2, 0.05), (0.1, 0.07, 1.0), from_below, spread=0.0)
    from_side = np.array([0.9, 0.95, 1.0]) * rng.uniform(0.08, 0.16)
    angle = rng.uniform(0, 2 * np.pi)
    direction = (float(np.cos(angle)), float(np.sin(angle)), -0.2)
    yield _light((1.0, 1.0, 1.0), direction, from_side, spread=0.0)
