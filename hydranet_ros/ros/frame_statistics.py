"""Count frames and record their ages and the publication rate."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hydranet_ros.ros.message_info import MessageNumber

HISTORY = 100
"""Frames whose age and time of publication are kept."""
RATE_WINDOW = 5.0
"""Seconds over which the rate is computed."""


@dataclass
class Counters:
    """
    Frames since activation.

    :param received: frames that reached the callback.
    :param published: frames of which at least one output was published.
    :param idle: frames without a subscriber to any output.
    :param failed: frames dropped because of an error.
    :param dropped: frames that a newer one replaced before they reached the callback; known only
        if the middleware numbers messages.
    """

    received: int = 0
    published: int = 0
    idle: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass
class FrameStatistics:
    """
    Recent history of the node.

    :param ages: seconds from the image's stamp to the publication of its outputs.
    :param published_at: times of publication, in seconds of a steady clock.
    :param last_error: error of the last frame; empty if it succeeded.
    :param last_arrival: time of the last image, in seconds of a steady clock.
    """

    counters: Counters = field(default_factory=Counters)
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    published_at: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    last_error: str = ''
    last_arrival: float = 0.0
    _next_numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    _uncertain: int = 0
    _interleaved: bool = False

    def record_arrival(self, number: MessageNumber | None, now: float) -> None:
        """
        Record a received image, and count the gap before it as dropped frames.

        :param number: publisher and number of the message, if the middleware reports them.
        :param now: seconds of a steady clock.
        """
        self.counters.received += 1
        self.last_arrival = now
        if number is not None:
            self._count_gap(*number)

    def _count_gap(self, publisher: tuple[int, ...], number: int) -> None:
        expected = self._next_numbers.get(publisher, number)
        self._next_numbers[publisher] = number + 1
        missing = max(0, number - expected)
        if publisher:
            self.counters.dropped += missing
            return
        # The publisher is unknown. A number that decreases, other than to 1 (a restart), shows
        # that there are several publishers, so that gaps mean nothing.
        if number not in (1, expected) and number < expected and not self._interleaved:
            self._interleaved = True
            self.counters.dropped -= self._uncertain
        if not self._interleaved:
            self._uncertain += missing
            self.counters.dropped += missing

    def record_frame(self, age: float, now: float) -> None:
        """Record a published frame."""
        self.counters.published += 1
        self.ages.append(age)
        self.published_at.append(now)

    def rate(self, now: float) -> float:
        """Return published frames per second within :data:`RATE_WINDOW`."""
        recent = [moment for moment in self.published_at if now - moment < RATE_WINDOW]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])
