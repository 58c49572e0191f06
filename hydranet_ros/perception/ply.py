"""Clouds as PLY files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hydranet_ros.images.files import write_bytes
from hydranet_ros.perception.point_cloud import PointCloud

_PLY = np.dtype([
    ('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('red', 'u1'), ('green', 'u1'), ('blue', 'u1'),
    ('label', 'u1'),
])  # fmt: skip
_NAMES = {'f4': 'float', 'u1': 'uchar'}


def write_ply(path: Path, cloud: PointCloud) -> int:
    """
    Write a cloud's points as binary PLY and return how many there are.

    x, y, z in metres in the camera's optical frame, colour, and the class id as ``label``.

    :raises MediaError: if the file cannot be written.
    """
    data = cloud.data.ravel()
    data = data[np.isfinite(data['z'])]
    points = np.empty(data.size, _PLY)
    for own, name in zip(_PLY.names or (), ('x', 'y', 'z', 'r', 'g', 'b', 'label')):
        points[own] = data[name]
    properties = ''.join(
        f'property {_NAMES[_PLY[name].str[1:]]} {name}\n' for name in _PLY.names or ()
    )
    header = (
        f'ply\nformat binary_little_endian 1.0\ncomment metres, optical frame (x right, y down, '
        f'z ahead)\nelement vertex {points.size}\n{properties}end_header\n'
    )
    write_bytes(path, header.encode() + points.tobytes())
    return int(points.size)
