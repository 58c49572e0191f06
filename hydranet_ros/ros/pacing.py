"""Wait for the time of each message of a source, and tick the source's clock meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONGEST_PAUSE = 0.1
"""Seconds after which a stop is noticed at the latest."""
_PAUSES_PER_TICK = 4


class Pacer:
    """
    The clock of a source that is played; it starts with the first message.

    :param rate: factor on the original speed; 0 for no waiting: the clock then jumps from message
        to message.
    :param clock: Hz of ``tick`` in the source's time; 0 for no ticks.
    :param tick: called with the time of the source, in nanoseconds.
    :param running: returns false to stop waiting.
    """

    def __init__(
        self, rate: float, clock: float, tick: Callable[[int], None],
        running: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._rate, self._tick, self._running = rate, tick, running
        self._period = round(1e9 / clock) if clock else 0
        self._pause = _LONGEST_PAUSE
        if self._period:
            self._pause = 1e-9 * self._period / (rate or 1.0) / _PAUSES_PER_TICK
        self._start: tuple[int, float] | None = None
        self._next_tick = 0

    def wait_until(self, moment: int) -> None:
        """Wait until the clock of the source reaches ``moment``, in nanoseconds."""
        if self._start is None:
            self._start = moment, time.monotonic()
        while self._running():
            now = self._now(moment, *self._start)
            if self._period and now >= self._next_tick:
                self._tick(now)
                self._next_tick = now + self._period
            left = (moment - now) * 1e-9 / (self._rate or 1.0)
            if left <= 0:
                return
            time.sleep(min(left, self._pause))

    def _now(self, moment: int, start: int, started_at: float) -> int:
        """Return the time of the source, in nanoseconds, at most ``moment``."""
        if not self._rate:
            return moment
        passed = (time.monotonic() - started_at) * self._rate
        return min(moment, start + round(passed * 1e9))
