"""Check that two variants compute the same result before their times are compared."""

from __future__ import annotations

import numpy as np

from hydranet_ros.errors import BenchError


def assert_agree(
    name: str, got: np.ndarray, reference: np.ndarray, tolerance: float = 1e-5
) -> float:
    """
    Return the largest difference from the reference, relative to its largest value.

    Two libraries that sum the same products in another order differ by about 1e-6 on average and
    by 1e-5 in the worst of 100,000 values, so both are bounded.

    :param name: name of the variant, for the message.
    :param tolerance: limit of the root mean square difference, relative to the reference's root
        mean square; the largest difference may be ten times that.
    :raises BenchError: if shapes differ, values are not finite, or the difference is larger.
    """
    if got.shape != reference.shape:
        raise BenchError(f'{name}: shape {got.shape}; the reference has {reference.shape}.')
    expected = reference.astype(np.float64)
    difference = got - expected
    mean = _rms(difference) / (_rms(expected) or 1.0)
    worst = float(np.abs(difference).max()) / (float(np.abs(expected).max()) or 1.0)
    if not (mean <= tolerance and worst <= 10 * tolerance):
        raise BenchError(
            f'{name}: relative difference {mean:.1e} (root mean square), {worst:.1e} (maximum); '
            f'allowed: {tolerance:.0e} and {10 * tolerance:.0e}. Times of variants with different '
            'results are not comparable.'
        )
    return worst


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
