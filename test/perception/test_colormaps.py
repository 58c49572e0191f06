"""A color means the same in every frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydranet_ros.inference.buffers import BufferPool, allocate
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.perception.colormaps import (
    DEPTH_COLORMAPS,
    color_depth,
    color_labels,
    color_normals,
    overlay,
    palette,
)

CLASSES = load_classes('kitti6')
RED, GREEN, BLUE = 0, 1, 2


@given(seed=st.integers(0, 99), height=st.integers(1, 9), width=st.integers(1, 9))
def test_every_label_has_the_color_of_its_class(seed: int, height: int, width: int):
    labels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    colored = color_labels(labels, palette(CLASSES))
    want = {item.id: item.color for item in CLASSES}
    for label, color in zip(labels.ravel(), colored.reshape(-1, 3)):
        assert tuple(color) == want.get(int(label), (0, 0, 0))


def test_images_are_written_into_the_given_array():
    labels = np.zeros((4, 5), np.uint8)
    image = np.full((4, 5, 3), 100, np.uint8)
    depth = np.ones((4, 5), np.float32)
    normals = np.zeros((4, 5, 3), np.float32)
    for paint in (
        lambda out: color_labels(labels, palette(CLASSES), out),
        lambda out: overlay(image, image, 0.3, out),
        lambda out: color_depth(depth, (0, 80), out),
        lambda out: color_normals(normals, out),
    ):
        out = allocate((4, 5, 3), np.uint8)
        assert np.shares_memory(paint(out), out)
        assert out.any()


def test_alpha_is_the_weight_of_the_classes():
    image = np.full((2, 2, 3), 200, np.uint8)
    colored = np.full((2, 2, 3), 100, np.uint8)
    assert (overlay(image, colored, 0.0) == 200).all()
    assert (overlay(image, colored, 1.0) == 100).all()
    assert (overlay(image, colored, 0.25) == 175).all()


def test_near_is_red_far_is_blue_and_unknown_is_black():
    depth = np.array([[0.5, 79.0, np.nan]], np.float32)
    near, far, unknown = color_depth(depth, (0.0, 80.0))[0]
    assert near[RED] > 2 * near[BLUE] and far[BLUE] > near[BLUE] and far[BLUE] > far[GREEN]
    assert tuple(unknown) == (0, 0, 0)


def test_a_distance_has_the_same_color_whatever_else_is_in_the_image():
    alone = color_depth(np.full((1, 1), 12.5, np.float32), (0.0, 80.0))[0, 0]
    crowd = np.array([[0.1, 12.5, 200.0, np.nan]], np.float32)
    np.testing.assert_array_equal(color_depth(crowd, (0.0, 80.0))[0, 1], alone)


@pytest.mark.parametrize('depth_range', [(0.0, 8.0), (1.0, 80.0)])
def test_depth_outside_the_range_has_the_color_of_its_end_and_is_not_black(depth_range):
    near, far = depth_range
    depth = np.array([[near - 0.5, near, far, far * 10, np.inf]], np.float32)
    below, at_near, at_far, above, infinite = color_depth(depth, depth_range)[0]
    np.testing.assert_array_equal(below, at_near)
    np.testing.assert_array_equal(above, at_far)
    np.testing.assert_array_equal(infinite, at_far)
    assert at_near.any() and at_far.any()


# The scale is the square root of the share of the range.
@pytest.mark.parametrize(('share', 'entry'), [(0.0, 1), (0.25, 128), (0.36, 153), (1.0, 255)])
@pytest.mark.parametrize('depth_range', [(0.0, 80.0), (1.0, 80.0), (0.0, 0.5), (2.0, 2.25)])
def test_colors_follow_the_square_root_of_depth(share: float, entry: int, depth_range):
    near, far = depth_range
    depth = np.full((1, 1), near + share * (far - near), np.float32)
    want = DEPTH_COLORMAPS['turbo'][entry]
    np.testing.assert_array_equal(color_depth(depth, depth_range)[0, 0], want)


def test_a_range_of_no_width_has_two_colors():
    below, above = color_depth(np.array([[4.0, 6.0]], np.float32), (5.0, 5.0))[0]
    np.testing.assert_array_equal(below, DEPTH_COLORMAPS['turbo'][1])
    np.testing.assert_array_equal(above, DEPTH_COLORMAPS['turbo'][255])


def test_coloring_depth_does_not_change_it():
    depth = np.array([[1.0, np.nan, 50.0]], np.float32)
    before = depth.copy()
    color_depth(depth, (0.0, 80.0), None, BufferPool())
    np.testing.assert_array_equal(depth, before)


def test_normals_are_red_right_green_toward_the_camera_blue_down():
    axes = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1), (np.nan,) * 3]
    assert color_normals(np.array([axes], np.float32))[0].tolist() == [
        [255, 128, 128], [0, 128, 128], [128, 128, 255], [128, 128, 0], [128, 255, 128],
        [128, 0, 128], [0, 0, 0],
    ]  # fmt: skip


def test_a_slanted_normal_has_a_share_of_each_color():
    """Each channel is 127.5 times one plus the component."""
    normals = np.array([[(0.6, 0.48, -0.64), (-0.6, -0.48, 0.64)]], np.float32)
    assert color_normals(normals)[0].tolist() == [[204, 209, 189], [51, 46, 66]]


@pytest.mark.parametrize(
    ('name', 'nearest', 'middle', 'farthest'),
    [
        ('turbo', [172, 23, 1], [172, 251, 56], [68, 86, 199]),
        ('inferno', [250, 253, 161], [213, 74, 65], [47, 10, 91]),
        ('viridis', [251, 231, 35], [33, 144, 141], [68, 1, 84]),
    ],
)
def test_a_depth_colormap_runs_from_near_to_far_and_reserves_black(
    name, nearest, middle, farthest
):
    table = DEPTH_COLORMAPS[name]
    assert table.shape == (256, 3) and table.dtype == np.uint8
    assert table[[0, 1, 128, 255]].tolist() == [[0, 0, 0], nearest, middle, farthest]


def test_turbo_is_the_default_colormap():
    depth = np.array([[1.0, 30.0]], np.float32)
    default = color_depth(depth, (0.0, 80.0))
    np.testing.assert_array_equal(default, color_depth(depth, (0.0, 80.0), colormap='turbo'))
