"""Keep a repeated complaint from flooding the log without hiding the first of its kind."""

from __future__ import annotations

PERIOD = 5.0
AT_MOST = 10


class LogLimit:
    """
    Allows each reason once in :data:`PERIOD` seconds, and :data:`AT_MOST` reasons in that time.

    rclpy's own throttle goes by the line of code, so that one complaint would hide another.
    """

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def allows(self, reason: str, now: float) -> bool:
        """Return whether to log a reason at ``now``, in seconds of a steady clock."""
        self._said = {text: then for text, then in self._said.items() if now - then < PERIOD}
        if reason in self._said or len(self._said) >= AT_MOST:
            return False
        self._said[reason] = now
        return True
