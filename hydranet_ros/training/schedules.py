"""Learning rate schedules."""

from __future__ import annotations

import math

from hydranet_ros.training.config import ScheduleSettings


def rate(settings: ScheduleSettings, step: int, total: int) -> float:
    """
    Return the learning rate at step ``step`` (from 0) of ``total``, relative to its peak.

    ``poly`` is (1 - step / total) ** power (Light-Weight RefineNet). ``onecycle`` rises and falls
    along half cosines (Smith and Topin 2018, as in AdaBins and ZoeDepth). ``step`` multiplies the
    rate by ``factor`` once ``milestone`` steps are complete, for each milestone.
    """
    if settings.kind == 'onecycle':
        peak = settings.warm_up or max(1, round(0.3 * total))
        if step < peak:
            return _cosine(settings.first, 1.0, step / peak)
        return _cosine(1.0, settings.final, (step - peak) / max(1, total - peak))
    warm_up = min(settings.warm_up, total // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, total - warm_up)
    if settings.kind == 'cosine':
        return _cosine(1.0, settings.final, done)
    if settings.kind == 'poly':
        return max(0.0, 1 - done) ** settings.power
    if settings.kind == 'step':
        return settings.factor ** sum(step >= milestone for milestone in settings.milestones)
    return 1.0


def _cosine(start: float, end: float, done: float) -> float:
    """Interpolate from ``start`` to ``end`` along half a cosine; ``done`` is 0 to 1."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
