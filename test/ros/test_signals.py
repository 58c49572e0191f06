"""Signals end a starting process, shut down a running one, and do not interrupt a teardown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

SIGINT, SIGTERM = int(signal.SIGINT), int(signal.SIGTERM)
PRELUDE = """
import os, signal, sys
from hydranet_ros.ros import signals
from hydranet_ros.ros.signals import (
    begin_running, handle_signals, ignore_signals, shutdown_requested)
assert 'rclpy' not in sys.modules
signals_of_test = [int(item) for item in sys.argv[1:]]
def send():
    os.kill(os.getpid(), signals_of_test.pop(0))
def interrupted():
    try:
        send()
    except KeyboardInterrupt:
        return True
    return False
"""


def run(code: str, *numbers: int, **options) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own; its ``send`` raises one signal after the other."""
    environment = {name: value for name, value in os.environ.items()
                   if name != 'PYTHONUNBUFFERED'}  # fmt: skip
    return subprocess.run(
        [sys.executable, '-c', PRELUDE + code, *map(str, numbers)], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=60, **options,
    )  # fmt: skip


def printed(code: str, *numbers: int, **options) -> list[str]:
    done = run(code, *numbers, **options)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout.split()


@pytest.mark.parametrize('number', [SIGINT, SIGTERM])
def test_a_signal_ends_a_starting_process_with_its_status_and_keeps_the_output(number):
    code = """
sys.stdout.write('out'); sys.stderr.write('err')
handle_signals()
send()
print('not reached')
"""
    done = run(code, number)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, 'out', 'err')


def test_a_closed_output_does_not_prevent_the_end():
    done = run('handle_signals(); sys.stdout.close(); send()', SIGTERM)
    assert done.returncode == 128 + SIGTERM


def test_the_first_interrupting_signal_raises_and_the_following_do_nothing():
    code = """
handle_signals()
begin_running()
print(shutdown_requested())
print(interrupted(), shutdown_requested(), interrupted(), interrupted())
"""
    assert printed(code, SIGINT, SIGINT, SIGTERM) == ['False', 'True', 'True', 'False', 'False']


def test_by_default_sigterm_only_requests_the_shutdown():
    code = """
handle_signals()
begin_running()
print(interrupted(), shutdown_requested(), interrupted())
"""
    assert printed(code, SIGTERM, SIGINT) == ['False', 'True', 'False']


def test_sigterm_can_interrupt_too():
    code = """
handle_signals()
begin_running(interrupting=signals.SIGNALS)
print(interrupted(), interrupted())
"""
    assert printed(code, SIGTERM, SIGTERM) == ['True', 'False']


def test_a_teardown_ignores_both_signals_until_the_interpreter_has_ended():
    code = """
import atexit
atexit.register(send)
handle_signals()
begin_running()
ignore_signals()
print(shutdown_requested(), interrupted(), interrupted())
"""
    assert printed(code, SIGINT, SIGTERM, SIGINT) == ['True', 'False', 'False']


def test_the_end_of_a_process_ignores_signals_without_a_teardown():
    """An object that is collected while the interpreter ends receives the signal."""
    code = """
class Last:
    def __init__(self, kill, pid, number):
        self.call = lambda: kill(pid, number)
    def __del__(self):
        self.call()
last = Last(os.kill, os.getpid(), signals_of_test[0])
handle_signals()
begin_running()
print('end')
"""
    assert printed(code, SIGTERM) == ['end']


def test_a_second_call_changes_nothing():
    code = """
handle_signals()
begin_running()
handle_signals()
print(interrupted())
"""
    assert printed(code, SIGINT) == ['True']


def test_a_signal_that_the_parent_ignores_stays_ignored():
    """As in the background jobs of a shell."""
    code = """
handle_signals()
send()
print('running', signal.getsignal(signal.SIGTERM) is signals._handle)
"""
    options = {'preexec_fn': lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)}
    assert printed(code, SIGINT, **options) == ['running', 'True']


def test_both_signals_are_handled():
    code = 'handle_signals(); print(*(signal.getsignal(n) is signals._handle for n in (2, 15)))'
    assert printed(code) == ['True', 'True']
