"""Segments of killed participants are reclaimed, and a full shared memory is one clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for

from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.shared_memory import SHARED_MEMORY, reclaim_segments

PARTICIPANT = """
from hydranet_ros.ros.dds_profile import apply_dds_profile
apply_dds_profile()
import rclpy, sys
from rclpy.node import Node
rclpy.init()
node = Node('owner')
print('ready', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def participant(domain_id: int) -> Iterator[Callable[[], tuple[subprocess.Popen, set[Path]]]]:
    """Return a function that starts a participant; it returns the process and its segments."""
    if not SHARED_MEMORY.is_dir():
        pytest.skip(f'this system has no {SHARED_MEMORY}')
    running: list[subprocess.Popen] = []

    def start() -> tuple[subprocess.Popen, set[Path]]:
        process = subprocess.Popen(
            [sys.executable, '-c', PARTICIPANT], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'ROS_DOMAIN_ID': str(domain_id)},
        )  # fmt: skip
        running.append(process)
        assert process.stdout.readline().strip() == 'ready'
        maps = Path(f'/proc/{process.pid}/maps').read_text().splitlines()
        names = {Path(line.split()[-1]) for line in maps if '/dev/shm/fastdds_' in line}
        segments = {path for path in names if 'port' not in path.name}
        if not segments:
            pytest.skip(f'{SHARED_MEMORY} is too small for a segment')
        return process, segments

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize('reclaim', [reclaim_segments, apply_dds_profile])
def test_the_segment_of_a_killed_process_is_reclaimed_by_the_next_start(participant, reclaim):
    process, segments = participant()
    process.kill()
    process.wait()
    files = [*segments, *(Path(f'{path}_el') for path in segments)]

    def gone() -> bool:
        # Another process may hold the lock to remove them, and a test may kill that process.
        reclaim()
        return not any(path.exists() for path in files)

    wait_for(gone, what=lambda: f'no file of {sorted(map(str, segments))}')


@pytest.mark.parametrize('stopped', [False, True])
def test_the_segment_of_a_running_or_stopped_process_is_kept(participant, stopped):
    process, segments = participant()
    if stopped:
        process.send_signal(signal.SIGSTOP)
    before = {path: path.stat().st_ino for path in segments}
    reclaim_segments()
    assert {path: path.stat().st_ino for path in segments} == before
    assert all(Path(f'{path}_el').exists() for path in segments)


def run_in_full_shared_memory(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where /dev/shm is a full file system of 1 MiB."""
    mount = 'mount -t tmpfs -o size=1m tmpfs /dev/shm || exit 77; ' + script
    try:
        done = subprocess.run(
            ['unshare', '-m', 'sh', '-c', mount, 'sh', sys.executable],
            capture_output=True, text=True, timeout=120, cwd=ROOT,
        )  # fmt: skip
    except OSError as err:
        pytest.skip(f'unshare is not installed: {err}')
    if done.returncode == 77 or 'unshare' in done.stderr:
        pytest.skip(f'this user may not mount: {done.stderr.strip()}')
    return done


@pytest.mark.parametrize('command', ['run street', 'play missing.mcap', 'demo'])
def test_a_full_shared_memory_is_one_line_with_status_2(command):
    done = run_in_full_shared_memory(
        f'dd if=/dev/zero of=/dev/shm/fill bs=4k 2>/dev/null; exec "$1" -m hydranet_ros {command}'
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert '/dev/shm has only 0 KiB free' in done.stderr


def test_a_shared_memory_full_of_abandoned_segments_does_not_prevent_a_start():
    done = run_in_full_shared_memory(
        'f=/dev/shm/fastdds_0123456789abcdef; : > ${f}_el; dd if=/dev/zero of=$f bs=4k '
        '2>/dev/null; "$1" -m hydranet_ros run mars; s=$?; test ! -e $f && exit $s'
    )
    assert done.returncode == 2, done.stderr
    assert 'mars' in done.stderr
