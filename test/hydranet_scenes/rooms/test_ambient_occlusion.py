"""Ambient occlusion from depth."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms.ambient_occlusion import ambient_visibility


def test_a_flat_wall_is_not_occluded():
    depth = np.full((60, 80), 2.0, np.float32)
    assert ambient_visibility(depth, 70.0)[5:-5, 5:-5].min() > 0.95


def test_a_corner_is_darker_than_its_walls():
    u = (np.arange(80) - 39.5) / 70.0
    depth = np.broadcast_to(3 / (1 + np.abs(u)), (60, 80)).astype(np.float32)
    visibility = ambient_visibility(depth, 70.0)
    assert visibility[30, 38:42].max() < 0.85 < visibility[30, 10]
