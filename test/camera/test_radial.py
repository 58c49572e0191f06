"""Numerical helpers of the lens models."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.camera.radial import fold_radius


def test_a_growing_function_does_not_fold():
    assert fold_radius(lambda r: r, 3.0) == 3.0


def test_the_fold_is_where_the_function_has_its_maximum():
    assert fold_radius(lambda r: r * (1 - 0.5 * r * r), 2.0) == pytest.approx(0.8165, abs=2e-4)


def test_a_constant_or_undefined_function_folds_at_the_center():
    assert fold_radius(lambda r: np.zeros_like(r), 1.0) == 0.0
    assert fold_radius(lambda r: np.full_like(r, np.nan), 1.0) == 0.0
