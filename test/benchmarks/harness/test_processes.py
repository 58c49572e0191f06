"""Child processes of a suite: commands, events, logs, and their end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import wait_for

from benchmarks.harness.processes import Process
from hydranet_ros.errors import BenchError


def process(tmp_path: Path, code: str) -> Process:
    return Process([sys.executable, '-c', code], os.environ, tmp_path / 'log')


def test_a_process_that_ends_early_is_an_error_with_its_last_lines(tmp_path):
    with (
        process(tmp_path, 'raise SystemExit("out of luck")') as child,
        pytest.raises(BenchError, match=r'ended with status 1(.|\n)*out of luck'),
    ):
        child.next_event()


def test_a_process_without_events_is_an_error_at_the_timeout(tmp_path):
    with (
        process(tmp_path, 'import time; time.sleep(60)') as child,
        pytest.raises(BenchError, match='sent no event'),
    ):
        child.next_event(0.2)


def test_commands_and_events_are_exchanged_and_other_output_is_logged(tmp_path):
    code = """
from benchmarks.harness.processes import Commands, emit_event
import time
print('only for the log')
Commands().serve(lambda words: emit_event(words=words), lambda: time.sleep(0.01))
"""
    with process(tmp_path, code) as child:
        child.send('add', 1, 2.5)
        assert child.next_event() == {'words': ['add', '1', '2.5']}
        assert child.poll_event(0.05) is None
        assert child.pending_events() == []
        child.wait_for_log('only for the log', failure='error')


def test_a_process_that_logs_its_failure_is_an_error(tmp_path):
    with (
        process(tmp_path, 'print("it failed", flush=True); input()') as child,
        pytest.raises(BenchError, match='it failed'),
    ):
        child.wait_for_log('ready', failure='failed')


def test_cpu_time_memory_and_page_faults_are_counted(tmp_path):
    code = """
import time
from benchmarks.harness.processes import emit_event
input()
until = time.process_time() + 0.2
while time.process_time() < until:
    pass
block = bytearray(64 << 20)
emit_event(done=time.process_time())
time.sleep(60)
"""
    with process(tmp_path, code) as child:
        before = child.cpu_seconds(), child.resident_bytes(), child.page_faults()
        child.send()
        done = child.next_event()['done']
        assert 0.2 <= done <= child.cpu_seconds()
        assert child.cpu_seconds() - before[0] >= 0.2
        assert child.resident_bytes() - before[1] > 60 << 20
        assert child.page_faults() > before[2]
        begin = time.monotonic()
        status, took = child.stop()
        assert status != 0 and took <= time.monotonic() - begin


def test_a_process_ends_when_its_parent_is_killed(tmp_path):
    """The child does not read stdin, as the node does not."""
    code = f"""
import os, sys, time
from pathlib import Path
from benchmarks.harness.processes import Process
child = Process(['sleep', '600'], os.environ, Path({str(tmp_path / 'inner')!r}))
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True) as done:
        child = int(done.stdout.readline())
        assert Path(f'/proc/{child}').exists()
        done.kill()
    wait_for(lambda: not is_running(child), 60, 'the end of the child')


def is_running(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False
