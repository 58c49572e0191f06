"""Generated streets: their contents, and the differences between kinds."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.streets.classes import ROAD, SKY
from hydranet_scenes.streets.generator import build_street


def test_a_street_shows_sky_road_and_most_other_classes(street_view):
    labels = street_view.frame.labels
    shares = np.bincount(labels.ravel(), minlength=256) / labels.size
    assert shares[SKY] > 0.05 and shares[ROAD] > 0.1
    assert (shares[:6] > 0).sum() >= 5
    assert shares[6:255].sum() == 0


def test_an_old_town_is_narrower_and_has_more_parked_cars(streets):
    """On average over the same seeds, because seeds differ more than kinds."""
    wide, narrow = ([streets(kind, seed) for seed in range(5)] for kind in ('streets', 'old_town'))
    assert np.mean([s.road_half_width for s in narrow]) < np.mean(
        [s.road_half_width for s in wide]
    )
    assert np.mean([len(s.parked) for s in narrow]) > np.mean([len(s.parked) for s in wide])
    on_sidewalk = [abs(car.y) > s.road_half_width - 0.6 for s in narrow for car in s.parked]
    assert 0.3 < np.mean(on_sidewalk) < 1


def test_the_same_seed_gives_the_same_scene(streets):
    first, second, other = streets('streets', 0), build_street(0), streets('streets', 1)
    options = {'size': (48, 64), 'shadow_map': 1024}
    assert first.xml(**options) == second.xml(**options) != other.xml(**options)
    assert first.builder.files == second.builder.files
