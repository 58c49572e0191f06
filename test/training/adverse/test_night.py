"""Night: darkness and photon noise."""

from __future__ import annotations

import numpy as np
import pytest
from adverse_tools import flat

from hydranet_ros.training.adverse import corrupt


def test_the_variance_of_the_noise_grows_linearly_with_the_light() -> None:
    image = flat(60, 200, 200)
    image[:, 100:] = 220
    rng = np.random.default_rng(0)
    seen = [corrupt(image, 'night', 2, rng).astype(float) for _ in range(8)]
    dark, bright = (
        np.mean([np.diff(view[120:, part, 1], axis=0).var() / 2 for view in seen])
        for part in (slice(0, 90), slice(110, 200))
    )
    level = np.mean([view[120:, 110:, 1].mean() - view[120:, :90, 1].mean() for view in seen])
    assert bright - dark == pytest.approx(level * 255 / 350, rel=0.3)


def test_night_is_dark_and_darkest_in_the_sky() -> None:
    seen = corrupt(flat(200), 'night', 3, np.random.default_rng(0)).astype(float)
    assert seen.mean() < 90
    assert np.median(seen[:30]) < np.median(seen[110:])
