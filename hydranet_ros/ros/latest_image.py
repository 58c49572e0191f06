"""
The newest image, and not one that has waited: whether to take what lies there or the next one.

A node that is slower than its camera finds, when it is free, the newest image lying there for up
to a period of the camera. The next one is due the sooner the longer this one has waited. Taking
only what has waited less than a sixth of the period keeps a result's age within the time of its
cycle and 10 ms at 30 Hz, and the newest result nearly as young on average as it can be; see
"The newest image" in docs/performance.md. What came while the node was free is always taken.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

SHARE = 1 / 6
# Periods after which an image that has not come is late: then the one at hand is taken.
LATE = 1.5
_REMEMBERED = 5
# Far more than a node waits for: the timer rests, stopped, until it is needed.
_LONG = 3600.0

Number = tuple[tuple, int] | None


class Rhythm:
    """The period of a publisher, from the numbers of its messages and when they arrived."""

    def __init__(self) -> None:
        self._last: tuple[tuple, int, float] | None = None
        self._periods: deque[float] = deque(maxlen=_REMEMBERED)

    def wait(self, number: Number, received: float, now: float) -> float:
        """
        Return for how many seconds to wait for the next image; 0: take this one.

        :param number: publisher and number of the message; ``None`` if not known: no waiting.
        :param received: when it arrived, ``now`` the time, seconds of one clock.
        """
        if number is None or received <= 0:
            return 0.0
        self._learn(*number, received)
        if not self._periods:
            return 0.0
        period, waited = median(self._periods), now - received
        return LATE * period - waited if SHARE * period < waited < LATE * period else 0.0

    def _learn(self, publisher: tuple, number: int, received: float) -> None:
        last, self._last = self._last, (publisher, number, received)
        if last is None or last[0] != publisher or number <= last[1] or received <= last[2]:
            self._periods.clear()
            return
        self._periods.append((received - last[2]) / (number - last[1]))


class Freshest:
    """
    Hands on images that have not waited, and one that has when no newer one comes in time.

    :param use: called with each image that is to be worked on, and its number. An image that is
        passed over is not seen at all; its number is missing, as if DDS had replaced it.
    """

    def __init__(self, node: Node, use: Callable[[Any, Number], None]) -> None:
        self._node, self._use = node, use
        self._rhythm = Rhythm()
        self._held: tuple[Any, Number] | None = None
        self._free = 0.0
        self._timer = node.create_timer(
            _LONG, self._take_held, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._timer.cancel()

    def hear(self, message: Any, number: Number, received: float) -> None:
        """Take an image that arrived at ``received``, in seconds of the system's clock."""
        seconds = self._rhythm.wait(number, received, time.time())
        # What came while nothing was done waited for the machine alone; the next would no less.
        if seconds > 0 and received < self._free:
            self._held = message, number
            self._timer.timer_period_ns = int(1e9 * seconds)
            self._timer.reset()
            return
        self._held = None
        self._timer.cancel()
        self._work(message, number)

    def _take_held(self) -> None:
        self._timer.cancel()
        held, self._held = self._held, None
        if held is not None:
            self._work(*held)

    def _work(self, message: Any, number: Number) -> None:
        try:
            self._use(message, number)
        finally:
            self._free = time.time()

    def destroy(self) -> None:
        """End it; what is held is forgotten."""
        self._held = None
        self._node.destroy_timer(self._timer)
