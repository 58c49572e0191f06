"""Placement of furniture."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.layout import Layout
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Bounds, Piece
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.shell import WALL_THICKNESS


@pytest.fixture
def layout() -> Layout:
    room = Room('office', (4.0, 3.0, 2.5), RoomBuilder())
    return Layout(room, MaterialKit(room.builder, np.random.default_rng(0)))


def block(layout: Layout, width: float = 1.0, depth: float = 0.5, height: float = 1.0) -> Piece:
    piece = layout.kit.piece()
    piece.box(Nyud.BOX, layout.kit.gray, (-width / 2, 0, 0), (width / 2, depth, height))
    return piece


def test_pieces_of_a_room_neither_overlap_nor_leave_it(room_view):
    pieces = room_view.room.pieces
    assert len(pieces) >= 8
    for index, piece in enumerate(pieces):
        assert not any(piece.overlaps(other, 0.001) for other in pieces[:index])
        assert min(piece.low) > -WALL_THICKNESS
        assert (np.array(piece.high) < np.add(room_view.room.size, WALL_THICKNESS)).all()


def test_a_taken_place_is_refused(layout: Layout):
    assert layout.place(block(layout), 2.0, 1.0, 0.0) is not None
    assert layout.place(block(layout), 2.2, 1.2, 90.0) is None
    assert len(layout.room.pieces) == 1


def test_a_reserved_place_is_refused_until_it_is_released(layout: Layout):
    layout.reserve(Bounds((1.5, 0.5, 0.0), (2.5, 1.5, 2.0)))
    assert layout.place(block(layout), 2.0, 1.0, 0.0) is None
    layout.clear_reservations()
    assert layout.place(block(layout), 2.0, 1.0, 0.0) is not None


def test_a_piece_larger_than_the_room_fits_nowhere(layout: Layout):
    assert layout.place_at_wall(block(layout, width=5.0)) is None
    assert layout.place_anywhere(block(layout, height=3.0)) is None


@pytest.mark.parametrize('wall', range(4))
def test_the_back_of_a_piece_is_at_its_wall(layout: Layout, wall: int):
    place = layout.place_at_wall(block(layout), walls=(wall,), along=1.5, gap=0.1)
    assert place is not None and (place.wall, place.along) == (wall, 1.5)
    low, high = np.array(place.bounds.low), np.array(place.bounds.high)
    size = np.array(layout.room.size)
    gaps = (low[1], size[0] - high[0], size[1] - high[1], low[0])
    assert np.isclose(gaps[wall], 0.1)


def test_the_lamps_of_a_piece_are_known_in_the_room_frame(layout: Layout):
    piece = block(layout)
    piece.add_light((0.2, 0.0, 1.1))
    layout.place(piece, 2.0, 1.0, 90.0)
    assert np.allclose(layout.light_positions, [(2.0, 1.2, 1.1)])
