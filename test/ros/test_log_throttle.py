"""LogThrottle limits repeated messages and the number of different ones."""

from __future__ import annotations

from hydranet_ros.ros.log_throttle import MAX_MESSAGES, PERIOD, LogThrottle


def test_a_message_is_allowed_again_after_the_period_only():
    throttle = LogThrottle()
    assert throttle.allows('step', 100.0)
    assert not throttle.allows('step', 100.0)
    assert not throttle.allows('step', 104.9)
    assert throttle.allows('step', 105.0)
    assert not throttle.allows('step', 109.9)


def test_a_message_does_not_suppress_a_different_one():
    throttle = LogThrottle()
    assert throttle.allows('step', 0.0)
    assert throttle.allows('encoding', 0.0)
    assert not throttle.allows('step', 0.1)
    assert not throttle.allows('encoding', 0.1)


def test_a_suppressed_message_does_not_extend_the_period():
    throttle = LogThrottle()
    assert throttle.allows('step', 0.0)
    assert not throttle.allows('step', 4.0)
    assert throttle.allows('step', 5.5)


def test_at_most_ten_different_messages_are_allowed_in_a_period():
    throttle = LogThrottle()
    allowed = [throttle.allows(f'error {index}', 0.01 * index) for index in range(20)]
    assert allowed == 10 * [True] + 10 * [False]
    assert throttle.allows('another', 5.0), 'the first of them is forgotten'
    assert not throttle.allows('one more', 5.0)


def test_the_limits_are_those_of_the_documentation():
    assert (PERIOD, MAX_MESSAGES) == (5.0, 10)
