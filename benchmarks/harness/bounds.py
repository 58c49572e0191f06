"""
Bounds of the benchmark's ratios, and which of them a run violates.

Only ratios of an interleaved run are compared: a time says more of the machine, and of what else
it does, than of the code.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.suites.parts import PARTS
from hydranet_ros.errors import BenchError

_UNITS = ('_ms', '_s', '_mb', '_hz', '_fps', '_gflops', '_gbs', '_ms_profile', '_ms_default')
_SIDES = {'min', 'max'}


@dataclass(frozen=True)
class Bound:
    """A figure of a part, and the range it must lie in; ``None`` is open."""

    part: str
    figure: str
    least: float | None = None
    most: float | None = None

    @property
    def name(self) -> str:
        """Return ``part.figure``."""
        return f'{self.part}.{self.figure}'

    def violated_by(self, value: Any) -> str:
        """Return what is wrong with a value in one line; empty if nothing."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f'{self.name} is {value!r}; a number was expected'
        if self.least is not None and not value >= self.least:
            return f'{self.name} is {value:.4g}; allowed: {self.least:g} or more'
        if self.most is not None and not value <= self.most:
            return f'{self.name} is {value:.4g}; allowed: {self.most:g} or less'
        return ''


@dataclass(frozen=True)
class Verdict:
    """
    What a check found, a line each.

    :param violated: bounds that do not hold.
    :param skipped: bounds of parts that were not measured.
    :param held: how many hold.
    :param outside: parts that were measured and have a figure outside its bounds.
    """

    violated: tuple[str, ...]
    skipped: tuple[str, ...]
    held: int
    outside: tuple[str, ...] = ()


def load_bounds(path: Path) -> tuple[Bound, ...]:
    """
    Read a file of bounds: ``part: {figure: {min: 1.3}}``.

    :raises BenchError: if it cannot be read, names an unknown part or side, bounds nothing, or
        bounds an absolute time, size or rate.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as err:
        raise BenchError(f'{path} cannot be read: {" ".join(str(err).split())}.') from err
    if not isinstance(raw, dict) or not raw:
        raise BenchError(f'{path} bounds nothing; expected part: {{figure: {{min: 1.3}}}}.')
    bounds = []
    for part, figures in raw.items():
        if part not in PARTS or not isinstance(figures, dict) or not figures:
            raise BenchError(
                f'{path}: {part!r} is no part with figures; allowed: {", ".join(PARTS)}.'
            )
        bounds += [_bound(path, part, str(name), sides) for name, sides in figures.items()]
    return tuple(bounds)


def _bound(path: Path, part: str, figure: str, sides: Any) -> Bound:
    if figure.endswith(_UNITS):
        raise BenchError(
            f'{path}: {part}.{figure} is no ratio; another machine has another. Only ratios of '
            'one run are bounded.'
        )
    numbers = isinstance(sides, dict) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in sides.values()
    )
    if not numbers or not sides or set(sides) - _SIDES:
        raise BenchError(f'{path}: {part}.{figure} is {sides!r}; expected {{min: 1.3}} or max.')
    return Bound(part, figure, sides.get('min'), sides.get('max'))


def check(
    found: dict[str, Any], bounds: tuple[Bound, ...], demanded: Collection[str] = ()
) -> Verdict:
    """
    Hold a benchmark's document against bounds.

    A part that was not run is passed over. One that was run and could not measure is passed over
    too, unless it failed or is one of ``demanded``: then its bounds count as violated.
    """
    violated: list[str] = []
    skipped: list[str] = []
    outside: dict[str, None] = {}
    held = 0
    for bound in bounds:
        part = found.get(bound.part)
        if part is None:
            skipped.append(f'{bound.name} was not run')
        elif not part['measured']:
            missed = bound.part in demanded or part.get('failed')
            (violated if missed else skipped).append(
                f'{bound.name} was not measured: {part["why"]}'
            )
        else:
            line = bound.violated_by(part.get(bound.figure))
            if line:
                violated.append(line)
                outside[bound.part] = None
            else:
                held += 1
    if not held and not violated:
        violated.append('no bound was checked: none of the bounded parts was measured')
    return Verdict(tuple(violated), tuple(skipped), held, tuple(outside))
