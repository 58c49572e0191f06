"""Which image a node takes that is slower than its camera: by rule, in a model, and for real."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for

from hydranet_ros.ros.latest_image import FRESH_PERIODS, LATE_PERIODS, CameraPeriod, LatestImage
from hydranet_ros.ros.message_info import received_at

ME = (1,)
PERIOD = 1 / 30


def learnt(period: float = PERIOD, until: int = 4) -> CameraPeriod:
    """Return a rhythm that has heard ``until`` images, number n at n periods."""
    rhythm = CameraPeriod()
    for number in range(1, until + 1):
        rhythm.wait_time((ME, number), number * period, number * period)
    return rhythm


@pytest.mark.parametrize(
    ('waited', 'wait'),
    [(0.0, 0.0), (0.15, 0.0), (0.3, 1.2), (0.95, 0.55), (1.2, 0.3), (1.6, 0.0), (50.0, 0.0)],
)
def test_only_what_waited_more_than_a_sixth_and_is_not_late_is_passed_over(waited, wait):
    """In periods; after one and a half no next image seems to be coming."""
    found = learnt().wait_time((ME, 7), 7 * PERIOD, (7 + waited) * PERIOD)
    assert found == pytest.approx(wait * PERIOD, abs=1e-9)


def test_frames_that_were_left_out_do_not_lengthen_the_period():
    rhythm = CameraPeriod()
    for number in (1, 4, 8, 9, 15):
        rhythm.wait_time((ME, number), number * PERIOD, number * PERIOD)
    assert rhythm.wait_time((ME, 20), 20 * PERIOD, 20.5 * PERIOD) == pytest.approx(PERIOD)


@pytest.mark.parametrize(
    ('number', 'received'), [(None, 1.0), ((ME, 9), 0.0)], ids=['unnumbered', 'no time']
)
def test_what_the_middleware_does_not_tell_is_not_guessed(number, received):
    assert learnt().wait_time(number, received, received + 0.5 * PERIOD) == 0


def test_another_publisher_a_restart_and_a_clock_set_back_begin_anew():
    for number, received in (((2,), 5), 5.0), ((ME, 1), 5.0), ((ME, 5), 0.01):
        rhythm = learnt()
        assert rhythm.wait_time(number, received * PERIOD, (received + 0.5) * PERIOD) == 0


def simulate(work: float, share: float | None) -> tuple[list[float], float]:
    """
    Run a node that works ``work`` periods on an image, its camera sending one a period.

    :param share: of the real rule if ``None``, else the rule is: take whatever is there.
    :return: ages at the start of the work, and the mean age of the newest result; in periods.
    """
    rhythm, now, ages = CameraPeriod(), 10.0, []
    done: list[tuple[float, float]] = []
    while len(ages) < 300:
        number = int(now)
        wait = rhythm.wait_time((ME, number), float(number), now) if share is None else 0.0
        if wait:
            assert number + LATE_PERIODS - now == pytest.approx(wait)
            now = number + 1.0
            continue
        ages.append(now - number)
        now += work
        done.append((now, number))
        now = max(now, number + 1.0)
    spans = [(b - a, a - taken) for (a, taken), (b, _) in zip(done, done[1:])]
    whole = sum(length for length, _ in spans)
    return ages, sum(length * (age + length / 2) for length, age in spans) / whole


@settings(deadline=None)
@given(st.floats(1.05, 12))
def test_in_a_slow_node_no_image_has_waited_more_than_a_sixth_of_the_period(work):
    ages, _ = simulate(work, None)
    assert max(ages[5:]) <= FRESH_PERIODS + 1e-9


def test_the_newest_result_is_younger_on_average_than_without_waiting():
    """Over many speeds of the node; for one alone the phase of the two may be anything."""
    speeds = [2 + 0.0317 * index for index in range(100)]
    waiting = sum(simulate(work, None)[1] for work in speeds)
    taking = sum(simulate(work, 0.0)[1] for work in speeds)
    assert waiting < taking - 0.2 * len(speeds)


def taught(ros) -> tuple[LatestImage, list]:
    """Return what has heard an image a second, the last one a second and a half ago."""
    used: list = []
    freshest = LatestImage(ros.client, lambda image, number: used.append(image))
    begin = time.time() - 5.5
    for number in range(1, 5):
        freshest.receive(number, (ME, number), begin + number)
    assert used == [1, 2, 3, 4]
    return freshest, used


def test_an_image_that_is_held_is_used_when_no_newer_one_comes(ros):
    freshest, used = taught(ros)
    freshest.receive('old', (ME, 5), time.time() - 0.5)
    assert used[-1] == 4
    wait_for(lambda: used[-1] == 'old', what='the held image')


def test_a_newer_image_replaces_the_held_one(ros):
    freshest, used = taught(ros)
    freshest.receive('old', (ME, 5), time.time() - 0.5)
    freshest.receive('new', (ME, 6), time.time())
    assert used[4:] == ['new']
    time.sleep(1.2)
    assert used[4:] == ['new'], 'the held one is forgotten'


def test_an_image_that_came_while_the_node_was_free_is_used_however_late(ros):
    freshest, used = taught(ros)
    time.sleep(0.5)
    freshest.receive('late', (ME, 5), time.time() - 0.3)
    assert used[4:] == ['late'], 'it waited for the machine, not for the node'


def test_what_is_held_at_the_end_is_forgotten(ros):
    freshest, used = taught(ros)
    freshest.receive('old', (ME, 5), time.time() - 0.5)
    freshest.destroy()
    time.sleep(1.2)
    assert used == [1, 2, 3, 4]


def test_the_time_of_reception_is_read_from_what_each_release_gives():
    class Info:
        received_timestamp = 2_500_000_000

    assert received_at({'received_timestamp': 2_500_000_000}) == 2.5
    assert received_at(Info()) == 2.5
    assert received_at({}) == received_at(object()) == 0
