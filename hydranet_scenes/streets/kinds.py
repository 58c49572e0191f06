"""Kinds of streets: the ranges and probabilities that a street's seed draws from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StreetKind:
    """
    Statistics of one kind of street. Ranges are in meters, probabilities 0..1.

    :param lanes: possible numbers of lanes, drawn with equal probability.
    :param markings: probability of lane markings on roads of fewer than four lanes.
    :param parking: probability of parked cars along each curb.
    :param parking_density: range of the share of parking spaces that are taken.
    :param sidewalk_parking: probability that the cars along a curb stand partly on the sidewalk.
    :param sidewalk_overlap: range of their overlap with the sidewalk.
    :param verge: probability of a grass strip between curb and sidewalk.
    :param raised_curb: probability of a curb of 6 to 16 cm rather than of 1 to 4 cm.
    :param asphalt_sidewalk: probability of an asphalt sidewalk. Half of them are about as bright
        as the road.
    :param min_urban: lower bound of the density of houses, 0 (village) to 1 (city).
    :param plinths: share of houses whose base is faced with stone.
    """

    lanes: tuple[int, ...] = (1, 2, 2, 2, 2, 4)
    lane_width: tuple[float, float] = (2.8, 3.5)
    markings: float = 0.6
    parking: float = 0.65
    parking_density: tuple[float, float] = (0.15, 0.85)
    sidewalk_parking: float = 0.3
    sidewalk_overlap: tuple[float, float] = (0.2, 1.0)
    verge: float = 0.25
    sidewalk_width: tuple[float, float] = (1.2, 4.5)
    raised_curb: float = 0.75
    asphalt_sidewalk: float = 0.0
    min_urban: float = 0.0
    plinths: float = 0.4


STREET_KINDS = {
    'streets': StreetKind(),
    # Narrow roads, houses at the edge of the sidewalk, asphalt sidewalks behind parked cars.
    'old_town': StreetKind(
        lanes=(1, 2, 2), lane_width=(2.5, 3.2), markings=0.25, parking=0.95,
        parking_density=(0.45, 0.95), sidewalk_parking=0.7, sidewalk_overlap=(0.5, 1.6),
        verge=0.03, sidewalk_width=(1.2, 3.2), raised_curb=0.5, asphalt_sidewalk=0.75,
        min_urban=0.55, plinths=0.7,
    ),
}  # fmt: skip
