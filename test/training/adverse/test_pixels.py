"""Pixel operations of the corruptions."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.training.adverse.pixels import (
    bright_level,
    mix,
    normal_noise,
    quarter_grid,
    smooth_field,
    to_bytes,
)


def test_noise_has_mean_0_and_standard_deviation_1_and_is_reproducible() -> None:
    noise = normal_noise((300, 300, 3), np.random.default_rng(0))
    assert noise.shape == (300, 300, 3)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert np.array_equal(noise, normal_noise((300, 300, 3), np.random.default_rng(0)))


def test_a_random_field_is_smooth_and_within_0_and_1() -> None:
    field = smooth_field((60, 80), (3, 4), np.random.default_rng(0))
    assert field.shape == (60, 80)
    assert 0 <= field.min() < field.max() <= 1
    assert np.abs(np.diff(field, axis=1)).max() < 0.1


def test_the_quarter_grid_has_the_centers_of_the_small_pixels() -> None:
    rows, columns = quarter_grid(8, 10)
    assert rows[:, 0].tolist() == [1.5, 5.5]
    np.testing.assert_allclose(columns[0], (np.arange(3) + 0.5) * 10 / 3 - 0.5, rtol=1e-6)


def test_mix_blends_by_weight() -> None:
    image = np.full((2, 2, 3), 100, np.uint8)
    weight = np.array([[0, 0.5], [1, 0.25]], np.float32)
    found = mix(image, (200.0, 0.0, 100.0), weight)
    assert found[0, 1].tolist() == [150, 50, 100]
    assert found[1, 0].tolist() == [200, 0, 100]
    assert found[0, 0].tolist() == [100, 100, 100]


def test_bytes_are_rounded_and_saturated() -> None:
    values = np.array([[-4, 1.4, 1.6, 300]], np.float32)
    assert to_bytes(values).tolist() == [[0, 1, 2, 255]]


def test_the_bright_level_is_that_of_the_brightest_tenth() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    assert bright_level(image) == 0
    image[:60] = 200
    assert bright_level(image) == pytest.approx(200)
