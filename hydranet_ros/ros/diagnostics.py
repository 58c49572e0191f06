"""What a node counts and how long its stages take, as diagnostics."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

WINDOW = 100
# Seconds without an image after which a camera counts as lost.
SILENCE = 5.0
# Humble has the level as bytes, as later releases do; both compare alike.
OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE,
)  # fmt: skip


@dataclass
class Counters:
    """
    Frames since activation.

    :param received: frames that reached the callback.
    :param published: frames of which at least one result was published.
    :param idle: frames that nobody wanted anything of.
    :param failed: frames given up with an error.
    :param dropped: frames the publisher sent that never reached the callback, because a newer one
        replaced them; known only where the middleware numbers messages.
    """

    received: int = 0
    published: int = 0
    idle: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass
class Timing:
    """Recent history of a node: stage times (ms), ages at publication (s), when (s)."""

    counters: Counters = field(default_factory=Counters)
    ages: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    moments: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    last_error: str = ''
    last_arrival: float = 0.0
    _next: dict[tuple, int] = field(default_factory=dict)
    _unsure: int = 0
    _mixed: bool = False

    def arrival(self, number: tuple[tuple, int] | None, now: float) -> None:
        """
        Record a frame that came in.

        :param number: publisher and number of its message; the publisher is ``()`` and the whole
            ``None`` where the middleware does not tell.
        :param now: seconds of a steady clock.
        """
        self.counters.received += 1
        self.last_arrival = now
        if number is not None:
            self._count_gap(*number)

    def _count_gap(self, publisher: tuple, number: int) -> None:
        """Count what is missing between this message's number and the last of its publisher."""
        expected = self._next.get(publisher, number)
        self._next[publisher] = number + 1
        missing = max(0, number - expected)
        if publisher:
            self.counters.dropped += missing
            return
        # Publishers that are not told apart: a number that goes back (other than to 1, a restart)
        # shows that there are several, whose gaps mean nothing.
        if number not in (1, expected) and number < expected and not self._mixed:
            self._mixed = True
            self.counters.dropped -= self._unsure
        if not self._mixed:
            self._unsure += missing
            self.counters.dropped += missing

    def frame(self, age: float, now: float) -> None:
        """Record a published frame."""
        self.counters.published += 1
        self.ages.append(age)
        self.moments.append(now)

    def rate(self, now: float) -> float:
        """Return published frames a second over the recent window."""
        recent = [moment for moment in self.moments if now - moment < 5.0]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])


def timing_status(
    name: str, stages: Mapping[str, float], age: float, counters: Counters
) -> DiagnosticStatus:
    """
    Return one frame's ``~/timing``: milliseconds a stage, age in ms, frame counts so far.
    """
    values = [KeyValue(key=f'{stage}_ms', value=f'{value:.3f}') for stage, value in stages.items()]
    values.append(KeyValue(key='age_ms', value=f'{1e3 * age:.3f}'))
    values += _counts(counters)
    return DiagnosticStatus(level=OK, name=f'{name}: timing', values=values)


def _counts(counters: Counters) -> list[KeyValue]:
    rows = (
        ('frames_in', counters.received), ('frames_out', counters.published),
        ('frames_idle', counters.idle), ('frames_failed', counters.failed),
        ('frames_dropped', counters.dropped),
    )  # fmt: skip
    return [KeyValue(key=key, value=str(value)) for key, value in rows]


def health_status(
    name: str, timing: Timing, facts: Mapping[str, str], *, active: bool, now: float,
    max_age: float, problem: str = '', camera_problem: str = '',
) -> DiagnosticStatus:  # fmt: skip
    """
    Return the node's entry of ``/diagnostics``.

    ERROR after a failed transition, after a failed frame, or when no image came for five seconds;
    STALE while inactive and before the first image; WARN when the camera info cannot be used and
    above ``max_age`` seconds of age; else OK.

    :param problem: why the last transition failed, if it did.
    :param camera_problem: why the camera info cannot be used, if so.
    """
    counters = timing.counters
    if problem:
        level, message = ERROR, problem
    elif not active:
        level, message = STALE, 'not active'
    else:
        level, message = _judge(timing, camera_problem, now=now, max_age=max_age)
    values = [KeyValue(key=key, value=value) for key, value in facts.items()]
    values.append(KeyValue(key='rate_hz', value=f'{timing.rate(now):.2f}'))
    if timing.ages:
        values.append(KeyValue(key='age_ms', value=f'{1e3 * timing.ages[-1]:.1f}'))
    values += _counts(counters)
    return DiagnosticStatus(
        level=level, name=name, message=message, values=values,
        hardware_id=facts.get('provider', ''),
    )  # fmt: skip


def _judge(
    timing: Timing, camera_problem: str, *, now: float, max_age: float
) -> tuple[bytes, str]:
    counters = timing.counters
    if not counters.received:
        return STALE, 'no image yet'
    if now - timing.last_arrival > SILENCE:
        return ERROR, f'no image for {now - timing.last_arrival:.1f} s'
    if timing.last_error:
        return ERROR, timing.last_error
    if camera_problem:
        return WARN, camera_problem
    if timing.ages and max_age and timing.ages[-1] > max_age:
        return WARN, f'results are {timing.ages[-1]:.2f} s old (max_age {max_age:g} s)'
    return OK, 'running' if counters.published else 'nobody listens'
