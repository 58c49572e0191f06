"""Fresh images are processed, waiting ones are replaced: by rule, in a simulation, in rclpy."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import wait_for

from hydranet_ros.ros import latest_image as module
from hydranet_ros.ros.latest_image import (
    FRESH_PERIODS,
    LATE_PERIODS,
    CameraPeriod,
    LatestImage,
)

CAMERA = (1,)
PERIOD = 1 / 30


def trained(period: float = PERIOD, count: int = 4) -> CameraPeriod:
    """Return an estimate after ``count`` images; number n arrived after n periods."""
    estimate = CameraPeriod()
    for number in range(1, count + 1):
        estimate.wait_time((CAMERA, number), number * period, number * period)
    return estimate


def test_an_image_is_fresh_for_a_sixth_of_the_period_and_the_next_late_after_one_and_a_half():
    assert (FRESH_PERIODS, LATE_PERIODS) == (1 / 6, 1.5)


@pytest.mark.parametrize(
    ('waited', 'wait'),
    [(0.0, 0.0), (0.15, 0.0), (0.18, 1.32), (0.3, 1.2), (0.95, 0.55), (1.2, 0.3), (1.49, 0.01),
     (1.51, 0.0), (1.6, 0.0), (50.0, 0.0)],
)  # fmt: skip
def test_only_an_image_that_has_waited_and_is_not_late_waits_for_the_next(waited, wait):
    """All times are in periods."""
    found = trained().wait_time((CAMERA, 7), 7 * PERIOD, (7 + waited) * PERIOD)
    assert found == pytest.approx(wait * PERIOD, abs=1e-9)


@pytest.mark.parametrize('waited', [2.0, 18.0])
def test_the_limits_belong_to_the_images_that_do_not_wait(waited):
    """With a period of 12 s the limits are 2 s and 18 s."""
    assert trained(12.0).wait_time((CAMERA, 5), 60.0, 60.0 + waited) == 0.0


def test_dropped_images_do_not_lengthen_the_period():
    estimate = CameraPeriod()
    for number in (1, 4, 8, 9, 15):
        estimate.wait_time((CAMERA, number), number * PERIOD, number * PERIOD)
    found = estimate.wait_time((CAMERA, 20), 20 * PERIOD, 20.5 * PERIOD)
    assert found == pytest.approx(PERIOD)


def test_the_period_is_the_median_of_the_last_five():
    estimate = CameraPeriod()
    moment = 1.0
    for number, gap in enumerate([9.0, 9.0, 9.0, 1.0, 1.0, 5.0, 1.0, 30.0]):
        estimate.wait_time((CAMERA, number), moment, moment)
        moment += gap
    estimate.wait_time((CAMERA, 8), moment, moment)
    found = estimate.wait_time((CAMERA, 9), moment + 1.0, moment + 1.5)
    assert found == pytest.approx(1.0), 'the last five gaps are 1, 5, 1, 30, 1'


def test_the_first_image_never_waits():
    estimate = CameraPeriod()
    assert estimate.wait_time((CAMERA, 1), 1.0, 1.4) == 0.0
    assert estimate.wait_time((CAMERA, 2), 2.0, 2.4) == pytest.approx(1.1)


@pytest.mark.parametrize(
    ('number', 'received'), [(None, 1.0), ((CAMERA, 9), 0.0), ((CAMERA, 9), -1.0)]
)
def test_without_a_number_or_an_arrival_time_there_is_no_wait(number, received):
    assert trained().wait_time(number, received, received + 0.5 * PERIOD) == 0.0


@pytest.mark.parametrize(
    ('number', 'received'),
    [(((2,), 5), 5.0), ((CAMERA, 1), 5.0), ((CAMERA, 4), 5.0), ((CAMERA, 5), 0.01),
     ((CAMERA, 5), 4.0)],
    ids=['publisher', 'restart', 'repeated', 'clock set back', 'same time'],
)  # fmt: skip
def test_the_estimate_restarts_when_numbers_or_times_do_not_increase(number, received):
    estimate = trained()
    assert estimate.wait_time(number, received * PERIOD, (received + 0.5) * PERIOD) == 0.0
    after = (number[0], number[1] + 1)
    moment = (received + 1) * PERIOD
    assert estimate.wait_time(after, moment, moment + 0.5 * PERIOD) == pytest.approx(PERIOD)


def simulate(work: float, fresh_only: bool) -> tuple[list[float], float]:
    """
    Run a node that processes an image in ``work`` periods, while its camera sends one a period.

    :param fresh_only: use the rule; otherwise every waiting image is processed.
    :return: ages at the start of processing, and the mean age of the newest result, in periods.
    """
    estimate, now, ages = CameraPeriod(), 10.0, []
    done: list[tuple[float, float]] = []
    while len(ages) < 300:
        number = int(now)
        wait = estimate.wait_time((CAMERA, number), float(number), now) if fresh_only else 0.0
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
def test_a_slow_node_processes_no_image_that_has_waited_more_than_a_sixth_of_the_period(work):
    ages, _ = simulate(work, fresh_only=True)
    assert max(ages[5:]) <= FRESH_PERIODS + 1e-9


def test_the_newest_result_is_younger_on_average_than_without_waiting():
    """Averaged over many speeds of the node; a single one may have any phase."""
    speeds = [2 + 0.0317 * index for index in range(100)]
    waiting = sum(simulate(work, fresh_only=True)[1] for work in speeds)
    taking = sum(simulate(work, fresh_only=False)[1] for work in speeds)
    assert waiting < taking - 0.2 * len(speeds)


class Clock:
    """The system clock, which the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, 'time', SimpleNamespace(time=made.time))
    return made


