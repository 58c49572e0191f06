"""A repeated complaint is said once in a while, another one at once."""

from __future__ import annotations

from hydranet_ros.ros.log_throttle import MAX_MESSAGES, PERIOD, LogThrottle


def test_a_reason_is_said_once_in_a_period_and_does_not_hide_another():
    limit = LogThrottle()
    assert limit.allows('step', 0.0)
    assert not limit.allows('step', PERIOD - 0.1)
    assert limit.allows('encoding', 0.1)
    assert limit.allows('step', PERIOD)


def test_reasons_that_are_new_every_time_cannot_flood_the_log():
    limit = LogThrottle()
    said = [limit.allows(f'error at {i}', i / 30) for i in range(120)]
    assert sum(said) == MAX_MESSAGES
    assert limit.allows('error at last', 2 * PERIOD)
