"""The contact sheet: rows of frames, titles and a legend."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import cv2
import numpy as np
import pytest

from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.perception.cloud_views import (
    BACKGROUND,
    FONT,
    draw_text,
    view_from_above,
    view_from_behind,
)
from hydranet_ros.perception.colormaps import DEFAULT_DEPTH_COLORMAP, DEPTH_COLORMAPS
from hydranet_ros.perception.contact_sheet import (
    SheetRow,
    add_margin,
    contact_sheet,
    join_row,
    legend,
    title_row,
    video_frame,
)
from hydranet_ros.perception.point_cloud import POINT_DTYPE

CLASSES = load_classes('kitti6')
COLORS = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]


def plain(color, size=(54, 96)) -> np.ndarray:
    return np.full((*size, 3), color, np.uint8)


@pytest.fixture
def row() -> SheetRow:
    cloud = np.zeros((1, 1), POINT_DTYPE)
    cloud['z'], cloud['g'] = 10.0, 255
    return SheetRow('t = 1.0 s', *map(plain, COLORS), cloud)


@pytest.mark.parametrize('count', [1, 3])
def test_a_sheet_has_a_row_for_each_frame(row, count: int):
    sheet = contact_sheet([row] * count, CLASSES, (0.0, 80.0))
    assert sheet.shape == (10 + 30 + count * 280 + 46 + 10, 10 + 5 * 490, 3)
    assert sheet.dtype == np.uint8 and sheet.flags.c_contiguous


def test_the_panels_are_image_overlay_depth_and_two_views(row):
    sheet = contact_sheet([row], CLASSES, (0.0, 80.0))
    panels = [sheet[40:310, 10 + i * 490 : 10 + i * 490 + 480] for i in range(5)]
    for panel, color in zip(panels[:3], COLORS):
        assert (panel[:200] == color).all()
    np.testing.assert_array_equal(panels[3], view_from_behind(row.cloud, (270, 480)))
    np.testing.assert_array_equal(panels[4], view_from_above(row.cloud, (270, 480)))
    assert (panels[1] == COLORS[1]).all() and (panels[2] == COLORS[2]).all()


def test_the_title_is_at_the_bottom_left_of_the_image(row):
    sheet = contact_sheet([row], CLASSES, (0.0, 80.0))
    rows, columns = np.nonzero((sheet[40:310, 10:490] != COLORS[0]).any(-1))
    assert rows.min() > 240 and 259 <= rows.max() <= 264
    assert 6 <= columns.min() <= 10 and columns.max() < 100
    want = plain(COLORS[0], (270, 480))
    draw_text(want, 't = 1.0 s', (8, 260), 0.5)
    np.testing.assert_array_equal(sheet[40:310, 10:490], want)


def test_a_row_cannot_be_changed(row):
    with pytest.raises(FrozenInstanceError):
        row.title = 'another'


def test_the_size_of_the_panels_can_be_chosen(row):
    sheet = contact_sheet([row], CLASSES, (0.0, 80.0), panel=(90, 160))
    assert sheet.shape == (10 + 30 + 100 + 46 + 10, 10 + 5 * 170, 3)


def test_images_in_a_row_have_a_gap_between_them_and_below():
    joined = join_row([plain((1, 1, 1), (4, 5)), plain((2, 2, 2), (4, 6))])
    assert joined.shape == (14, 5 + 10 + 6, 3)
    assert (joined[:4, :5] == 1).all() and (joined[:4, 15:] == 2).all()
    assert (joined[:4, 5:15] == BACKGROUND).all() and (joined[4:] == BACKGROUND).all()


def test_a_margin_surrounds_the_image():
    framed = add_margin(plain((1, 1, 1), (4, 5)))
    assert framed.shape == (24, 25, 3)
    assert (framed[10:14, 10:15] == 1).all()
    framed[10:14, 10:15] = BACKGROUND
    assert (framed == BACKGROUND).all()


def test_titles_are_above_their_columns():
    row = title_row(['a', 'b'], 50)
    assert row.shape == (30, 110, 3)
    assert (row[:, :50] != BACKGROUND).any() and (row[:, 60:] != BACKGROUND).any()
    assert (row[:, 50:60] == BACKGROUND).all()
    for text, cell in (('a', row[:, :50]), ('b', row[:, 60:])):
        want = plain(BACKGROUND, (30, 50))
        draw_text(want, text, (2, 20), 0.55)
        np.testing.assert_array_equal(cell, want)


def test_the_legend_has_the_color_of_each_class():
    shown = legend(CLASSES, (0.0, 80.0), 2000)
    assert shown.shape == (46, 2000, 3)
    assert (shown[12:35, 2:25] == CLASSES[0].color).all()
    for item in CLASSES:
        assert (shown == item.color).all(-1).sum() >= 23 * 23


def test_the_name_of_each_class_is_between_its_color_and_the_next():
    """A patch has 23 pixels, its name begins 7 pixels later, and 20 pixels follow the name."""
    shown, left = legend(CLASSES, (0.0, 80.0), 2000), 2
    for item in CLASSES:
        width = cv2.getTextSize(item.name, FONT, 0.55, 1)[0][0]
        want = plain(BACKGROUND, (46, 50 + width))
        want[12:35, :23] = item.color
        draw_text(want, item.name, (30, 29), 0.55)
        np.testing.assert_array_equal(shown[:, left : left + 50 + width], want)
        left += 50 + width
    assert (shown[:, left : 2000 - 620] == BACKGROUND).all()


@pytest.mark.parametrize(('count', 'shown'), [(12, 12), (13, 12)])
def test_the_legend_has_at_most_twelve_classes(count: int, shown: int):
    colors = [(100 + i, 3, 7) for i in range(count)]
    classes = [ClassInfo(i, 'c', color) for i, color in enumerate(colors)]
    found = legend(classes, (0.0, 80.0), 3000)
    assert sum((found == color).all(-1).any() for color in colors) == shown


def test_the_legend_has_the_depth_colors_from_near_to_far():
    shown = legend([], (0.0, 80.0), 1000)
    table = DEPTH_COLORMAPS[DEFAULT_DEPTH_COLORMAP]
    scale = shown[13, 1000 - 620 : 1000 - 140]
    np.testing.assert_array_equal(scale[0], table[1])
    np.testing.assert_array_equal(scale[-1], table[254])
    assert (shown[:, 1000 - 130 :] == BACKGROUND).all()


def test_the_legend_labels_five_depths():
    """At the near end, the far end, and evenly between them; 440 pixels from first to last."""
    shown = legend([], (0.0, 80.0), 1000)
    text = (shown[12:34, 380:860] != shown[12, 380:860]).any((0, 2))
    starts = [int(column) for column in np.flatnonzero(text)]
    for part in range(5):
        start = 4 + 110 * part
        assert any(start - 1 <= column <= start + 6 for column in starts), part
        assert not any(start + 45 <= column < start + 105 for column in starts), part


@pytest.mark.parametrize(
    ('depth_range', 'depths'),
    [((0.0, 80.0), (0, 5, 20, 45, 80)), ((4.0, 84.0), (4, 9, 24, 49, 84))],
)
def test_the_depths_of_the_legend_are_where_their_colors_are(depth_range, depths):
    """The colors are linear in the square root of depth: a quarter of it is in the middle."""
    want = plain(BACKGROUND, (46, 1000))
    table = DEPTH_COLORMAPS[DEFAULT_DEPTH_COLORMAP]
    for column in range(480):
        want[12:34, 380 + column] = table[1 + column * 254 // 480]
    for part, depth in enumerate(depths):
        draw_text(want, f'{depth} m', (384 + 110 * part, 29), 0.45)
    np.testing.assert_array_equal(legend([], depth_range, 1000), want)


def test_the_depths_of_the_legend_depend_on_the_range():
    assert (legend([], (0.0, 80.0), 1000) != legend([], (0.0, 10.0), 1000)).any()
    assert (legend([], (0.0, 80.0), 1000) != legend([], (4.0, 80.0), 1000)).any()


def test_a_video_frame_is_image_overlay_and_depth_side_by_side():
    frame = video_frame(*map(plain, COLORS))
    assert frame.shape == (54, 288, 3)
    for i, color in enumerate(COLORS):
        assert (frame[:, i * 96 : (i + 1) * 96] == color).all()
