"""Build the diagnostics messages of the node."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from hydranet_ros.ros.frame_statistics import Counters, FrameStatistics

CAMERA_TIMEOUT = 5.0
"""Seconds without an image after which the status is an error."""
# Humble declares the levels as bytes, as later releases do; both compare alike.
OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE,
)  # fmt: skip


def timing_status(
    name: str, stages: Mapping[str, float], age: float, counters: Counters
) -> DiagnosticStatus:
    """
    Return the ``~/timing`` message of one frame.

    :param stages: milliseconds of each stage.
    :param age: seconds from the image's stamp to publication.
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
    name: str, statistics: FrameStatistics, facts: Mapping[str, str], *, active: bool, now: float,
    max_age: float, problem: str = '', camera_problem: str = '',
) -> DiagnosticStatus:  # fmt: skip
    """
    Return the node's entry of ``/diagnostics``.

    The level is ERROR after a failed transition, after a failed frame, or if no image arrived for
    :data:`CAMERA_TIMEOUT`; STALE while inactive and before the first image; WARN if the camera
    info cannot be used or results are older than ``max_age`` seconds; otherwise OK.

    :param facts: further values; ``provider`` becomes the hardware id.
    :param problem: error of the last transition; empty if it succeeded.
    :param camera_problem: reason why the camera info cannot be used, if any.
    """
    if problem:
        level, message = ERROR, problem
    elif not active:
        level, message = STALE, 'not active'
    else:
        level, message = _active_status(statistics, camera_problem, now=now, max_age=max_age)
    values = [KeyValue(key=key, value=value) for key, value in facts.items()]
    values.append(KeyValue(key='rate_hz', value=f'{statistics.rate(now):.2f}'))
    if statistics.ages:
        values.append(KeyValue(key='age_ms', value=f'{1e3 * statistics.ages[-1]:.1f}'))
    values += _counts(statistics.counters)
    return DiagnosticStatus(
        level=level, name=name, message=message, values=values,
        hardware_id=facts.get('provider', ''),
    )  # fmt: skip


def _active_status(
    statistics: FrameStatistics, camera_problem: str, *, now: float, max_age: float
) -> tuple[bytes, str]:
    if not statistics.counters.received:
        return STALE, 'no image yet'
    silence = now - statistics.last_arrival
    if silence > CAMERA_TIMEOUT:
        return ERROR, f'no image for {silence:.1f} s'
    if statistics.last_error:
        return ERROR, statistics.last_error
    if camera_problem:
        return WARN, camera_problem
    if statistics.ages and max_age and statistics.ages[-1] > max_age:
        return WARN, f'results are {statistics.ages[-1]:.2f} s old (max_age {max_age:g} s)'
    return OK, 'running' if statistics.counters.published else 'no subscribers'
