"""Counts, ages and the health that diagnostics tell."""

from __future__ import annotations

import pytest

pytest.importorskip('diagnostic_msgs', reason='diagnostic_msgs is not installed (extra: ros)')

from hydranet_ros.ros.diagnostics import CAMERA_TIMEOUT, ERROR, OK, STALE, WARN, health_status
from hydranet_ros.ros.frame_statistics import FrameStatistics

A, B, UNKNOWN = (1,), (2,), ()


def dropped(*numbers) -> int:
    timing = FrameStatistics()
    for moment, number in enumerate(numbers):
        timing.record_arrival(number, moment)
    assert timing.counters.received == len(numbers)
    return timing.counters.dropped


@pytest.mark.parametrize(
    ('numbers', 'expected'),
    [
        ([], 0),
        ([(A, 7)], 0),
        ([(A, 1), (A, 2), (A, 5)], 2),
        ([(A, 1000), (B, 1), (A, 1001), (B, 4)], 2),
        ([(A, 50), (A, 1), (A, 3)], 1),
        ([(UNKNOWN, 1), (UNKNOWN, 4)], 2),
        ([(UNKNOWN, 50), (UNKNOWN, 1), (UNKNOWN, 3)], 1),
        ([(UNKNOWN, 10), (UNKNOWN, 1000), (UNKNOWN, 11), (UNKNOWN, 1001)], 0),
        ([None, None], 0),
    ],
    ids=['none', 'first', 'gap', 'two publishers', 'restart', 'gap of unknown',
         'restart of unknown', 'two unknown publishers', 'no numbers'],
)  # fmt: skip
def test_drops_are_gaps_in_the_numbers_of_each_publisher(numbers, expected):
    assert dropped(*numbers) == expected


def health(timing: FrameStatistics, **changes):
    arguments = {'active': True, 'now': 100.0, 'max_age': 1.0, **changes}
    return health_status('hydranet', timing, {'provider': 'cpu'}, **arguments)


def running(age: float = 0.1, now: float = 100.0) -> FrameStatistics:
    timing = FrameStatistics()
    timing.record_arrival(None, now)
    timing.record_frame(age, now)
    return timing


def test_a_running_node_is_ok():
    status = health(running())
    assert (status.level, status.message) == (OK, 'running')
    assert status.hardware_id == 'cpu'


def test_before_the_first_image_and_while_inactive_it_is_stale():
    assert health(FrameStatistics()).level == STALE
    assert health(running(), active=False).level == STALE


def test_a_failed_transition_is_an_error_though_the_node_is_not_active():
    status = health(FrameStatistics(), active=False, problem='configure failed: x.onnx is not a model')
    assert status.level == ERROR and 'x.onnx' in status.message


def test_a_camera_that_fell_silent_is_an_error_even_if_nobody_listened_before():
    timing = running(now=100.0)
    timing.counters.idle = 3
    assert health(timing, now=100.0 + CAMERA_TIMEOUT - 0.1).level == OK
    status = health(timing, now=100.0 + CAMERA_TIMEOUT + 0.1)
    assert status.level == ERROR and 'no image for' in status.message


def test_a_failed_frame_is_an_error_and_old_results_or_a_bad_camera_a_warning():
    timing = running()
    timing.last_error = 'step is 10'
    assert (health(timing).level, health(timing).message) == (ERROR, 'step is 10')
    assert health(running(age=2.0)).level == WARN
    assert health(running(age=2.0), max_age=0.0).level == OK
    status = health(running(), camera_problem='not calibrated')
    assert (status.level, status.message) == (WARN, 'not calibrated')


def test_the_rate_is_of_the_last_seconds():
    timing = FrameStatistics()
    for number in range(20):
        timing.record_frame(0.0, number / 10)
    assert timing.rate(2.0) == pytest.approx(10)
    assert timing.rate(60.0) == 0.0
