"""The layout of a street image: the empty street, and filled depth."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.training.adverse.layout import (
    StreetCamera,
    default_camera,
    fill_depth,
    street_depth,
)


def test_gaps_of_sparse_depth_and_of_rooms_are_filled_from_their_surroundings() -> None:
    rng = np.random.default_rng(0)
    camera = default_camera(120, 160)
    empty = street_depth((120, 160), camera)
    truth = np.repeat(np.linspace(60, 30, 160, dtype=np.float32)[None], 120, 0)
    sparse = np.where(rng.random(truth.shape) < 0.05, truth, 0).astype(np.float32)
    filled = fill_depth(sparse, empty, camera.horizon)
    assert (filled > 0).all()
    assert np.abs(filled / truth - 1).mean() < 0.05
    room = np.where(rng.random(truth.shape) < 0.7, truth / 10, 0).astype(np.float32)
    assert fill_depth(room, empty, camera.horizon).max() < 6.5
    assert np.array_equal(fill_depth(np.zeros_like(room), empty, 60), empty)


def test_the_empty_street_is_flat_ground_between_walls_below_a_far_sky() -> None:
    camera = StreetCamera(vanishing_x=200.0, horizon=100.0, focal_length=400.0)
    depth = street_depth((240, 400), camera)
    for row in (160, 200, 230):  # 1.5 m above ground
        assert depth[row, 200] == pytest.approx(400 * 1.5 / (row + 0.5 - 100), rel=0.1)
    assert depth[100, 390] == pytest.approx(400 * 10 / 190, rel=0.1)
    assert depth[10, 200] > 200
    lower = street_depth((240, 400), StreetCamera(200.0, 148.0, 400.0))
    assert np.allclose(lower[112:176], depth[64:128], rtol=0.05)
