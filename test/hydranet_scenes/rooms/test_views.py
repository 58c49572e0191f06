"""Poses of handheld cameras."""

from __future__ import annotations

import numpy as np
from scene_views import cast_ray

from hydranet_scenes.rooms.views import sample_handheld_pose


def test_a_handheld_camera_is_never_inside_or_close_to_furniture(room_view):
    """Rays in all directions find nothing within 15 cm."""
    rng = np.random.default_rng(3)
    directions = np.random.default_rng(4).standard_normal((60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sampled = (sample_handheld_pose(rng, room_view.room) for _ in range(4))
    for pose in (*room_view.poses, *sampled):
        assert 1.0 <= pose.z <= 1.8 and room_view.room.is_free(pose.x, pose.y, pose.z)
        start = np.array([pose.x, pose.y, pose.z])
        for direction in directions:
            assert cast_ray(room_view.renderer, start, direction)[1] > 0.15
