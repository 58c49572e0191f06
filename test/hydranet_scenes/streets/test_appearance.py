"""Photos of rendered streets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hydranet_scenes.streets.appearance import (
    StreetAppearance,
    mild_appearance,
    varied_appearance,
)
from hydranet_scenes.streets.classes import SKY


@pytest.mark.parametrize('params', [mild_appearance, varied_appearance])
def test_a_photo_has_the_size_of_the_frame_and_depends_on_the_seed_only(street_view, params):
    def photo_of(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return StreetAppearance(rng, params(rng)).apply(street_view.frame)

    photo = photo_of(3)
    assert photo.shape == street_view.frame.image.shape and photo.dtype == np.uint8
    assert np.array_equal(photo, photo_of(3))
    assert not np.array_equal(photo, photo_of(4))
    assert photo.std() > 5


def test_haze_brightens_distant_surfaces(street_view):
    frame = street_view.frame
    rng = np.random.default_rng(0)
    params = replace(mild_appearance(rng), noise=0.0, vignette=0.0)
    clear, hazy = (
        StreetAppearance(np.random.default_rng(1), replace(params, haze=haze)).apply(frame)
        for haze in (0.0, 0.03)
    )
    change = hazy.mean(-1) - clear.mean(-1)
    surface = frame.labels != SKY
    near, far = surface & (frame.depth < 6), surface & (frame.depth > 25)
    assert change[far].mean() > change[near].mean() + 5
