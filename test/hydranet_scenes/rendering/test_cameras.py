"""Cameras of KITTI and NYUDv2."""

from __future__ import annotations

import math

import pytest

from hydranet_scenes.rendering.cameras import kitti_camera, nyud_camera


@pytest.mark.parametrize(
    ('camera', 'size', 'focal_length'),
    [(kitti_camera, (375, 1242), 721.5377), (nyud_camera, (480, 640), 518.8579)],
)
def test_the_horizontal_field_of_view_is_that_of_the_real_camera(camera, size, focal_length):
    assert camera(size).fx == focal_length
    half = camera((size[0] // 2, size[1] // 2))
    assert math.isclose(half.fx, focal_length / 2) and half.fy == half.fx


def test_the_principal_point_is_the_center_of_the_image():
    camera = kitti_camera((100, 201))
    assert (camera.width, camera.height) == (201, 100)
    assert (camera.cx, camera.cy) == (100.0, 49.5)
