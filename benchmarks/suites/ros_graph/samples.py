"""Samples of a measurement of the graph, and the metrics derived from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

OUTPUTS = ('mask', 'depth', 'points')
# Allowed age of a published frame beyond its cycle: the time an image may wait before it is taken.
ALLOWANCE_MS = 10.0


@dataclass(frozen=True)
class Frame:
    """
    One published frame; all values in milliseconds.

    :param age: time from the stamp of the image to the publication.
    :param total: part of the age spent in the node's callback.
    :param cycle: time since the previous publication.
    :param previous_age: mean age of the previous result during that cycle.
    :param engine: part of the total that the network took.
    """

    age: float
    total: float
    cycle: float
    previous_age: float
    engine: float = 0.0


@dataclass(frozen=True)
class Samples:
    """
    Samples of one measurement.

    :param frames: published frames of all nodes, in order within each node.
    :param latencies: milliseconds from the stamp to a subscriber's callback, by output.
    :param sent: number of images that the cameras published.
    :param cpu: CPU milliseconds of all nodes per frame.
    :param seconds: length of the measurement.
    :param shortfall: what is missing, if the measurement ended early; otherwise empty.
    """

    frames: Sequence[Frame]
    latencies: Mapping[str, Sequence[float]]
    sent: int
    cpu: float
    seconds: float
    shortfall: str = ''

    @property
    def rate(self) -> float:
        """Return the frames per second of all nodes together."""
        return len(self.frames) / self.seconds

    def latency(self, output: str, percent: float) -> float:
        """Return a percentile of the latency of an output, in milliseconds."""
        return percentile(self.latencies[output], percent)

    def age(self, percent: float) -> float:
        """Return a percentile of the age at publication, in milliseconds."""
        return percentile([item.age for item in self.frames], percent)

    @property
    def cycle(self) -> float:
        """Return the median time between two publications, in milliseconds."""
        return percentile([item.cycle for item in self.frames], 50)

    @property
    def newest_age(self) -> float:
        """Return the age of the newest result, averaged over time, in milliseconds."""
        total = sum(item.cycle for item in self.frames)
        weighted = sum(item.cycle * item.previous_age for item in self.frames)
        return weighted / total if total else float('nan')

    @property
    def age_to_cycle(self) -> float:
        """
        Return the 95th percentile of (age - 10 ms) / cycle; at most 1 if nothing is queued.

        Each age is divided by the cycle of the same frame: a disturbance lengthens both.
        """
        return percentile([(item.age - ALLOWANCE_MS) / item.cycle for item in self.frames], 95)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile; NaN without values."""
    return float(np.percentile(values, percent)) if len(values) else float('nan')


def joined(parts: Sequence[Samples]) -> Samples:
    """Return several measurements as one."""
    frames = [frame for item in parts for frame in item.frames]
    return Samples(
        frames,
        {name: [x for item in parts for x in item.latencies[name]] for name in OUTPUTS},
        sum(item.sent for item in parts),
        sum(item.cpu * len(item.frames) for item in parts) / max(1, len(frames)),
        sum(item.seconds for item in parts),
        '; '.join(item.shortfall for item in parts if item.shortfall),
    )
