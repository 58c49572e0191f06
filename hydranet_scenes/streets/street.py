"""
A procedural street: its scene, its cars and its dimensions.

In the street frame x points along the street, y to the left and z up. The road surface is at
z = 0 and its center line at y = 0. Lengths are in meters. Traffic keeps to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from numpy.typing import NDArray

from hydranet_scenes.streets.builder import StreetBuilder, StreetLighting
from hydranet_scenes.streets.cars import Car
from hydranet_scenes.streets.kinds import StreetKind

# The street extends from x = -BEHIND to x = LENGTH.
LENGTH = 190.0
BEHIND = 20.0


@dataclass
class Street:
    """
    A street that can be rendered.

    :param road_half_width: half the width of the road.
    :param lane_y: y of the center of the camera's lane.
    :param side_road: x range of a crossing side road, or a range far away.
    :param parked: parked cars.
    :param traffic: moving cars, at time 0.
    """

    builder: StreetBuilder
    road_half_width: float
    lane_y: float
    side_road: tuple[float, float]
    parked: list[Car] = field(default_factory=list)
    traffic: list[Car] = field(default_factory=list)
    lighting: StreetLighting = field(default_factory=StreetLighting)
    kind: StreetKind = field(default_factory=StreetKind)

    @property
    def sun_direction(self) -> Sequence[float] | NDArray:
        """Return the direction of the sunlight; its shadow map follows the camera."""
        return self.lighting.sun_direction

    def xml(self, *, size: tuple[int, int], shadow_map: int) -> str:
        """Return the MJCF document; see :meth:`StreetBuilder.xml`."""
        return self.builder.xml(self.lighting, size=size, shadow_map=shadow_map)

    def is_free(self, x: float, y: float, seconds: float = 0.0) -> bool:
        """Return whether a camera at (x, y) keeps its distance from every car."""
        return not any(
            abs(car.x + car.speed * seconds - x) < car.length / 2 + 3.5 and abs(car.y - y) < 2.1
            for car in (*self.parked, *self.traffic)
        )
