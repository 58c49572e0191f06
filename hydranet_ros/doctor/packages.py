"""Check of the installed runtimes: packages that overwrite each other."""

from __future__ import annotations

from collections.abc import Iterator

from hydranet_ros.doctor.checks import Check


def check_packages() -> Iterator[Check]:
    """Yield a warning for each conflict."""
    yield from ()
