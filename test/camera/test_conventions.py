"""ROS conventions for cameras: sibling topics and depth encodings."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.camera.conventions import camera_info_topic, depth_to_millimeters
from hydranet_ros.inference.buffers import allocate, backing_array


@pytest.mark.parametrize(
    ('image', 'info'),
    [
        ('/front/image_raw', '/front/camera_info'),
        ('/front/image_raw/compressed', '/front/camera_info'),
        ('/image', '/camera_info'),
        ('/a/b/image_rect/compressed', '/a/b/camera_info'),
    ],
)
def test_camera_info_is_the_sibling_of_the_image(image, info):
    assert camera_info_topic(image) == info


def test_millimeters_round_half_to_even_and_are_0_where_unknown_or_too_far():
    edges = np.array([0, 1e-4, 5e-4, 1.5e-3, 2.5e-3, 65.534, 65.5345, 65.535, 65.5354, 65.5355,
                      65.536, 1e9, np.inf, np.nan], np.float32)  # fmt: skip
    many = np.random.default_rng(0).uniform(0, 70, 5000).astype(np.float32)
    depth = np.concatenate([edges, many])[None]
    scaled = depth * np.float32(1000)
    want = np.rint(np.where(scaled < 65535.5, scaled, 0)).astype(np.uint16)
    np.testing.assert_array_equal(depth_to_millimeters(depth), want)


def test_millimeters_are_written_into_the_given_array():
    depth = np.full((3, 4), 1.5, np.float32)
    out, scratch = allocate((3, 4), np.uint16), allocate((3, 4), np.float32)
    got = depth_to_millimeters(depth, out, scratch)
    assert backing_array(got) is backing_array(out)
    assert (got == 1500).all() and (depth == 1.5).all()
