"""Organized clouds in the layout of PointCloud2."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import cv2
import numpy as np
import pytest

from hydranet_ros.camera.model import CameraModel, pixel_rays
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.perception.point_cloud import (
    POINT_DTYPE,
    POINT_FIELDS,
    POINT_STEP,
    PointCloud,
    PointCloudBuilder,
)

HEIGHT, WIDTH = 7, 11
CAMERA = CameraModel(WIDTH, HEIGHT, 9.0, 8.0, 5.0, 3.0)


def frame(height: int = HEIGHT, width: int = WIDTH, seed: int = 3) -> tuple:
    """Return image, labels and depth of random values with some unknown depth."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    labels = rng.integers(0, 256, (height, width)).astype(np.uint8)
    depth = rng.uniform(0, 80, (height, width)).astype(np.float32)
    depth[rng.random((height, width)) < 0.1] = np.nan
    return image, labels, depth


def expected(image, labels, depth, camera: CameraModel) -> np.ndarray:
    """Return the cloud of a whole image, one field after the other."""
    rays = pixel_rays(camera)
    want = np.empty(depth.shape, POINT_DTYPE)
    for axis, ray in (('x', rays[..., 0]), ('y', rays[..., 1])):
        want[axis] = cv2.multiply(np.ascontiguousarray(ray), depth)
    want['z'], want['label'] = depth, labels
    want['r'], want['g'], want['b'] = np.moveaxis(image, -1, 0)
    return want


def test_a_point_is_sixteen_bytes_with_color_and_label_where_rviz_reads_them():
    assert POINT_STEP == POINT_DTYPE.itemsize == 16
    offsets = {name: POINT_DTYPE.fields[name][1] for name in POINT_DTYPE.names}
    assert offsets == {'x': 0, 'y': 4, 'z': 8, 'b': 12, 'g': 13, 'r': 14, 'label': 15}


def test_the_fields_name_the_bytes_of_the_layout():
    assert [(item.name, item.offset, item.datatype) for item in POINT_FIELDS] == [
        ('x', 0, 7), ('y', 4, 7), ('z', 8, 7), ('rgb', 12, 7), ('label', 15, 2),
    ]  # fmt: skip


def test_a_point_is_its_ray_times_depth():
    image, labels, depth = frame()
    cloud = PointCloudBuilder().build(image, labels, depth, CAMERA).data
    row, column = 2, 9
    assert cloud['x'][row, column] == pytest.approx((column - 5.0) / 9.0 * depth[row, column])
    assert cloud['y'][row, column] == pytest.approx((row - 3.0) / 8.0 * depth[row, column])
    assert cloud['z'][row, column] == depth[row, column]


@pytest.mark.parametrize(('height', 'width'), [(1, 1), (3, 70_000), (129, 512), (375, 1242)])
def test_filling_strip_by_strip_equals_filling_at_once(height, width):
    """To the bit, with a strip left over, rows longer than a strip, and NaN."""
    image, labels, depth = frame(height, width)
    camera = CameraModel(width, height, 300.0, 310.0, width / 2, height / 2)
    builder = PointCloudBuilder()
    for _ in range(2):
        found = builder.build(image, labels, depth, camera).data
        assert found.tobytes() == expected(image, labels, depth, camera).tobytes()
    assert backing_array(found) is not None


@pytest.mark.parametrize('stride', [2, 3, 20])
def test_a_stride_takes_every_nth_pixel_from_the_first(stride):
    image, labels, depth = frame()
    whole = PointCloudBuilder().build(image, labels, depth, CAMERA).data
    part = PointCloudBuilder().build(image, labels, depth, CAMERA, stride=stride).data
    assert part.tobytes() == np.ascontiguousarray(whole[::stride, ::stride]).tobytes()


def test_without_labels_every_point_is_unlabeled():
    image, _, depth = frame()
    cloud = PointCloudBuilder().build(image, None, depth, CAMERA).data
    assert (cloud['label'] == 255).all() and np.isfinite(cloud['z']).any()


def test_unknown_depth_has_no_point():
    image, labels, depth = frame()
    cloud = PointCloudBuilder().build(image, labels, depth, CAMERA).data
    unknown = np.isnan(depth)
    for axis in 'xyz':
        np.testing.assert_array_equal(np.isnan(cloud[axis]), unknown)


def test_rays_are_computed_once_per_camera_and_stride(monkeypatch):
    calls = []

    def counted(camera: CameraModel, stride: int) -> np.ndarray:
        calls.append((camera.fx, stride))
        return pixel_rays(camera, stride)

    monkeypatch.setattr('hydranet_ros.perception.point_cloud.pixel_rays', counted)
    builder = PointCloudBuilder()
    builder.prepare(CAMERA)
    for stride in (1, 2, 1):
        builder.build(*frame(), CAMERA, stride=stride)
    assert calls == [(9.0, 1), (9.0, 2)]


def test_the_rays_of_the_last_four_cameras_are_kept(monkeypatch):
    calls = []

    def counted(camera: CameraModel, stride: int) -> np.ndarray:
        calls.append(camera.fx)
        return pixel_rays(camera, stride)

    monkeypatch.setattr('hydranet_ros.perception.point_cloud.pixel_rays', counted)
    builder = PointCloudBuilder()
    for fx in (1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0):
        builder.prepare(replace(CAMERA, fx=fx))
    assert calls == [1.0, 2.0, 3.0, 4.0, 5.0, 1.0]


def test_a_cloud_cannot_be_replaced():
    with pytest.raises(FrozenInstanceError):
        PointCloud(np.zeros((1, 1), POINT_DTYPE)).data = None
