"""Parked cars and traffic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hydranet_scenes.streets.builder import StreetBuilder
from hydranet_scenes.streets.cars import add_traffic, park_cars
from hydranet_scenes.streets.classes import CAR


def test_no_car_parks_on_a_side_road():
    cars = park_cars(
        StreetBuilder(), np.random.default_rng(0), y=-3.0, start=0.0, end=100.0,
        keep_clear=(40.0, 50.0), density=(1.0, 1.0),
    )  # fmt: skip
    assert len(cars) > 5 and all(abs(car.y + 3.0) < 0.2 for car in cars)
    assert not any(36.0 < car.x < 54.0 for car in cars)


def test_traffic_keeps_to_the_right_and_never_collides_within_a_lane():
    for seed in range(4):
        builder = StreetBuilder()
        cars = add_traffic(builder, np.random.default_rng(seed), [-1.6, 1.6])
        assert all((car.speed > 0) == (car.y < 0) for car in cars)
        for side in (-1, 1):
            lane = sorted((car for car in cars if car.y * side > 0), key=lambda car: car.x)
            assert len({car.speed for car in lane}) <= 1
            assert all(b.x - a.x > (a.length + b.length) / 2 for a, b in pairwise(lane))
        assert set(builder.classes.values()) <= {CAR, 2}
