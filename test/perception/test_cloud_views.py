"""Points of a cloud appear where they are."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from hydranet_ros.perception.cloud_views import (
    BACKGROUND,
    FONT,
    draw_text,
    view_from_above,
    view_from_behind,
)
from hydranet_ros.perception.point_cloud import POINT_DTYPE

SIZE = (270, 480)
RED, GREEN = (255, 0, 0), (0, 255, 0)
CAMERA = (255, 80, 60)
TEXT = (230, 232, 236)
SCALE = (480 - 30) / 40


def make_cloud(*points: tuple[float, float, float], color=RED) -> np.ndarray:
    cloud = np.zeros((1, len(points) + 1), POINT_DTYPE)
    cloud['z'][0, -1] = np.nan
    for index, point in enumerate(points):
        cloud['x'][0, index], cloud['y'][0, index], cloud['z'][0, index] = point
    cloud['r'], cloud['g'], cloud['b'] = color
    return cloud


def pixels_of(view: np.ndarray, color=RED) -> np.ndarray:
    """Return row and column of each pixel of a color, (N, 2)."""
    return np.argwhere((view == color).all(-1))


@pytest.mark.parametrize('point', [(2.0, 1.0, 10.0), (-4.0, 0.0, 25.0), (0.0, -2.9, 15.0)])
def test_from_above_a_point_is_at_its_forward_and_sideways_distance(point):
    found = pixels_of(view_from_above(make_cloud(point), SIZE))
    row, column = 135 + point[0] * SCALE, 20 + point[2] * SCALE
    assert found.tolist() == [
        [int(row) + dy, int(column) + dx] for dy in (0, 1) for dx in (0, 1)
    ]  # a square of 2 x 2 pixels


def test_from_above_the_camera_is_at_half_the_height_of_an_odd_view():
    found = pixels_of(view_from_above(make_cloud((0.05, 0.0, 15.0)), (271, 480)))
    assert found[0, 0] == int(135.5 + 0.05 * SCALE) == 136


def test_from_above_the_reach_sets_the_scale():
    found = pixels_of(view_from_above(make_cloud((0.0, 0.0, 15.0)), SIZE, reach=20.0))
    assert found[0].tolist() == [135, int(20 + 15 * (480 - 30) / 20)]


def test_from_above_points_more_than_3_m_above_the_camera_are_left_out():
    for height in (-3.0, -4.0):
        assert pixels_of(view_from_above(make_cloud((0.0, height, 15.0)), SIZE)).size == 0
    assert pixels_of(view_from_above(make_cloud((0.0, -2.99, 15.0)), SIZE)).size > 0


def test_from_above_higher_points_cover_lower_ones():
    low, high = (0.5, 1.0, 15.0), (0.5, -1.0, 15.0)
    cloud = make_cloud(low, high)
    cloud['r'][0, 1], cloud['g'][0, 1] = 0, 255
    view = view_from_above(cloud, SIZE)
    assert pixels_of(view, RED).size == 0 and len(pixels_of(view, GREEN)) == 4


def test_from_above_rings_mark_every_10_m_and_a_dot_the_camera():
    view = view_from_above(make_cloud(), SIZE)
    rings = [20 + int(distance * SCALE) for distance in (10, 20, 30, 40)]
    row = view[135, 40:].astype(int).sum(-1)
    bright = [40 + int(column) for column in np.flatnonzero(row > sum(BACKGROUND) + 60)]
    assert {min(rings, key=lambda ring: abs(ring - column)) for column in bright} == set(rings)
    assert all(min(abs(ring - column) for ring in rings) <= 2 for column in bright)
    assert tuple(view[135, 20]) == (255, 80, 60)
    assert (view == (90, 95, 105)).all(-1).any()


@pytest.mark.parametrize(('height', 'middle'), [(270, 135), (271, 135), (90, 45)])
def test_from_above_the_camera_is_a_dot_of_nine_pixels(height: int, middle: int):
    rows, columns = np.nonzero((view_from_above(make_cloud(), (height, 480)) == CAMERA).all(-1))
    assert (rows.min(), rows.max()) == (middle - 4, middle + 4)
    assert (columns.min(), columns.max()) == (16, 24)
    assert len(rows) == 49


def test_from_above_a_ring_spans_60_degrees_to_each_side():
    view = view_from_above(make_cloud(), SIZE).astype(int).sum(-1) - sum(BACKGROUND)

    def place(angle: float) -> tuple[int, int]:
        radians = math.radians(angle)
        return round(135 + 112 * math.sin(radians)), round(20 + 112 * math.cos(radians))

    for angle in range(-58, 59):
        row, column = place(angle)
        assert view[row - 1 : row + 2, column - 1 : column + 2].max() > 80, angle
    for sign in (-1, 1):
        assert view[place(sign * 60)] > 80
        assert view[place(sign * 61)] == 0


@pytest.mark.parametrize('reach', [9.9, 10.0, 19.9, 20.0])
def test_from_above_a_ring_at_the_reach_is_drawn(reach: float):
    view = view_from_above(make_cloud(), SIZE, reach)
    bright = np.flatnonzero(view[135, 40:].astype(int).sum(-1) > sum(BACKGROUND) + 60) + 40
    rings = [20 + int(distance * (480 - 30) / reach) for distance in (10, 20) if distance <= reach]
    assert {ring for ring in rings if min(abs(bright - ring), default=9) <= 1} == set(rings)
    assert all(min(abs(ring - column) for ring in rings) <= 1 for column in bright)


@pytest.mark.parametrize('distance', [10, 20, 30, 40])
def test_from_above_the_distance_is_at_the_bottom_left_of_its_ring(distance: int):
    view = view_from_above(make_cloud(), SIZE)
    ring = 20 + int(distance * SCALE)
    rows, columns = np.nonzero((view[:, ring - 50 : ring - 2] > 115).all(-1))
    assert rows.min() >= 252 and 258 <= rows.max() <= 263
    assert ring - 36 <= columns.min() + ring - 50 <= ring - 31
    want = np.full((*SIZE, 3), BACKGROUND, np.uint8)
    draw_text(want, f'{distance} m', (ring - 34, 270 - 8), 0.4)
    sure = (want == TEXT).all(-1) | (want == 0).all(-1)  # a ring shines through the other pixels
    assert sure.sum() > 10
    np.testing.assert_array_equal(view[sure], want[sure])


def test_the_background_is_dark():
    assert BACKGROUND == (24, 26, 30)


def expected_from_behind(point, size=SIZE) -> tuple[float, float]:
    """Return row and column from the definition: 7 m behind, 4.5 m above, 14 degrees down."""
    x, y, z = point[0], point[1] + 4.5, point[2] + 7.0
    pitch = math.radians(14)
    forward = z * math.cos(pitch) + y * math.sin(pitch)
    down = y * math.cos(pitch) - z * math.sin(pitch)
    focal = 0.62 * size[1]
    return size[0] * 0.45 + focal * down / forward, size[1] / 2 + focal * x / forward


@pytest.mark.parametrize('point', [(2.0, 1.0, 10.0), (-3.0, 1.5, 20.0), (0.0, -1.0, 60.0)])
def test_from_behind_a_point_is_where_the_camera_projects_it(point):
    found = pixels_of(view_from_behind(make_cloud(point), SIZE))
    row, column = expected_from_behind(point)
    assert found[0].tolist() == [int(row), int(column)]


# The size is 90 divided by the distance from the eye along the axis of the view, at most 6.
@pytest.mark.parametrize(
    ('distance', 'size'), [(6.0, 6), (20.0, 3), (22.42, 3), (22.44, 2), (200.0, 1)]
)
def test_from_behind_near_points_are_larger(distance: float, size: int):
    found = pixels_of(view_from_behind(make_cloud((0.0, 1.5, distance)), SIZE))
    assert len(found) == size * size


def test_from_behind_near_points_cover_far_ones():
    """Both are on one ray of the view."""
    near = np.array([0.0, 1.5, 10.0])
    eye = np.array([0.0, -4.5, -7.0])
    far = eye + 1.5 * (near - eye)
    for order in (1, -1):
        cloud = make_cloud(*[tuple(near), tuple(far)][::order])
        index = 0 if order == 1 else 1
        cloud['r'][0, index], cloud['g'][0, index] = 0, 255
        view = view_from_behind(cloud, SIZE)
        row, column = map(int, expected_from_behind(near))
        assert tuple(view[row, column]) == GREEN


def test_from_behind_near_and_far_points_keep_their_sizes_beside_each_other():
    near, far = (-3.0, 1.5, 6.0), (8.0, 1.5, 200.0)
    cloud = make_cloud(near, far)
    cloud['r'][0, 1], cloud['g'][0, 1] = 0, 255
    view = view_from_behind(cloud, SIZE)
    for point, color, size in ((near, RED, 6), (far, GREEN, 1)):
        row, column = map(int, expected_from_behind(point))
        assert pixels_of(view, color).tolist() == [
            [row + dy, column + dx] for dy in range(size) for dx in range(size)
        ]


@pytest.mark.parametrize(('distance', 'shown'), [(0.5, 0), (0.99, 0), (1.01, 36), (1.5, 36)])
def test_from_behind_points_less_than_1_m_before_the_viewer_are_left_out(distance, shown):
    pitch = math.radians(14)
    ahead = np.array([0.0, math.sin(pitch), math.cos(pitch)])
    point = np.array([0.0, -4.5, -7.0]) + distance * ahead
    assert len(pixels_of(view_from_behind(make_cloud(tuple(point)), SIZE))) == shown


def test_from_behind_points_behind_the_viewer_are_left_out():
    assert pixels_of(view_from_behind(make_cloud((0.0, -4.5, -8.0)), SIZE)).size == 0
    assert pixels_of(view_from_behind(make_cloud((0.0, -4.5, -6.0)), SIZE)).size == 0


@pytest.mark.parametrize('view', [view_from_above, view_from_behind])
def test_points_outside_the_view_are_left_out_and_the_background_stays(view):
    cloud = make_cloud((500.0, 0.0, 20.0), (-500.0, 0.0, 20.0))
    shown = view(cloud, SIZE)
    assert shown.shape == (*SIZE, 3) and shown.dtype == np.uint8
    assert pixels_of(shown).size == 0
    assert tuple(shown[0, 0]) == BACKGROUND


def test_squares_at_the_edge_stay_in_the_view():
    edge = (0.0, 0.0, (479 - 20) / SCALE)
    found = pixels_of(view_from_above(make_cloud(edge), SIZE))
    assert set(found[:, 1].tolist()) == {479}


# One meter is one pixel here: the camera is in column 20, row 20 of 62 columns and 40 rows.
@pytest.mark.parametrize(
    ('sideways', 'forward', 'rows', 'columns'),
    [
        (-15.0, -20.5, [], []), (-15.0, -20.0, [5, 6], [0, 1]), (-15.0, -19.5, [5, 6], [0, 1]),
        (-15.0, 40.5, [5, 6], [60, 61]), (-15.0, 41.0, [5, 6], [61]), (-15.0, 41.9, [5, 6], [61]),
        (-15.0, 42.0, [], []), (-15.0, 42.5, [], []),
        (-20.5, 5.0, [], []), (-20.0, 5.0, [0, 1], [25, 26]), (-19.5, 5.0, [0, 1], [25, 26]),
        (18.5, 5.0, [38, 39], [25, 26]), (19.0, 5.0, [39], [25, 26]), (19.9, 5.0, [39], [25, 26]),
        (20.0, 5.0, [], []), (20.5, 5.0, [], []),
    ],
)  # fmt: skip
def test_squares_are_cut_at_the_edges_of_the_view(sideways, forward, rows, columns):
    view = view_from_above(make_cloud((sideways, 0.0, forward)), (40, 62), reach=32.0)
    want = [[row, column] for row in rows for column in columns]
    assert pixels_of(view).tolist() == want


OUTLINE = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (1, 1))


def outlined(stroke: np.ndarray) -> np.ndarray:
    """Return the pixels of a stroke and of its outline, heavier at the bottom right."""
    found = np.zeros_like(stroke)
    for dx, dy in OUTLINE:
        found |= np.roll(stroke, (dy, dx), (0, 1))
    return found


@pytest.mark.parametrize('size', [0.4, 0.8])
def test_text_has_an_outline_of_one_pixel(size: float):
    stroke = np.zeros((40, 120), np.uint8)
    cv2.putText(stroke, 'road', (5, 28), FONT, size, 255, 1, cv2.LINE_AA)
    on_white, on_gray = (np.full((40, 120, 3), value, np.uint8) for value in (255, 128))
    for image in (on_white, on_gray):
        draw_text(image, 'road', (5, 28), size)
    changed = (on_white != 255).any(-1)
    assert changed[outlined(stroke > 8)].all()
    assert not changed[~outlined(stroke > 0)].any()
    assert not (on_gray > 128).any(-1)[stroke == 0].any()
    assert on_gray.min((0, 1)).tolist() == [0, 0, 0]
    assert tuple(on_gray.max((0, 1)).tolist()) == TEXT


def test_text_is_light_with_a_dark_outline():
    image = np.full((40, 120, 3), 128, np.uint8)
    draw_text(image, 'road', (5, 28), 0.8)
    assert image.max() >= 200 and image.min() <= 5
    assert (image.max((0, 1)) <= (230, 232, 236)).all()
    assert (image[:, 110:] == 128).all()
