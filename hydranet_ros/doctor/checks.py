"""The result of one check, and of a whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

REPORT_FORMAT = 1
SECTIONS = ('Machine', 'ROS 2', 'Providers', 'Model files')
"""In the order of the screen."""


class Status(str, Enum):
    """
    State of one check.

    ``NONE`` is something that is absent and not needed. ``WARNING`` costs speed or a feature.
    ``FAIL`` is something needed that is broken; it alone changes the exit status.
    """

    OK = 'ok'
    NONE = '-'
    WARNING = 'warning'
    FAIL = 'FAIL'


@dataclass(frozen=True)
class Check:
    """
    One line of the screen.

    :param section: one of :data:`SECTIONS`.
    :param text: what was found.
    :param remedy: how to fix it, or how to get it; empty if nothing is to be done.
    :param facts: the same for programs; values that JSON can hold.
    """

    section: str
    name: str
    status: Status
    text: str
    remedy: str = ''
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the values that JSON can hold."""
        return {
            'section': self.section, 'name': self.name, 'status': self.status.value,
            'text': self.text, 'remedy': self.remedy, 'facts': dict(self.facts),
        }  # fmt: skip

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Check:
        """Return the check of :meth:`as_json`."""
        return cls(**{**values, 'status': Status(values['status'])})


@dataclass(frozen=True)
class Report:
    """
    All checks of a run.

    :param version: of hydranet_ros.
    :param checks: in the order of the screen.
    :param seconds: duration of the run.
    """

    version: str
    checks: Sequence[Check]
    seconds: float

    @property
    def failures(self) -> tuple[Check, ...]:
        """Return the checks of what is needed and broken."""
        return tuple(check for check in self.checks if check.status is Status.FAIL)

    @property
    def usable(self) -> bool:
        """Return whether everything that is needed works."""
        return not self.failures

    def as_json(self) -> dict[str, Any]:
        """Return the values that JSON can hold."""
        return {
            'format': REPORT_FORMAT, 'hydranet_ros': self.version, 'usable': self.usable,
            'seconds': round(self.seconds, 3),
            'checks': [check.as_json() for check in self.checks],
        }  # fmt: skip
