"""Messages are due at their original times, divided by the rate; the clock ticks meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from steady_time import SteadyTime

from hydranet_ros.ros import pacing as module
from hydranet_ros.ros.pacing import Pacer

SECOND = 10**9
BEGIN = 1_700_000_000 * SECOND


@pytest.fixture
def time(monkeypatch) -> SteadyTime:
    made = SteadyTime()
    monkeypatch.setattr(module, 'time', made)
    return made


@pytest.fixture
def ticks() -> list[int]:
    return []


def wait(pacer: Pacer, *seconds: float) -> None:
    for second in seconds:
        pacer.wait_until(BEGIN + round(second * SECOND))


@pytest.mark.parametrize(
    ('rate', 'expected'), [(1.0, [0.0, 0.4, 2.0]), (4.0, [0.0, 0.1, 0.5]), (0.5, [0.0, 0.8, 4.0])]
)
def test_the_original_timing_is_kept_divided_by_the_rate(time, rate, expected):
    pacer = Pacer(rate, 0.0, pytest.fail, lambda: True)
    found = []
    for second in (0.0, 0.4, 2.0):
        wait(pacer, second)
        found.append(time.now - 50.0)
    assert found == pytest.approx(expected, abs=1e-6)


def test_no_pause_is_longer_than_a_tenth_of_a_second(time):
    wait(Pacer(1.0, 0.0, pytest.fail, lambda: True), 0.0, 10.05)
    assert max(time.pauses) == 0.1
    assert len(time.pauses) == pytest.approx(101, abs=1)


def test_the_last_pause_ends_with_the_message(time):
    wait(Pacer(1.0, 0.0, pytest.fail, lambda: True), 0.0, 0.25)
    assert time.pauses == pytest.approx([0.1, 0.1, 0.05])


def test_the_clock_starts_with_the_first_message(time):
    pacer = Pacer(1.0, 0.0, pytest.fail, lambda: True)
    time.now += 7.0
    wait(pacer, 3.0)
    assert time.now == 57.0


def test_a_late_message_is_due_at_once(time):
    pacer = Pacer(1.0, 0.0, pytest.fail, lambda: True)
    wait(pacer, 0.0)
    time.now += 5.0
    wait(pacer, 1.0, 5.0)
    assert time.pauses == []
    wait(pacer, 6.0)
    assert time.now == pytest.approx(56.0)


def test_without_a_rate_nothing_is_waited_for(time):
    wait(Pacer(0.0, 0.0, pytest.fail, lambda: True), 0.0, 100.0)
    assert time.pauses == []


def test_a_stop_ends_the_waiting(time):
    wait(Pacer(1.0, 0.0, pytest.fail, lambda: time.now < 50.3), 0.0, 9.0)
    assert time.now == pytest.approx(50.3, abs=0.11)
    pauses = len(time.pauses)
    wait(Pacer(1.0, 0.0, pytest.fail, lambda: False), 0.0, 9.0)
    assert len(time.pauses) == pauses


@pytest.mark.parametrize('rate', [0.5, 1.0, 4.0])
def test_the_clock_ticks_at_its_rate_in_the_time_of_the_source(time, ticks, rate):
    wait(Pacer(rate, 10.0, ticks.append, lambda: True), 0.0, 2.0)
    assert ticks[0] == BEGIN
    gaps = np.diff(ticks)
    assert gaps.min() >= SECOND // 10
    assert gaps.max() <= 1.25 * SECOND / 10 + 1000
    assert BEGIN + 1.8 * SECOND < ticks[-1] <= BEGIN + 2 * SECOND
    assert time.now == pytest.approx(50.0 + 2.0 / rate)


def test_four_pauses_make_a_tick(time, ticks):
    wait(Pacer(2.0, 10.0, ticks.append, lambda: True), 0.0, 1.0)
    assert time.pauses[0] == pytest.approx(0.0125)


def test_without_a_rate_the_clock_jumps_with_the_messages(time, ticks):
    pacer = Pacer(0.0, 10.0, ticks.append, lambda: True)
    wait(pacer, 0.0, 0.05, 0.1, 0.5)
    expected = [0, SECOND // 10, SECOND // 2]
    assert [tick - BEGIN for tick in ticks] == expected
    assert pacer._pause == pytest.approx(0.025)
