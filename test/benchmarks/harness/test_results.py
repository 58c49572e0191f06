"""Ratios of interleaved series, and their table."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.harness.results import Series, pair_ratio, times_table
from hydranet_ros.errors import BenchError


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    """A disturbance that affects both variants of a round does not change its ratio."""
    slow = Series('slow', (2.0, 20.0, 2.0, 6.0))
    fast = Series('fast', (1.0, 10.0, 1.0, 3.0))
    ratio = pair_ratio(slow, fast)
    assert (ratio.median, ratio.p5, ratio.p95) == (2.0, 2.0, 2.0)
    assert (slow.median, slow.best) == (4.0, 2.0)
    assert slow.p95 == pytest.approx(np.percentile(slow.milliseconds, 95))


def test_a_ratio_of_series_of_different_lengths_is_an_error():
    with pytest.raises(BenchError, match='one interleaved run'):
        pair_ratio(Series('a', (1.0, 2.0)), Series('b', (1.0,)))


def test_a_table_shows_ratios_to_its_first_variant():
    table = times_table('t', {'a': Series('a', (2.0,)), 'b': Series('b', (5.0,))})
    assert [list(row) for row in table.rows] == [
        ['a', '2.00', '2.00', '1.00 (1.00..1.00)'], ['b', '5.00', '5.00', '2.50 (2.50..2.50)'],
    ]  # fmt: skip
