"""Run all steps, print a line for each case, and keep the report and its archive up to date."""

from __future__ import annotations

import json
import re
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydranet_ros import __version__
from hydranet_ros.doctor.checks import REPORT_FORMAT
from hydranet_ros.doctor.children import Ended, run_child
from hydranet_ros.doctor.full.outcome import Case, Outcome, Step, Verdict
from hydranet_ros.doctor.full.steps import STEPS
from hydranet_ros.files import atomic_path, write_atomically

MINUTES = 10.0
_MARGIN = 0.95
_SHORTEST = 2.0
_RESULT_KEYS = ('verdict', 'text')


@dataclass(frozen=True)
class FullOptions:
    """
    Options of :func:`run_full`.

    :param minutes: duration of the whole run at most; the limit of each case grows with it.
    :param names: names of the steps to run, besides the first; all if empty.
    """

    json_file: Path
    minutes: float = MINUTES
    names: frozenset[str] = frozenset()

    @property
    def archive(self) -> Path:
        """Return the archive beside the JSON file."""
        return self.json_file.with_suffix('.tar.gz')


def run_full(
    options: FullOptions,
    *,
    steps: Sequence[Step] = STEPS,
    report: Callable[[str], object] = print,
) -> tuple[Outcome, ...]:
    """
    Run all steps and write the JSON file after each case; return the outcomes.

    The archive is also written when the run is interrupted.

    :param report: receives a line for each case.
    :raises OSError: if the JSON file or the archive cannot be written.
    """
    with TemporaryDirectory(prefix='hydranet_doctor_', ignore_cleanup_errors=True) as name:
        run = _Run(options, Path(name), report)
        try:
            run.all(steps)
        finally:
            run.write()
            run.archive()
    return tuple(run.outcomes)


class _Run:
    """
    The state of a run.

    :param folder: for the logs, and for the compiled models that the cases share.
    """

    def __init__(
        self, options: FullOptions, folder: Path, report: Callable[[str], object]
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._options = options
        self._folder = folder
        self._report = report
        self._begin = time.monotonic()
        self._started = datetime.now(timezone.utc)
        self._scale = options.minutes / MINUTES
        self._lines: list[str] = []
        (folder / 'logs').mkdir()
        (folder / 'cache').mkdir()

    def all(self, steps: Sequence[Step]) -> None:
        """Run the steps; the results of the first one plan the others."""
        survey: Mapping[str, Any] = {}
        seconds = 0.0
        for index, step in enumerate(steps):
            # A step may also use the time that the steps before it left.
            seconds += step.share * self._scale
            if index and self._options.names and step.name not in self._options.names:
                continue
            until = min(self._begin + seconds, self._end)
            facts = {**survey, 'cache': str(self._folder / 'cache')}
            for case in step.plan(facts):
                self._add(self._outcome(step, case, until))
            if not index:
                survey = self.outcomes[-1].results.get('survey', {})

    @property
    def _end(self) -> float:
        return self._begin + 60 * self._options.minutes * _MARGIN

    def _outcome(self, step: Step, case: Case, until: float) -> Outcome:
        """
        Run a case that the machine can run, while there is time.

        :param until: end of the step on the clock of ``time.monotonic``.
        """
        if case.reason:
            return Outcome(step.number, step.name, case.label, Verdict.NOT_RUN, case.reason)
        left, limit = until - time.monotonic(), case.limit * self._scale
        if left < _SHORTEST:
            return Outcome(step.number, step.name, case.label, Verdict.NOT_RUN, self._no_time)
        ended = run_child(
            case.module, case.arguments, limit=min(left, limit), environment=case.environment
        )
        found = replace(judge(step, case, ended), log=self._keep_log(step, case, ended.log))
        if ended.timed_out and left < limit:
            return replace(found, verdict=Verdict.NOT_RUN, text=self._no_time)
        return found

    @property
    def _no_time(self) -> str:
        longer = 2 * self._options.minutes
        return f'the time of this step is used up; try --minutes {longer:g}'

    def _keep_log(self, step: Step, case: Case, log: str) -> str:
        if not log.strip():
            return ''
        name = re.sub(r'[^\w.]+', '_', f'{step.number}_{step.name}_{case.label}').strip('_')
        (self._folder / 'logs' / f'{name}.txt').write_text(log, encoding='utf-8')
        return f'logs/{name}.txt'

    def _add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._lines.append(outcome.line())
        self._report(outcome.line())
        self.write()

    def write(self) -> None:
        """Write the JSON file."""
        text = json.dumps(self.as_json(), indent=1, allow_nan=False)
        write_atomically(self._options.json_file, f'{text}\n'.encode())

    def as_json(self) -> dict[str, Any]:
        """Return the report so far."""
        counts = {
            verdict.value: sum(outcome.verdict is verdict for outcome in self.outcomes)
            for verdict in Verdict
        }
        return {
            'format': REPORT_FORMAT, 'hydranet_ros': __version__,
            'started': self._started.isoformat(timespec='seconds'),
            'seconds': round(time.monotonic() - self._begin, 1), 'counts': counts,
            'outcomes': [outcome.as_json() for outcome in self.outcomes],
        }  # fmt: skip

    def archive(self) -> None:
        """Write the archive: the JSON file, the lines of the screen, the logs."""
        screen = self._folder / 'screen.txt'
        screen.write_text('\n'.join(self._lines) + '\n', encoding='utf-8')
        with (
            atomic_path(self._options.archive) as temporary,
            tarfile.open(temporary, 'w:gz') as archive,
        ):
            archive.add(self._options.json_file, 'doctor.json')
            archive.add(screen, 'screen.txt')
            archive.add(self._folder / 'logs', 'logs')


def judge(step: Step, case: Case, ended: Ended) -> Outcome:
    """Return the outcome of a case that has ended."""
    results = {key: value for item in ended.results for key, value in item.items()}
    verdict, text = (results.pop(key, '') for key in _RESULT_KEYS)
    if ended.problem:
        verdict, text = Verdict.FAIL.value, ended.problem
    elif not verdict:
        verdict, text = Verdict.FAIL.value, 'the process ended without a verdict'
    return Outcome(
        step.number, step.name, case.label, Verdict(verdict), text, ended.seconds, results
    )
