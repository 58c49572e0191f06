"""Frames are counted, gaps are drops, and the rate covers the last seconds."""

from __future__ import annotations

import pytest

from hydranet_ros.ros.frame_statistics import (
    HISTORY,
    RATE_WINDOW,
    Counters,
    FrameStatistics,
)

A, B, UNKNOWN = (1,), (2,), ()


def dropped(*numbers) -> int:
    """Return the drops counted for a sequence of message numbers."""
    statistics = FrameStatistics()
    for moment, number in enumerate(numbers):
        statistics.record_arrival(number, moment)
    assert statistics.counters.received == len(numbers)
    return statistics.counters.dropped


@pytest.mark.parametrize(
    ('numbers', 'expected'),
    [
        ([], 0),
        ([(A, 7)], 0),
        ([(A, 1), (A, 2), (A, 5)], 2),
        ([(A, 1), (A, 4), (A, 8)], 5),
        ([(A, 5), (A, 5), (A, 6)], 0),
        ([(A, 1000), (B, 1), (A, 1001), (B, 4)], 2),
        ([(A, 50), (A, 1), (A, 3)], 1),
        ([(A, 50), (A, 40), (A, 43)], 2),
        ([None, None], 0),
    ],
    ids=['none', 'first', 'gap', 'two gaps', 'repeated', 'two publishers', 'restart', 'back',
         'no numbers'],
)  # fmt: skip
def test_drops_are_the_gaps_in_the_numbers_of_each_publisher(numbers, expected):
    assert dropped(*numbers) == expected


@pytest.mark.parametrize(
    ('numbers', 'expected'),
    [
        ([1, 4], 2),
        ([1, 4, 5, 8], 4),
        ([50, 1, 3], 1),
        ([10, 12, 12, 14], 0),
        ([10, 1000, 11, 1001], 0),
        ([1, 3, 2, 9], 0),
        ([10, 1000, 11, 1001, 12, 1, 1500], 0),
    ],
    ids=['gap', 'two gaps', 'restart', 'repeated', 'two publishers', 'exchanged',
         'after two publishers'],
)  # fmt: skip
def test_gaps_of_unknown_publishers_count_until_there_are_several(numbers, expected):
    assert dropped(*((UNKNOWN, number) for number in numbers)) == expected


def test_gaps_of_known_publishers_count_beside_several_unknown_ones():
    numbers = [(UNKNOWN, 10), (UNKNOWN, 900), (A, 1), (UNKNOWN, 11), (A, 4)]
    assert dropped(*numbers) == 2


def test_counters_start_at_zero():
    counters = FrameStatistics().counters
    assert counters == Counters(received=0, published=0, idle=0, failed=0, dropped=0)


def test_an_arrival_is_counted_with_its_time():
    statistics = FrameStatistics()
    assert (statistics.last_arrival, statistics.last_error) == (0.0, '')
    statistics.record_arrival(None, 12.5)
    assert statistics.last_arrival == 12.5
    assert statistics.counters == Counters(received=1)


def test_a_published_frame_is_counted_with_its_age_and_time():
    statistics = FrameStatistics()
    statistics.record_frame(0.25, 12.5)
    assert list(statistics.ages) == [0.25]
    assert list(statistics.published_at) == [12.5]
    assert statistics.counters == Counters(published=1)


def test_only_the_last_frames_are_kept():
    statistics = FrameStatistics()
    for index in range(HISTORY + 3):
        statistics.record_frame(index, index)
    assert statistics.counters.published == HISTORY + 3
    for kept in (statistics.ages, statistics.published_at):
        assert list(kept) == list(range(3, HISTORY + 3))
    assert HISTORY == 100


def with_frames(*moments: float) -> FrameStatistics:
    statistics = FrameStatistics()
    for moment in moments:
        statistics.record_frame(0.0, moment)
    return statistics


def test_the_rate_is_frames_per_second():
    assert with_frames(*(0.5 * index for index in range(5))).rate(2.0) == 2.0
    assert with_frames(10.0, 10.25).rate(10.5) == 4.0
    assert with_frames(10.0, 10.25, 11.0).rate(11.0) == 2.0
    assert with_frames(10.0, 10.4).rate(10.5) == pytest.approx(2.5)


def test_the_rate_counts_only_frames_within_the_window():
    """At 1 Hz, then at 4 Hz: frames that are older than five seconds do not count."""
    statistics = with_frames(*range(20), *(20 + 0.25 * index for index in range(21)))
    assert statistics.rate(25.0) == 4.0
    assert with_frames(0.0, 1.0).rate(1.0 + RATE_WINDOW) == 0.0
    assert with_frames(0.0, 1.0, 2.0).rate(RATE_WINDOW) == 1.0
    assert with_frames(0.0, 1.0, 1.5).rate(RATE_WINDOW) == 2.0
    assert RATE_WINDOW == 5.0


@pytest.mark.parametrize('moments', [(), (1.0,), (1.0, 1.0)])
def test_without_two_moments_the_rate_is_zero(moments):
    assert with_frames(*moments).rate(1.5) == 0.0


def test_two_nodes_do_not_share_their_statistics():
    first, second = FrameStatistics(), FrameStatistics()
    first.record_arrival((A, 1), 1.0)
    first.record_frame(0.1, 1.0)
    assert second == FrameStatistics()
