"""
Run a function in a process of its own, with a time limit.

A broken GPU library can hang or kill the process that loads it. So each trial is a child process
that writes its results line by line, and what it wrote before its end is kept.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydranet_ros.doctor.worker import EXCEPTION

_WORKER = 'hydranet_ros.doctor.worker'


@dataclass(frozen=True)
class Ended:
    """
    A child process that has ended.

    :param results: what its function yielded.
    :param problem: why it did not reach the end of its function; empty if it did.
    :param log: its standard output and standard error.
    :param seconds: duration.
    :param timed_out: whether it was killed at the time limit.
    """

    results: tuple[dict[str, Any], ...]
    problem: str
    log: str
    seconds: float
    timed_out: bool = False

    @property
    def last(self) -> dict[str, Any]:
        """Return the last result; empty if there is none."""
        return self.results[-1] if self.results else {}


class Child:
    """
    A process that runs the function ``run`` of a module; a context manager that ends it.

    :param module: its ``run`` takes the arguments as a mapping and yields mappings.
    :param arguments: values that JSON can hold.
    :param limit: seconds after which the process and its own children are killed.
    :param environment: variables to set in addition; ``None`` removes a variable.
    """

    def __init__(
        self,
        module: str,
        arguments: Mapping[str, Any],
        *,
        limit: float,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        self.limit = limit
        self._folder = TemporaryDirectory(prefix='hydranet_doctor_', ignore_cleanup_errors=True)
        self._results = Path(self._folder.name, 'results.jsonl')
        self._log = Path(self._folder.name, 'log.txt')
        self._start = time.monotonic()
        command = [sys.executable, '-m', _WORKER, module, json.dumps(dict(arguments)),
                   str(self._results), str(limit)]  # fmt: skip
        with self._log.open('wb') as log:
            # A session of its own: its children are killed with it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=_variables(environment or {}), start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._folder.cleanup()

    def wait(self) -> Ended:
        """Return when the process has ended or its time is over."""
        timed_out = False
        try:
            status = self._process.wait(max(0.0, self._start + self.limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            timed_out = True
            status = self._kill()
        seconds = time.monotonic() - self._start
        log = self._log.read_text(encoding='utf-8', errors='replace')
        results = self._read_results()
        exception = results[-1].get(EXCEPTION, '') if results else ''
        if exception:
            results = results[:-1]
        problem = exception or _problem(status, log)
        if timed_out:
            problem = f'no result within {self.limit:.0f} s'
        return Ended(results, problem, log, seconds, timed_out)

    def _kill(self) -> int:
        """End the process and its children; return its status."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _read_results(self) -> tuple[dict[str, Any], ...]:
        try:
            lines = self._results.read_text(encoding='utf-8').splitlines()
        except OSError:
            return ()
        found = []
        for line in lines:
            with suppress(ValueError):  # the process was killed while it wrote the last line
                found.append(json.loads(line))
        return tuple(found)


def run_child(
    module: str,
    arguments: Mapping[str, Any],
    *,
    limit: float,
    environment: Mapping[str, str | None] | None = None,
) -> Ended:
    """Run the function ``run`` of a module in a process; see :class:`Child`."""
    with Child(module, arguments, limit=limit, environment=environment) as child:
        return child.wait()


def _variables(changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return this process's environment with changes."""
    variables = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    for name, value in changes.items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    return variables


def _problem(status: int, log: str) -> str:
    if status == 0:
        return ''
    if status < 0:
        with suppress(ValueError):
            return f'the process was ended by {signal.Signals(-status).name}'
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f'the process ended with status {status}'
