"""Generated rooms."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.generator import build_room
from hydranet_scenes.rooms.room_kinds import ROOM_KINDS


def test_consecutive_seeds_give_all_kinds(room_views):
    assert [room_views(kind).room.kind for kind in ROOM_KINDS] == list(ROOM_KINDS)


def test_five_rooms_show_most_classes(room_views):
    """Four frames of a room of each kind show at least 25 of the 40 classes."""
    frames = [frame for kind in ROOM_KINDS for frame in room_views(kind).frames]
    assert len(np.unique([frame.labels for frame in frames])) >= 25


def test_the_size_is_that_of_the_kind(room_view):
    low, high = ROOM_KINDS[room_view.kind].size_range
    width, depth, height = room_view.room.size
    assert low[0] <= width <= high[0] and low[1] <= depth <= high[1] and 2.4 <= height <= 2.85


def test_the_same_seed_gives_the_same_scene():
    first, second, other = (build_room(seed, 'bathroom') for seed in (4, 4, 9))
    options = {'size': (48, 64), 'shadow_map': 1024}
    assert first.xml(**options) == second.xml(**options) != other.xml(**options)
    assert first.builder.files == second.builder.files
