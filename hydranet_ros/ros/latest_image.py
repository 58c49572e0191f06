"""
Choose between processing a waiting image and waiting for the next one.

A node that is slower than its camera finds, when it is free, the newest image, which has waited
for up to one camera period. The longer it has waited, the sooner the next image arrives.
Processing only images that have waited less than a sixth of the period keeps the age of a result
within the duration of its cycle plus 10 ms at 30 Hz, and the newest result nearly as young on
average as possible; see "The newest image" in docs/performance.md. An image that arrives while
the node is idle is always processed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from hydranet_ros.ros.message_info import MessageNumber

FRESH_PERIODS = 1 / 6
"""Camera periods for which an image may have waited."""
LATE_PERIODS = 1.5
"""Camera periods after which the next image is late and the waiting one is processed."""
_HISTORY = 5
# The timer is canceled until it is needed; its first period is irrelevant.
_UNUSED_PERIOD = 3600.0


class CameraPeriod:
    """Estimate a publisher's period from the numbers and arrival times of its messages."""

    def __init__(self) -> None:
        self._last: tuple[tuple[int, ...], int, float] | None = None
        self._periods: deque[float] = deque(maxlen=_HISTORY)

    def wait_time(self, number: MessageNumber | None, received: float, now: float) -> float:
        """
        Return how many seconds to wait for the next image; 0 to process this one.

        :param number: publisher and number of the message; without it there is no wait.
        :param received: arrival time of the message; 0 if unknown, without a wait.
        :param now: current time, in seconds of the same clock.
        """
        if number is None or received <= 0:
            return 0.0
        self._learn(*number, received)
        if not self._periods:
            return 0.0
        period, waited = median(self._periods), now - received
        if FRESH_PERIODS * period < waited < LATE_PERIODS * period:
            return LATE_PERIODS * period - waited
        return 0.0

    def _learn(self, publisher: tuple[int, ...], number: int, received: float) -> None:
        last, self._last = self._last, (publisher, number, received)
        if last is None or last[0] != publisher or number <= last[1] or received <= last[2]:
            self._periods.clear()
            return
        self._periods.append((received - last[2]) / (number - last[1]))


class LatestImage:
    """
    Pass on fresh images, and hold an image that has waited until a newer one arrives or is late.

    :param process: callback for each image to process, with its number. A replaced image is not
        passed on; its number is missing, as if DDS had replaced it.
    """

    def __init__(self, node: Node, process: Callable[[Any, MessageNumber | None], None]) -> None:
        self._node, self._callback = node, process
        self._period = CameraPeriod()
        self._held: tuple[Any, MessageNumber | None] | None = None
        self._idle_since = 0.0
        self._timer = node.create_timer(
            _UNUSED_PERIOD, self._process_held, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._timer.cancel()

    def receive(self, message: Any, number: MessageNumber | None, received: float) -> None:
        """
        Process an image or hold it.

        :param received: arrival time in seconds of the system clock.
        """
        wait = self._period.wait_time(number, received, time.time())
        # An image that arrived while the node was idle waited for the machine, as would the next.
        if wait > 0 and received < self._idle_since:
            self._held = message, number
            self._timer.timer_period_ns = int(1e9 * wait)
            self._timer.reset()
            return
        self._held = None
        self._timer.cancel()
        self._process(message, number)

    def _process_held(self) -> None:
        self._timer.cancel()
        held, self._held = self._held, None
        if held is not None:
            self._process(*held)

    def _process(self, message: Any, number: MessageNumber | None) -> None:
        try:
            self._callback(message, number)
        finally:
            self._idle_since = time.time()

    def destroy(self) -> None:
        """Discard a held image and destroy the timer."""
        self._held = None
        self._node.destroy_timer(self._timer)
