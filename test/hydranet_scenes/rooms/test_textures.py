"""Textures of rooms."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.rooms import printed_textures, textures


@pytest.mark.parametrize(
    'draw',
    [textures.wood, textures.planks, textures.tiles, textures.carpet, textures.plaster,
     textures.fabric, textures.rug, textures.stone, textures.cardboard, printed_textures.picture,
     printed_textures.screen, printed_textures.paper, printed_textures.whiteboard,
     printed_textures.book_spine],
)  # fmt: skip
def test_a_texture_depends_on_the_seed_only(draw):
    first, second, other = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.uint8 and first.shape[2] == 3
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_a_window_view_is_darker_at_night():
    day, night = (
        printed_textures.window_view(np.random.default_rng(0), brightness).mean()
        for brightness in (1.0, 0.06)
    )
    assert night < 0.1 * day


def test_colors_are_bytes():
    rng = np.random.default_rng(0)
    colors = np.array([textures.random_color(rng) for _ in range(50)])
    assert colors.shape == (50, 3) and colors.min() >= 0 and colors.max() <= 255
