"""Cases of a step and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Verdict(str, Enum):
    """Outcome of one case; ``NOT RUN`` if the machine lacks what the case needs."""

    PASS = 'PASS'
    FAIL = 'FAIL'
    NOT_RUN = 'NOT RUN'


@dataclass(frozen=True)
class Case:
    """
    One process of a step.

    :param label: what is tried, such as the provider and the precision; empty if the step has one
        case.
    :param module: its function ``run`` takes ``arguments`` and yields mappings; the last one has
        ``verdict`` and ``text``.
    :param limit: seconds.
    :param reason: why the case cannot run on this machine; empty if it can.
    """

    label: str = ''
    module: str = ''
    arguments: Mapping[str, Any] = field(default_factory=dict)
    limit: float = 60.0
    environment: Mapping[str, str | None] = field(default_factory=dict)
    reason: str = ''


@dataclass(frozen=True)
class Step:
    """
    One step of the run.

    :param share: seconds of the ten minutes for all its cases, beside what earlier steps left.
    :param plan: returns its cases for the results of the first step.
    """

    number: int
    name: str
    share: float
    plan: Callable[[Mapping[str, Any]], Iterable[Case]]


@dataclass(frozen=True)
class Outcome:
    """
    What one case gave.

    :param text: one sentence for the screen.
    :param results: everything that the case yielded before its end, in one mapping.
    :param log: name of the file in the archive with the output of the process; empty if it wrote
        nothing.
    """

    step: int
    name: str
    label: str
    verdict: Verdict
    text: str
    seconds: float = 0.0
    results: Mapping[str, Any] = field(default_factory=dict)
    log: str = ''

    def as_json(self) -> dict[str, Any]:
        """Return the values that JSON can hold."""
        return {
            'step': self.step, 'name': self.name, 'case': self.label,
            'verdict': self.verdict.value, 'text': self.text, 'seconds': round(self.seconds, 3),
            'results': dict(self.results), 'log': self.log,
        }  # fmt: skip

    def line(self) -> str:
        """Return the line of the screen."""
        what = f'{self.name} {self.label}'.strip()
        return f'{self.verdict.value:<8} {self.step} {what}: {self.text}'


def passed(text: str, **results: Any) -> dict[str, Any]:
    """Return the last result of a case that passed."""
    return {'verdict': Verdict.PASS.value, 'text': text, **results}


def failed(text: str, **results: Any) -> dict[str, Any]:
    """Return the last result of a case that failed."""
    return {'verdict': Verdict.FAIL.value, 'text': text, **results}


def not_run(text: str, **results: Any) -> dict[str, Any]:
    """Return the last result of a case that the machine cannot run."""
    return {'verdict': Verdict.NOT_RUN.value, 'text': text, **results}


def judged(problems: Iterable[str], text: str, **results: Any) -> dict[str, Any]:
    """Return the last result of a case: it passed if there are no problems."""
    found = list(problems)
    return failed('; '.join(found), **results) if found else passed(text, **results)
