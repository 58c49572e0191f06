"""Schedules: start, peak, end and steps."""

from __future__ import annotations

import pytest

from hydranet_ros.training.config import ScheduleSettings
from hydranet_ros.training.schedules import rate

TOTAL = 1000


def rates(**settings: object) -> list[float]:
    chosen = ScheduleSettings(**settings)
    return [rate(chosen, step, TOTAL) for step in range(TOTAL)]


def test_cosine_warms_up_and_decays() -> None:
    found = rates(kind='cosine', warm_up=100)
    assert found[0] == pytest.approx(0.01)
    assert found[100] == 1 == max(found)
    assert found[-1] == pytest.approx(0.01, abs=1e-4)
    assert all(a >= b for a, b in zip(found[100:], found[101:]))


def test_poly_decays_as_in_light_weight_refinenet() -> None:
    found = rates(kind='poly')
    assert found[0] == 1
    assert found[500] == pytest.approx(0.5**0.9)
    assert 0 < found[-1] < 0.01


def test_step_drops_after_each_milestone() -> None:
    """Another implementation applied its first milestone before the first step."""
    found = rates(kind='step', milestones=(300, 600))
    assert found[:300] == [1.0] * 300
    assert found[300:600] == pytest.approx([0.1] * 300)
    assert found[600:] == pytest.approx([0.01] * 400)


def test_onecycle_rises_to_its_peak_and_falls_below_its_start() -> None:
    found = rates(kind='onecycle', first=0.04, final=0.0004)
    assert found[0] == pytest.approx(0.04)
    assert found.index(max(found)) == 300
    assert max(found) == 1
    assert found[-1] < 0.001


def test_constant_is_constant() -> None:
    assert set(rates(kind='constant')) == {1.0}


def test_the_warm_up_is_at_most_a_tenth_of_a_run() -> None:
    settings = ScheduleSettings(kind='constant', warm_up=500)
    assert rate(settings, 9, 100) == 1
