"""Point clouds as PLY files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hydranet_ros.images.files import write_file
from hydranet_ros.perception.point_cloud import POINT_DTYPE, PointCloud

# PLY's names of the fields of a point, in the order that simple readers expect.
_FIELDS = {
    'x': 'x', 'y': 'y', 'z': 'z', 'red': 'r', 'green': 'g', 'blue': 'b', 'label': 'label',
}  # fmt: skip
_VERTEX = np.dtype([(name, POINT_DTYPE[field]) for name, field in _FIELDS.items()])
_TYPES = {'<f4': 'float', '|u1': 'uchar'}
_PROPERTIES = ''.join(f'property {_TYPES[_VERTEX[name].str]} {name}\n' for name in _FIELDS)


def write_ply(path: Path, cloud: PointCloud) -> int:
    """
    Write the points of a cloud as binary PLY and return their number.

    x, y, z are meters in the optical frame of the camera; ``label`` is the class id.

    :raises MediaError: if the file cannot be written.
    """
    points = cloud.data.ravel()
    points = points[np.isfinite(points['z'])]
    vertices = np.empty(points.size, _VERTEX)
    for name, field in _FIELDS.items():
        vertices[name] = points[field]
    header = (
        'ply\nformat binary_little_endian 1.0\n'
        'comment meters, optical frame (x right, y down, z forward)\n'
        f'element vertex {points.size}\n{_PROPERTIES}end_header\n'
    )
    write_file(path, header.encode() + vertices.tobytes())
    return int(points.size)
