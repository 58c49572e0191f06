"""Results of variants are compared before their times."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.harness.agreement import assert_agree
from hydranet_ros.errors import BenchError

REFERENCE = np.array([[100.0, -50.0]], np.float32)


def test_the_largest_relative_difference_is_returned():
    small = REFERENCE + np.float32(0.0005)
    assert assert_agree('x', small, REFERENCE) == pytest.approx(5e-6, rel=0.05)


def test_different_results_are_an_error():
    with pytest.raises(BenchError, match=r'2\.5e-05 \(root mean square\), 2\.0e-05 \(maximum\)'):
        assert_agree('x', REFERENCE + np.float32(0.002), REFERENCE)


def test_one_different_value_of_many_is_an_error():
    many = np.ones(10_000, np.float32)
    one_wrong = many.copy()
    one_wrong[7] += np.float32(2e-4)
    with pytest.raises(BenchError, match=r'2\.0e-04 \(maximum\)'):
        assert_agree('x', one_wrong, many)


def test_another_shape_is_an_error():
    with pytest.raises(BenchError, match='shape'):
        assert_agree('x', REFERENCE[:, :1], REFERENCE)


def test_values_that_are_not_finite_are_an_error():
    with pytest.raises(BenchError, match='nan'):
        assert_agree('x', REFERENCE * np.float32('nan'), REFERENCE)
