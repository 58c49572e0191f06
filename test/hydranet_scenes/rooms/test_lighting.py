"""Light sources of rooms."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.layout import Layout
from hydranet_scenes.rooms.lighting import room_lights
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.shell import Opening


def layout_of(seed: int, *, night: bool) -> Layout:
    """Return a room with two windows, two ceiling lamps and six other lamps."""
    room = Room('office', (5.0, 4.0, 2.5), RoomBuilder(), night=night)
    layout = Layout(room, MaterialKit(room.builder, np.random.default_rng(seed)))
    for wall in (0, 2):
        layout.openings[wall].append(Opening(1.0, 0.9, 2.5, 2.1))
    layout.ceiling_light_positions = [np.array([1.0, 2.0, 2.4]), np.array([4.0, 2.0, 2.4])]
    layout.light_positions = [np.array([x, 1.0, 1.0]) for x in np.linspace(0.5, 4.5, 6)]
    return layout


def test_opengl_s_limit_of_lights_is_kept():
    for seed in range(8):
        for night in (False, True):
            lights = room_lights(layout_of(seed, night=night))
            assert len(lights) <= 7
            assert all(0 <= value <= 1 for light in lights for value in light.color)


def test_at_night_the_lamps_are_on_and_no_light_comes_from_outside():
    for seed in range(8):
        lights = room_lights(layout_of(seed, night=True))
        assert [light.at for light in lights[:2]] == [(1.0, 2.0, 2.4), (4.0, 2.0, 2.4)]
        assert not any(light.at[1] < 0 or light.at[1] > 4.0 for light in lights)


def test_sunlight_enters_through_the_window():
    """Over several seeds some have sun; its rays pass the center of the first window inward."""
    suns = [light for seed in range(8) for light in room_lights(layout_of(seed, night=False))
            if light.spread == 0.0 and light.shadow]  # fmt: skip
    assert suns
    for sun in suns:
        at, direction = np.array(sun.at), np.array(sun.toward)
        entry = at + direction * (-at[1] / direction[1])
        assert np.allclose(entry, (1.75, 0.0, 1.5)) and direction[1] > 0 > direction[2]
