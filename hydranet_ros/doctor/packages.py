"""Check of the installed runtimes: packages that overwrite each other."""

from __future__ import annotations

from collections.abc import Iterator

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.inference.installed import runtime_conflicts


def check_packages() -> Iterator[Check]:
    """Yield a warning for each conflict."""
    for text in runtime_conflicts():
        yield Check('Providers', 'packages', Status.WARNING, text)
