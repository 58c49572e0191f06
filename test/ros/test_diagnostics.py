"""The diagnostics messages: levels, texts and values."""

from __future__ import annotations

import pytest

pytest.importorskip('diagnostic_msgs', reason='diagnostic_msgs is not installed (extra: ros)')

from hydranet_ros.ros.diagnostics import (
    CAMERA_TIMEOUT,
    ERROR,
    OK,
    STALE,
    WARN,
    health_status,
    timing_status,
)
from hydranet_ros.ros.frame_statistics import Counters, FrameStatistics

COUNTS = [('frames_in', '5'), ('frames_out', '2'), ('frames_idle', '1'), ('frames_failed', '3'),
          ('frames_dropped', '4')]  # fmt: skip
COUNTERS = Counters(received=5, published=2, idle=1, failed=3, dropped=4)


def values(status) -> list[tuple[str, str]]:
    return [(item.key, item.value) for item in status.values]


def test_timing_has_stages_age_and_counts():
    status = timing_status('/hydranet', {'decode': 1.25, 'total': 20.0}, 0.0305, COUNTERS)
    assert (status.level, status.name, status.message) == (OK, '/hydranet: timing', '')
    assert values(status) == [
        ('decode_ms', '1.250'), ('total_ms', '20.000'), ('age_ms', '30.500'), *COUNTS,
    ]  # fmt: skip


def running(age: float = 0.1, now: float = 100.0) -> FrameStatistics:
    """Return the statistics of a node that has just published one frame."""
    statistics = FrameStatistics()
    statistics.record_arrival(None, now)
    statistics.record_frame(age, now)
    return statistics


def health(statistics: FrameStatistics, **changes):
    arguments = {'active': True, 'now': 100.0, 'max_age': 1.0, **changes}
    return health_status('/hydranet', statistics, {'provider': 'cpu'}, **arguments)


def judged(statistics: FrameStatistics, **changes) -> tuple[bytes, str]:
    status = health(statistics, **changes)
    return status.level, status.message


def test_health_has_facts_rate_age_and_counts():
    statistics = running(age=0.0123)
    statistics.record_frame(0.4567, 100.5)
    statistics.counters = COUNTERS
    status = health_status(
        '/hydranet', statistics, {'preset': 'street', 'provider': 'cuda'}, active=True,
        now=101.0, max_age=1.0,
    )  # fmt: skip
    assert (status.name, status.hardware_id) == ('/hydranet', 'cuda')
    assert values(status) == [
        ('preset', 'street'), ('provider', 'cuda'), ('rate_hz', '2.00'), ('age_ms', '456.7'),
        *COUNTS,
    ]  # fmt: skip


def test_health_without_a_model_or_a_frame_has_no_provider_and_no_age():
    status = health_status('/hydranet', FrameStatistics(), {}, active=False, now=0.0, max_age=1.0)
    assert status.hardware_id == ''
    assert [key for key, _ in values(status)] == ['rate_hz', *(key for key, _ in COUNTS)]


def test_a_running_node_is_ok():
    assert judged(running()) == (OK, 'running')


def test_a_node_without_subscribers_is_ok():
    statistics = FrameStatistics()
    statistics.record_arrival(None, 100.0)
    assert judged(statistics) == (OK, 'no subscribers')


def test_a_node_is_stale_while_inactive_and_before_the_first_image():
    assert judged(running(), active=False) == (STALE, 'not active')
    assert judged(FrameStatistics()) == (STALE, 'no image yet')


def test_a_failed_transition_is_an_error_in_every_state():
    for active in (False, True):
        found = judged(running(), active=active, problem='configure failed: no model')
        assert found == (ERROR, 'configure failed: no model')


def test_a_silent_camera_is_an_error_after_five_seconds():
    assert CAMERA_TIMEOUT == 5.0
    assert judged(running(now=100.0), now=105.0) == (OK, 'running')
    assert judged(running(now=100.0), now=105.06) == (ERROR, 'no image for 5.1 s')
    assert judged(running(now=2.0), now=12.0) == (ERROR, 'no image for 10.0 s')


def test_a_failed_frame_is_an_error():
    statistics = running()
    statistics.last_error = 'step is 10'
    assert judged(statistics, camera_problem='no camera info') == (ERROR, 'step is 10')


def test_an_unusable_camera_info_is_a_warning():
    assert judged(running(age=9.0), camera_problem='not calibrated') == (WARN, 'not calibrated')


def test_results_above_the_maximum_age_are_a_warning():
    assert judged(running(age=1.0)) == (OK, 'running')
    assert judged(running(age=2.345)) == (WARN, 'results are 2.35 s old (max_age 1 s)')
    assert judged(running(age=2.345), max_age=2.5) == (OK, 'running')


def test_a_maximum_age_of_zero_is_no_limit():
    assert judged(running(age=99.0), max_age=0.0) == (OK, 'running')


def test_only_the_age_of_the_newest_result_counts():
    statistics = running(age=9.0)
    statistics.record_frame(0.1, 100.0)
    assert judged(statistics) == (OK, 'running')
    statistics.record_frame(3.0, 100.0)
    assert judged(statistics) == (WARN, 'results are 3.00 s old (max_age 1 s)')
