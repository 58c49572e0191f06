"""Motion blur and sun glare."""

from __future__ import annotations

import numpy as np
import pytest
from adverse_tools import flat

from hydranet_ros.training.adverse import corrupt
from hydranet_ros.training.adverse.lens import line_kernel


@pytest.mark.parametrize('length', [1.0, 4.0, 13.0, 24.5])
@pytest.mark.parametrize('angle', [0.0, 0.4, -0.7])
def test_a_blur_kernel_has_sum_1_and_the_given_length_and_angle(length, angle) -> None:
    kernel = line_kernel(length, angle).astype(float)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    assert kernel.shape[0] % 2 == kernel.shape[1] % 2 == 1
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - (
        (np.array(kernel.shape) - 1) / 2
    ).reshape(2, 1, 1)
    assert (kernel * x).sum() == pytest.approx(0, abs=0.02)
    assert (kernel * y).sum() == pytest.approx(0, abs=0.02)
    along = x * np.cos(angle) - y * np.sin(angle)  # rows count downward
    across = x * np.sin(angle) + y * np.cos(angle)
    # The variance of a line is length squared / 12; bilinear weights add less than 1/3.
    assert (kernel * along**2).sum() == pytest.approx((length - 1) ** 2 / 12, rel=0.1, abs=0.4)
    assert (kernel * across**2).sum() < 0.4


def test_glare_saturates_a_part_and_veils_the_rest() -> None:
    image = flat(60, 180, 240)
    for seed in range(5):
        seen = corrupt(image, 'glare', 4, np.random.default_rng(seed)).astype(float)
        assert (seen[..., 0] == 255).mean() > 0.005
        assert seen[-20:].mean() > 70
