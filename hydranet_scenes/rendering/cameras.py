"""The cameras of KITTI and NYUDv2, scaled to any image size."""

from __future__ import annotations

from hydranet_ros.camera.model import CameraModel

KITTI_FOCAL_LENGTH, KITTI_WIDTH = 721.5377, 1242
NYUD_FOCAL_LENGTH, NYUD_WIDTH = 518.8579, 640


def kitti_camera(size: tuple[int, int]) -> CameraModel:
    """Return KITTI's camera for an image of (height, width), with KITTI's horizontal FOV."""
    return _centered_camera(size, KITTI_FOCAL_LENGTH * size[1] / KITTI_WIDTH)


def nyud_camera(size: tuple[int, int]) -> CameraModel:
    """Return NYUDv2's camera for an image of (height, width), with NYUDv2's horizontal FOV."""
    return _centered_camera(size, NYUD_FOCAL_LENGTH * size[1] / NYUD_WIDTH)


def _centered_camera(size: tuple[int, int], focal_length: float) -> CameraModel:
    """Return a camera whose principal point is the center of the image."""
    height, width = size
    return CameraModel(
        width, height, focal_length, focal_length, (width - 1) / 2, (height - 1) / 2
    )
