"""Free positions on a street."""

from __future__ import annotations

from hydranet_scenes.streets.builder import StreetBuilder
from hydranet_scenes.streets.cars import Car
from hydranet_scenes.streets.street import Street


def test_positions_inside_cars_are_not_free(street_view):
    street = street_view.street
    assert street.parked and street.traffic
    for car in (*street.parked, *street.traffic):
        assert not street.is_free(car.x, car.y)
    assert street.is_free(-500.0, 0.0)


def test_a_position_is_free_once_the_traffic_has_passed():
    car = Car('b0', x=0.0, y=-1.5, speed=8.0)
    street = Street(StreetBuilder(), 3.5, -1.5, (-1e3, -1e3), traffic=[car])
    assert not street.is_free(0.0, -1.5) and street.is_free(0.0, -1.5, seconds=2.0)
    assert not street.is_free(16.0, -1.5, seconds=2.0)
