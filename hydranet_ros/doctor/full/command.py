"""``hydranet doctor --full``: the run with its lines on the screen, and its exit status."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hydranet_ros.doctor.full.outcome import Verdict
from hydranet_ros.doctor.full.runner import FullOptions, run_full
from hydranet_ros.doctor.full.steps import STEPS
from hydranet_ros.errors import DoctorError

_INTERRUPTED = 130


def run_and_print(file: Path, *, minutes: float, names: frozenset[str] = frozenset()) -> int:
    """
    Run the steps, print a line for each case, and return the exit status: 1 if a case failed.

    :param file: JSON file; the archive is written beside it.
    :param minutes: longest duration.
    :param names: steps to run; all if empty.
    :raises DoctorError: if a step does not exist or the files cannot be written.
    """
    known = [step.name for step in STEPS]
    unknown = sorted(names - set(known))
    if unknown:
        raise DoctorError(f'Step {unknown[0]!r} does not exist; steps: {", ".join(known)}.')
    options = FullOptions(file, minutes, names)
    report = partial(print, flush=True)
    report(f'At most {minutes:g} minutes. Stop other programs, which would change the times.')
    try:
        outcomes = run_full(options, report=report)
    except KeyboardInterrupt:
        report(f'Interrupted. What is known so far: {options.archive}')
        return _INTERRUPTED
    except OSError as err:
        raise DoctorError(f'The results cannot be written: {err}.') from err
    counts = ', '.join(
        f'{sum(outcome.verdict is verdict for outcome in outcomes)} {verdict.value}'
        for verdict in Verdict
    )
    report(f'{counts}. Results: {file}. Archive to send: {options.archive}')
    return int(any(outcome.verdict is Verdict.FAIL for outcome in outcomes))
