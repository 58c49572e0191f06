"""Screen-space ambient occlusion from a depth image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def ambient_visibility(
    depth: NDArray, focal_length: float, reach: float = 0.45
) -> NDArray[np.float32]:
    """
    Return the share of ambient light that reaches each pixel, (H, W) float32 in 0..1.

    It is lower in corners. The rasterizer has no indirect light, so nearby surfaces in front of a
    point are taken as occluders (Bavoil and Sainz, Screen Space Ambient Occlusion, 2008).

    :param depth: (H, W) meters along the optical axis, NaN unknown.
    :param focal_length: fx = fy in pixels; the principal point is the center of the image.
    :param reach: largest distance of an occluder in meters.
    """
    height, width = depth.shape
    z = np.nan_to_num(depth, nan=30.0).astype(np.float32)
    v, u = np.mgrid[:height, :width].astype(np.float32)
    rays = np.stack([(u - (width - 1) / 2) / focal_length, (v - (height - 1) / 2) / focal_length,
                     np.ones_like(u)], -1)  # fmt: skip
    points = rays * z[..., None]
    normals = _normals(points)
    occlusion = np.zeros((height, width), np.float32)
    radius = np.clip(reach * focal_length / z, 2, width / 4)
    count = 0
    for ring, share in enumerate((0.15, 0.45, 1.0)):
        for angle in np.arange(6) * np.pi / 3 + ring * np.pi / 9:
            x = (u + np.float32(np.cos(angle) * share) * radius).astype(np.float32)
            y = (v + np.float32(np.sin(angle) * share) * radius).astype(np.float32)
            other = cv2.remap(points, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            offset = other - points
            distance = np.linalg.norm(offset, axis=-1) + 1e-4
            cosine = (offset * normals).sum(-1) / distance
            fade = np.clip(1 - (distance / (1.6 * reach)) ** 2, 0, 1)
            occlusion += np.clip(cosine - 0.12, 0, 1) * fade
            count += 1
    smooth = cv2.bilateralFilter(occlusion / count, 5, 0.15, 2 * width / 640 + 1)
    return np.asarray(np.clip(1 - 2.4 * smooth, 0, 1), np.float32)


def _normals(points: NDArray) -> NDArray[np.float32]:
    """Return the (H, W, 3) unit normals of (H, W, 3) points, toward the camera."""

    def step(axis: int) -> NDArray:
        # The nearer neighbor is more likely to be on the same surface.
        ahead = np.diff(points, axis=axis, append=np.take(points, [-1], axis))
        behind = np.roll(ahead, 1, axis)
        nearer = np.abs(ahead[..., 2:]) < np.abs(behind[..., 2:])
        return np.where(nearer, ahead, behind)

    normal = np.cross(step(0), step(1))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    facing = np.sign((normal * points).sum(-1, keepdims=True))
    return np.asarray(-normal * np.where(facing == 0, 1, facing), np.float32)