@pytest.fixture
def busy(ros, clock):
    """
    Return a policy that has processed an image a second, number 4 until 0.9 s after it arrived.

    The next image, number 5, arrives 0.1 s before that.
    """
    processed: list = []

    def process(message, number) -> None:
        processed.append((message, number))
        clock.now += 0.9

    latest = LatestImage(ros.client, process)
    for number in range(1, 5):
        clock.now = 100.0 + number
        latest.receive(number, (CAMERA, number), clock.now)
    assert [message for message, _ in processed] == [1, 2, 3, 4]
    processed.clear()
    clock.now = 105.3
    latest._idle_since = 105.3
    return latest, processed


def test_a_fresh_image_is_processed_with_its_number(busy):
    latest, processed = busy
    latest.receive('fresh', (CAMERA, 5), 105.2)
    assert processed == [('fresh', (CAMERA, 5))]


def test_an_image_without_a_number_is_processed(busy):
    latest, processed = busy
    latest.receive('any', None, 0.0)
    assert processed == [('any', None)]


def test_a_held_image_is_processed_once_when_the_next_is_late(busy):
    latest, processed = busy
    latest.receive('held', (CAMERA, 5), 105.0)
    assert processed == []
    assert latest._timer.timer_period_ns == pytest.approx(1.2e9, abs=1e3)
    wait_for(lambda: processed, what='the held image')
    assert processed == [('held', (CAMERA, 5))]
    assert latest._timer.is_canceled() and latest._held is None


def test_a_newer_image_replaces_the_held_one(busy):
    latest, processed = busy
    latest.receive('held', (CAMERA, 5), 105.0)
    latest.receive('new', (CAMERA, 6), 105.29)
    assert [message for message, _ in processed] == ['new']
    assert latest._timer.is_canceled() and latest._held is None


def test_a_newer_image_that_waits_replaces_the_held_one_too(busy, clock):
    latest, processed = busy
    latest.receive('held', (CAMERA, 5), 105.0)
    clock.now = latest._idle_since = 106.3
    latest.receive('newer', (CAMERA, 6), 106.0)
    wait_for(lambda: processed, what='the held image')
    assert [message for message, _ in processed] == ['newer']


@pytest.mark.parametrize('received', [105.0, 104.9])
def test_an_image_that_arrived_while_the_node_was_idle_is_processed(busy, received):
    """It waited for the machine, not for the node."""
    latest, processed = busy
    latest._idle_since = 104.9
    latest.receive('late', (CAMERA, 5), received)
    assert [message for message, _ in processed] == ['late']


def test_the_node_is_idle_from_the_end_of_an_image_even_of_a_failed_one(ros, clock):
    def fail(message, number) -> None:
        clock.now += 2.0
        raise ValueError('a fault')

    latest = LatestImage(ros.client, fail)
    with pytest.raises(ValueError, match='a fault'):
        latest.receive('bad', (CAMERA, 1), 99.0)
    assert latest._idle_since == 102.0
    ros.run(latest.destroy)


def test_the_timer_of_a_canceled_wait_processes_nothing(busy):
    latest, processed = busy
    latest._process_held()
    assert processed == []


def test_a_held_image_is_discarded_by_destroy(ros, busy):
    latest, processed = busy
    latest.receive('held', (CAMERA, 5), 105.0)
    timers = list(ros.client.timers)
    ros.run(latest.destroy)
    assert latest._held is None and processed == []
    assert len(list(ros.client.timers)) == len(timers) - 1


def test_no_timer_runs_before_an_image_waits(ros):
    latest = LatestImage(ros.client, lambda message, number: None)
    assert latest._timer.is_canceled()
    ros.run(latest.destroy)
