"""Throttle log messages by their text."""

from __future__ import annotations

PERIOD = 5.0
"""Seconds in which each message is logged at most once."""
MAX_MESSAGES = 10
"""Different messages that are logged at most in that time."""


class LogThrottle:
    """
    Allow each message once in :data:`PERIOD`, and :data:`MAX_MESSAGES` messages in that time.

    rclpy throttles by line of code, so one message would suppress a different one.
    """

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def allows(self, message: str, now: float) -> bool:
        """
        Return whether to log a message.

        :param now: seconds of a steady clock.
        """
        self._logged = {text: then for text, then in self._logged.items() if now - then < PERIOD}
        if message in self._logged or len(self._logged) >= MAX_MESSAGES:
            return False
        self._logged[message] = now
        return True
