"""Scenes that are built and rendered once for all tests of hydranet_scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from scene_views import STREET_CAMERA, RoomView, StreetView, open_renderer

from hydranet_scenes.rendering.pose import Pose
from hydranet_scenes.rooms.room_kinds import ROOM_KINDS
from hydranet_scenes.streets.generator import build_street
from hydranet_scenes.streets.kinds import STREET_KINDS
from hydranet_scenes.streets.street import Street


@pytest.fixture(scope='session')
def streets() -> Callable[[str, int], Street]:
    """Return a function that builds the street of a kind and a seed once."""
    return cache(lambda kind, seed: build_street(seed, STREET_KINDS[kind]))


@pytest.fixture(scope='session')
def street_view() -> Iterator[StreetView]:
    """Return a street with parked cars, traffic and a side road."""
    street = build_street(8)
    with open_renderer(street, STREET_CAMERA) as renderer:
        frame = renderer.render(Pose(0.0, street.lane_y), STREET_CAMERA.fx)
        yield StreetView(street, renderer, frame)


@pytest.fixture(scope='session')
def room_views() -> Iterator[Callable[[str], RoomView]]:
    """Return a function that renders the room of a kind once."""
    get = cache(RoomView)
    opened: list[RoomView] = []

    def view(kind: str) -> RoomView:
        found = get(kind)
        if found not in opened:
            opened.append(found)
        return found

    yield view
    for found in opened:
        found.renderer.close()


@pytest.fixture(params=tuple(ROOM_KINDS))
def room_view(request: pytest.FixtureRequest, room_views) -> RoomView:
    """Return the room of each kind in turn."""
    return room_views(request.param)
