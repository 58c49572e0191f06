"""Bounding boxes and rotations of pieces of furniture."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.piece import Bounds, Piece, rotation_matrix


def test_boxes_overlap_only_with_a_common_volume():
    unit = Bounds((0, 0, 0), (1, 1, 1))
    assert unit.overlaps(Bounds((0.5, 0.5, 0.5), (2, 2, 2)))
    assert not unit.overlaps(Bounds((1, 0, 0), (2, 1, 1)))
    assert not unit.overlaps(Bounds((0, 0, 1.2), (1, 1, 2)))
    assert not unit.overlaps(Bounds((0.9, 0, 0), (2, 1, 1)), tolerance=0.2)


@pytest.mark.parametrize(
    ('angles', 'point', 'expected'),
    [((90, 0, 0), (0, 1, 0), (0, 0, 1)), ((0, 90, 0), (0, 0, 1), (1, 0, 0)),
     ((0, 0, 90), (1, 0, 0), (0, 1, 0)), ((90, 0, 90), (0, 1, 0), (0, 0, 1))],
)  # fmt: skip
def test_rotations_are_about_the_fixed_axes_x_y_z(angles, point, expected):
    assert np.allclose(rotation_matrix(*angles) @ point, expected)


def test_a_rotated_piece_is_bounded_in_the_room_frame():
    builder = RoomBuilder()
    piece = Piece(builder, np.random.default_rng(0))
    with piece.local_frame(1.0, yaw=90):
        piece.box(Nyud.BOX, builder.material(), (0, 0, 0), (2, 1, 1))
    assert np.allclose(piece.low, (0, 0, 0)) and np.allclose(piece.high, (1, 2, 1))
    bounds = piece.bounds(10.0, 0.0, 90.0, 0.5)
    assert np.allclose(bounds.low, (8, 0, 0.5)) and np.allclose(bounds.high, (10, 1, 1.5))


def test_every_geom_is_inside_the_bounds_of_its_piece(room_view):
    """MuJoCo's own bounding boxes and vertices confirm the bounds."""
    model, data = room_view.renderer.model, room_view.renderer.data
    shell = {Nyud.WALL, Nyud.FLOOR, Nyud.CEILING}
    boxes = [(np.array(piece.low) - 0.003, np.array(piece.high) + 0.003)
             for piece in room_view.room.pieces]  # fmt: skip
    checked = 0
    for index in range(model.ngeom):
        if room_view.renderer.geom_classes[index] in shell:
            continue
        rotation = data.geom_xmat[index].reshape(3, 3)
        center = data.geom_xpos[index] + rotation @ model.geom_aabb[index, :3]
        mesh = model.geom_dataid[index]
        if mesh >= 0:
            # MuJoCo chooses the frame of a mesh, so the box in that frame is too large.
            first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            vertices = model.mesh_vert[first : first + count]
            points = vertices @ rotation.T + data.geom_xpos[index]
            low, high = points.min(0), points.max(0)
        else:
            reach = np.abs(rotation) @ model.geom_aabb[index, 3:]
            low, high = center - reach, center + reach
        assert any((a <= low).all() and (high <= b).all() for a, b in boxes)
        checked += 1
    assert checked > 50
