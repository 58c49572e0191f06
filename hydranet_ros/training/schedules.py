"""The learning rate of every step, as a share of its peak."""

from __future__ import annotations

import math

from hydranet_ros.training.config import ScheduleSettings


def rate(settings: ScheduleSettings, step: int, total: int) -> float:
    """
    Return the share of the peak rate at step number ``step`` (from 0) of ``total``.

    ``poly`` is (1 - step / total) ** power (Light-Weight RefineNet), ``onecycle`` rises and falls
    along half cosines (Smith and Topin 2018, as AdaBins and ZoeDepth use it), ``step`` multiplies
    by ``factor`` at every milestone passed: the milestones are steps done, so that none is
    passed before the first step.
    """
    if settings.kind == 'onecycle':
        peak = settings.warm_up or max(1, round(0.3 * total))
        if step < peak:
            return _between(settings.first, 1.0, step / peak)
        return _between(1.0, settings.final, (step - peak) / max(1, total - peak))
    warm_up = min(settings.warm_up, total // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, total - warm_up)
    if settings.kind == 'cosine':
        return _between(1.0, settings.final, done)
    if settings.kind == 'poly':
        return max(0.0, 1 - done) ** settings.power
    if settings.kind == 'step':
        return settings.factor ** sum(step >= milestone for milestone in settings.milestones)
    return 1.0


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
