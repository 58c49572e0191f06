"""Step 3, first case: the self-test of every model file, form by form, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.full.outcome import judged
from hydranet_ros.doctor.model_files import find_model_files, model_checks, start_trial

_ALL = float('inf')


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the checks of every model file."""
    files = find_model_files()
    with ExitStack() as stack:
        child = start_trial(stack, files, budget=_ALL)
        checks = list(model_checks(files, child.wait(), budget=_ALL))
    yield {'checks': [check.as_json() for check in checks]}
    failed = [f'{check.name}: {check.text}' for check in checks if check.status is Status.FAIL]
    without = sum(check.status is Status.WARNING for check in checks)
    text = f'{len(checks) - without} of {len(checks)} files passed'
    yield judged(failed, text + (f', {without} without a self-test' if without else ''))
