"""Fog, rain and snow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from adverse_tools import flat, street

from hydranet_ros.training.adverse import SEVERITIES, StreetCamera, corrupt


@pytest.mark.parametrize('severity', SEVERITIES)
def test_fog_follows_the_law_of_koschmieder(severity: int) -> None:
    """The extinction is within a fifth of its mean, and equal at equal depth."""
    extinction = (0.013, 0.02, 0.03, 0.045, 0.07)[severity - 1]
    depth = np.full((120, 160), 1e6, np.float32)  # only airlight
    depth[:, :60], depth[:, 60:120] = 10, 25
    seen = corrupt(flat(20), 'fog', severity, np.random.default_rng(1), depth).astype(float)
    airlight = seen[:, 130:].mean()
    assert seen[:, 130:].std(axis=(0, 1)).max() < 1
    for column, meters in ((30, 10), (90, 25)):
        left = (airlight - seen[:, column]) / (airlight - 20)
        found = -np.log(left).mean(-1) / meters
        assert 0.75 * extinction < found.min() and found.max() < 1.25 * extinction


def test_unknown_depth_is_far_above_the_horizon_and_near_below() -> None:
    depth = np.full((120, 160), 40, np.float32)
    depth[:30] = 0  # sky has no depth in scenes and KITTI
    depth[110:] = 0  # the hood of the car
    seen = corrupt(flat(20), 'fog', 3, np.random.default_rng(1), depth).astype(float)
    assert seen[:28].mean() > seen[40:100].mean() + 20
    assert seen[113:].mean() < seen[40:100].mean() - 20


def test_without_depth_fog_is_densest_at_the_vanishing_point() -> None:
    """In a crop the vanishing point is not at the center."""
    camera = StreetCamera(vanishing_x=40.0, horizon=30.0, focal_length=160.0)
    seen = corrupt(flat(20), 'fog', 2, np.random.default_rng(0), camera=camera).astype(float)
    assert seen[25:35, 35:45].mean() > seen[25:35, 120:].mean() + 30
    assert seen[25:35, 35:45].mean() > seen[100:, 35:45].mean() + 30


@pytest.mark.parametrize('name', ['rain', 'snow', 'motion_blur'])
def test_the_effect_is_independent_of_the_image_size(name: str) -> None:
    """At twice the size the same severity changes the image as much, within half an octave."""
    small = cv2.GaussianBlur(street(180, 240), (0, 0), 1)
    large = cv2.resize(small, (480, 360), interpolation=cv2.INTER_CUBIC)

    def lost(image: np.ndarray) -> float:
        views = [corrupt(image, name, 3, np.random.default_rng(seed)) for seed in range(4)]
        return float(np.mean([cv2.absdiff(view, image).mean() for view in views]))

    assert 0.7 < lost(large) / lost(small) < 1.4
