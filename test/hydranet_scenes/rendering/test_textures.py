"""Noise and colors of procedural textures."""

from __future__ import annotations

import cv2
import numpy as np

from hydranet_scenes.rendering.textures import encode_png, noise, tinted, to_uint8


def test_noise_has_the_requested_size_and_stays_within_one():
    values = noise(np.random.default_rng(0), (40, 60))
    assert values.shape == (40, 60) and values.dtype == np.float32
    assert np.isclose(np.abs(values).max(), 1.0)


def test_a_tinted_surface_has_the_mean_color():
    surface = tinted(np.random.default_rng(0), (256, 256), (40, 80, 120), 0.05)
    assert np.allclose(surface.mean((0, 1)), (40, 80, 120), rtol=0.05)


def test_values_outside_of_a_byte_are_clipped():
    assert to_uint8(np.array([-3.0, 12.9, 300.0])).tolist() == [0, 12, 255]


def test_png_keeps_the_rgb_values():
    texture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    decoded = cv2.imdecode(np.frombuffer(encode_png(texture), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decoded[..., ::-1], texture)
