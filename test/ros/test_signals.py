"""Signals before rclpy handles them, during the teardown, and twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for

SIGTERM_BIT = 1 << (signal.SIGTERM - 1)


@pytest.fixture
def hydranet(domain_id, tmp_path):
    """Return a function that starts a command of ``hydranet``; the rest is killed at the end."""
    running: list[subprocess.Popen] = []

    def start(*arguments: str) -> tuple[subprocess.Popen, Path]:
        log = tmp_path / f'{len(running)}.log'
        with log.open('w') as handle:
            process = subprocess.Popen(
                [sys.executable, '-m', 'hydranet_ros', *arguments], cwd=ROOT, stdout=handle,
                stderr=subprocess.STDOUT, env={**os.environ, 'ROS_DOMAIN_ID': str(domain_id)},
            )  # fmt: skip
        running.append(process)
        return process, log

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()


def catches_sigterm(process: subprocess.Popen) -> bool:
    """Return whether the process has a handler of its own for SIGTERM; Python has none."""
    lines = Path(f'/proc/{process.pid}/status').read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith('SigCgt'))
    return bool(int(mask, 16) & SIGTERM_BIT)


@pytest.mark.parametrize('command', ['run', 'play', 'demo'])
def test_signals_are_handled_before_rclpy_is_loaded(hydranet, command):
    process, log = hydranet(command, 'street')

    def loaded_or_handled() -> bool:
        if process.poll() is not None:
            pytest.fail(log.read_text())
        return catches_sigterm(process) or '_rclpy' in maps()

    def maps() -> str:
        return Path(f'/proc/{process.pid}/maps').read_text()

    wait_for(loaded_or_handled, 20)
    assert catches_sigterm(process)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('delay', [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_an_early_signal_ends_the_node_quietly(hydranet, tiny_model, number, delay):
    process, log = hydranet('run', 'street', '--ros-args', '-p', f'model:={tiny_model}')
    wait_for(lambda: catches_sigterm(process), 20, 'a handler')
    time.sleep(delay)  # a point in time of the start, not a wait
    process.send_signal(number)
    assert process.wait(10) in (0, 128 + number), log.read_text()
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_early_signal_ends_the_player_quietly(hydranet, number):
    process, log = hydranet('play', str(ROOT / 'config' / 'demo_street'))
    wait_for(lambda: catches_sigterm(process), 20, 'a handler')
    process.send_signal(number)
    assert process.wait(10) in (0, 128 + number), log.read_text()
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize('attempt', range(5))
def test_a_second_ctrl_c_does_not_interrupt_the_teardown(hydranet, tiny_model, attempt):
    process, log = hydranet('run', 'street', '--ros-args', '-p', f'model:={tiny_model}')
    wait_for(lambda: 'active:' in log.read_text(), 30)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)  # the interval under test
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


def test_no_number_of_signals_interrupts_the_teardown(hydranet, tiny_model):
    process, log = hydranet('run', 'street', '--ros-args', '-p', f'model:={tiny_model}')
    wait_for(lambda: 'active:' in log.read_text(), 30)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    assert process.returncode == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


def test_a_second_ctrl_c_does_not_interrupt_the_player(hydranet, tmp_path):
    process, log = hydranet('play', str(ROOT / 'config' / 'demo_street'), '--loop', '--delay', '0')
    wait_for(lambda: Path(f'/proc/{process.pid}/maps').read_text().count('/dev/shm/fastdds'), 30)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)  # the interval under test
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()
