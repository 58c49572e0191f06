"""Fixtures of the system tests: the command ``hydranet`` as a running process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, TIMEOUT, wait_for

SIGTERM_BIT = 1 << (signal.SIGTERM - 1)


class Running:
    """A process and the log of its output."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open('w') as handle:
            self.process = subprocess.Popen(
                command, stdout=handle, stderr=subprocess.STDOUT, env=environment, cwd=ROOT
            )

    def text(self) -> str:
        """Return the output so far."""
        return self.log.read_text()

    def wait_for_log(self, text: str) -> None:
        """Wait until the output contains a text; fail if the process ends before."""

        def found() -> bool:
            # The order matters: what is written before the end counts.
            ended = self.process.poll() is not None
            if text in self.text():
                return True
            if ended:
                pytest.fail(f'ended without {text!r} in its output:\n{self.text()}')
            return False

        wait_for(found, what=lambda: f'{text!r} in the output:\n{self.text()}')

    def maps(self) -> str:
        """Return the memory map of the process; empty once it has ended."""
        try:
            return Path(f'/proc/{self.process.pid}/maps').read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ''

    def catches_sigterm(self) -> bool:
        """Return whether the process has a handler of its own for SIGTERM; Python has none."""
        lines = Path(f'/proc/{self.process.pid}/status').read_text().splitlines()
        masks = [line.split()[1] for line in lines if line.startswith('SigCgt')]
        return any(int(mask, 16) & SIGTERM_BIT for mask in masks)

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def assert_clean_end(self, *statuses: int) -> None:
        """Wait for the end; fail on a traceback or a status other than 0 and ``statuses``."""
        status = self.process.wait(TIMEOUT)
        assert status in (0, *statuses), self.text()
        assert 'Traceback' not in self.text(), self.text()

    def interrupt(self) -> None:
        """End the process as Ctrl-C does."""
        self.send(signal.SIGINT)
        self.assert_clean_end()


@pytest.fixture
def start(domain_id: int, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a command of ``hydranet``; kill what still runs at the end."""
    running: list[Running] = []

    def start(*arguments: object, **environment: str) -> Running:
        running.append(Running(
            [sys.executable, '-m', 'hydranet_ros', *map(str, arguments)],
            tmp_path / f'process{len(running)}.log',
            {**os.environ, 'ROS_DOMAIN_ID': str(domain_id), 'PYTHONUNBUFFERED': '1',
             **environment},
        ))  # fmt: skip
        return running[-1]

    yield start
    for item in running:
        if item.process.poll() is None:
            item.process.kill()
            item.process.wait()


@pytest.fixture
def start_node(start: Callable[..., Running]) -> Callable[..., Running]:
    """Return a function that starts the node with a model and further ROS arguments."""

    def start_node(model: Path | str, *arguments: str) -> Running:
        return start('run', 'street', '--ros-args', '-p', f'model:={model}', *arguments)

    return start_node


@pytest.fixture
def street_model() -> Path:
    """Return the model that is included; skip the test without it."""
    model = ROOT / 'models' / 'street' / 'street.onnx'
    if not model.is_file():
        pytest.skip('models/street/street.onnx does not exist')
    return model
