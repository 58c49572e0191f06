"""A steady clock that a test advances."""

from __future__ import annotations


class SteadyTime:
    """Stands in for the module ``time``: only sleeping advances the clock."""

    def __init__(self) -> None:
        self.now = 50.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0, 'a pause has a length'
        self.pauses.append(seconds)
        self.now += seconds
