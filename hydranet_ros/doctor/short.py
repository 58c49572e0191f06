"""The short run: every check, with the slow ones side by side in child processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hydranet_ros import __version__
from hydranet_ros.doctor.checks import SECTIONS, Check, Report, Status
from hydranet_ros.doctor.intel import check_intel
from hydranet_ros.doctor.machine import machine_checks
from hydranet_ros.doctor.model_files import (
    BUDGET,
    find_model_files,
    included_model,
    model_checks,
    start_trial,
)
from hydranet_ros.doctor.nvidia import check_nvidia
from hydranet_ros.doctor.nvidia import start_trial as start_driver_trial
from hydranet_ros.doctor.packages import check_packages
from hydranet_ros.doctor.providers import devices, provider_checks, start_trials
from hydranet_ros.doctor.ros_environment import ros_checks

_ALL = float('inf')


@dataclass(frozen=True)
class ShortOptions:
    """
    Options of :func:`run_short`.

    :param provider: provider that must work; empty for any.
    :param all_files: run the self-test of every model file, however long that takes.
    """

    provider: str = ''
    all_files: bool = False


def run_short(options: ShortOptions | None = None) -> Report:
    """Run every check; nothing that fails or hangs stops the others."""
    started = time.monotonic()
    checks = list(_checks(options or ShortOptions()))
    order = {section: index for index, section in enumerate(SECTIONS)}
    checks.sort(key=lambda check: order[check.section])
    return Report(__version__, tuple(checks), time.monotonic() - started)


def _checks(options: ShortOptions) -> Iterator[Check]:
    budget = _ALL if options.all_files else BUDGET
    with ExitStack() as stack:
        model = included_model()
        driver = start_driver_trial(stack)
        children = {} if model is None else start_trials(stack, model)
        files = _ordered(find_model_files(), model)
        files_child = start_trial(stack, files, budget=budget)
        yield from machine_checks()
        yield from ros_checks()
        yield from check_packages()
        nvidia = check_nvidia(driver.wait())
        yield nvidia
        trials = {name: child.wait() for name, child in children.items()}
        yield check_intel(devices(trials))
        gpu = nvidia.status is not Status.NONE
        yield from provider_checks(trials, gpu=gpu, required=options.provider)
        yield from model_checks(files, files_child.wait(), budget=budget)


def _ordered(files: tuple[Path, ...], first: Path | None) -> tuple[Path, ...]:
    """Return the files with the included model first, which is always run."""
    return tuple(sorted(files, key=lambda file: file.resolve() != first))
