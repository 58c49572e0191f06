"""``hydranet run``: the status of the node's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for

from hydranet_ros.ros.dds_profile import CHOSEN, PUBLICATION_MODE, SWITCH, TRANSPORTS, VARIABLES

REMOVED = (CHOSEN, PUBLICATION_MODE, SWITCH, TRANSPORTS, *VARIABLES)

RUN = """
import os, signal, sys
from hydranet_ros.ros import run
if os.environ.get('EARLY'):
    run.shutdown_requested = lambda: True
status = run.main(['hydranet', '--ros-args', *sys.argv[1:]])
os.kill(os.getpid(), signal.SIGINT)
import rclpy
print('ended', rclpy.ok(), os.environ.get('RMW_FASTRTPS_PUBLICATION_MODE'))
sys.exit(status)
"""


@pytest.fixture
def start(domain_id, tmp_path):
    """Return a function that starts the node's main function in a process of its own."""
    running: list[subprocess.Popen] = []
    log = tmp_path / 'log'

    def start(*arguments: str, **environment: str):
        kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
        variables = {**kept, 'ROS_DOMAIN_ID': str(domain_id), **environment}
        with log.open('w') as handle:
            process = subprocess.Popen(
                [sys.executable, '-c', RUN, *arguments], stdout=handle, stderr=handle,
                env=variables, cwd=ROOT,
            )  # fmt: skip
        running.append(process)
        return process, log.read_text

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize('mode', ['ASYNCHRONOUS', 'SYNCHRONOUS'])
def test_a_node_that_is_shut_down_ends_with_status_0(start, tiny_model, mode):
    """With the DDS profile it publishes asynchronously, unless the user decides otherwise."""
    chosen = {} if mode == 'ASYNCHRONOUS' else {PUBLICATION_MODE: mode}
    process, text = start('-p', f'model:={tiny_model}', **chosen)
    wait_for(lambda: 'active: /image' in text() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, text()
    assert text().endswith(f'ended False {mode}\n')
    assert '[hydranet]: DDS profile: ' in text()


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        (['-p', 'preset:=mars'], 'mars'),
        (['-p', 'nonsense'], 'The ROS arguments cannot be used: '),
    ],
    ids=['preset', 'arguments'],
)
def test_an_invalid_start_ends_with_status_2_and_one_error(start, arguments, error):
    process, text = start(*arguments)
    assert process.wait(60) == 2, text()
    lines = [line for line in text().splitlines() if line.startswith('hydranet: ')]
    assert len(lines) == 1 and error in lines[0]
    assert 'ended False' in text()
    assert 'Traceback' not in text()


def test_a_signal_before_rclpy_handles_signals_starts_no_node(start):
    process, text = start(EARLY='1')
    assert process.wait(60) == 0, text()
    assert text() == 'ended False ASYNCHRONOUS\n'
