"""Point clouds as PLY files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hydranet_ros.errors import MediaError
from hydranet_ros.perception.ply import write_ply
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud


@pytest.fixture
def cloud() -> PointCloud:
    points = np.zeros((2, 3), POINT_DTYPE)
    points['x'] = np.arange(6).reshape(2, 3)
    points['y'], points['z'] = -1.5, 4.0
    points['r'], points['g'], points['b'], points['label'] = 10, 20, 30, 5
    points['z'][0, 1] = points['z'][1, 2] = np.nan
    return PointCloud(points)


def test_the_header_describes_the_vertices(tmp_path: Path, cloud):
    assert write_ply(tmp_path / 'a.ply', cloud) == 4
    header, mark, _ = (tmp_path / 'a.ply').read_bytes().partition(b'end_header\n')
    assert mark
    assert header.decode().splitlines() == [
        'ply', 'format binary_little_endian 1.0',
        'comment meters, optical frame (x right, y down, z forward)', 'element vertex 4',
        'property float x', 'property float y', 'property float z', 'property uchar red',
        'property uchar green', 'property uchar blue', 'property uchar label',
    ]  # fmt: skip


def test_known_points_are_written_in_order_with_color_and_label(tmp_path: Path, cloud):
    write_ply(tmp_path / 'a.ply', cloud)
    body = (tmp_path / 'a.ply').read_bytes().partition(b'end_header\n')[2]
    names = ('red', 'green', 'blue', 'label')
    vertex = np.dtype([*((axis, '<f4') for axis in 'xyz'), *((name, 'u1') for name in names)])
    found = np.frombuffer(body, vertex)
    np.testing.assert_array_equal(found['x'], [0, 2, 3, 4])
    assert (found['y'] == -1.5).all() and (found['z'] == 4.0).all()
    assert [set(found[name]) for name in names] == [{10}, {20}, {30}, {5}]


def test_a_cloud_without_points_is_a_valid_file(tmp_path: Path):
    points = np.zeros((1, 2), POINT_DTYPE)
    points['z'] = np.nan
    assert write_ply(tmp_path / 'a.ply', PointCloud(points)) == 0
    assert (tmp_path / 'a.ply').read_bytes().endswith(b'end_header\n')


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, cloud):
    with pytest.raises(MediaError, match='a.ply cannot be written'):
        write_ply(tmp_path / 'none' / 'a.ply', cloud)
