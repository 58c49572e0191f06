"""Textures of streets."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.streets import textures
from hydranet_scenes.streets.facades import facade


@pytest.mark.parametrize(
    'draw', [textures.crosswalk, textures.paving, textures.grass, textures.leaves, textures.roof]
)
def test_a_texture_depends_on_the_seed_only(draw):
    first, second, other = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.uint8 and first.shape[2] == 3
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_lane_markings_are_brighter_than_asphalt():
    """The divider of two lanes is in the middle row."""
    plain, marked = (
        textures.asphalt(np.random.default_rng(0), lanes=2, markings=markings)
        for markings in (False, True)
    )
    row = slice(254, 258)
    assert marked[row, :100].mean() > plain[row, :100].mean() + 20


def test_a_facade_has_two_upper_stories_and_a_ground_floor():
    walls = facade(np.random.default_rng(0))
    assert walls.upper.shape[0] == 2 * walls.ground.shape[0]
    assert all(0 <= value <= 1 for value in walls.color)
