"""Segments of killed processes are reclaimed, those of live processes stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from hydranet_ros.ros.dds_profile import apply_dds_profile
from hydranet_ros.ros.shared_memory import SHARED_MEMORY, reclaim_segments, shared_memory_problem

PARTICIPANT = """
from hydranet_ros.ros.dds_profile import apply_dds_profile
apply_dds_profile()
import rclpy, time
from rclpy.node import Node
rclpy.init()
node = Node('owner')
print('ready', flush=True)
time.sleep(120)
"""


@pytest.fixture
def participant(domain_id):
    """Return a function that starts a process with a participant and waits until it is ready."""
    if not SHARED_MEMORY.is_dir():
        pytest.skip('this system has no /dev/shm')
    running: list[subprocess.Popen] = []

    def start(domain: int = domain_id) -> tuple[subprocess.Popen, set[Path]]:
        process = subprocess.Popen(
            [sys.executable, '-c', PARTICIPANT], cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'ROS_DOMAIN_ID': str(domain)},
        )  # fmt: skip
        running.append(process)
        assert process.stdout.readline().strip() == 'ready'
        maps = Path(f'/proc/{process.pid}/maps').read_text().splitlines()
        names = {Path(line.split()[-1]) for line in maps if '/dev/shm/fastdds_' in line}
        segments = {path for path in names if 'port' not in path.name}
        if not segments:
            pytest.skip('/dev/shm is too small for a segment')
        return process, segments

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize('reclaim', [reclaim_segments, apply_dds_profile])
def test_a_killed_process_leaves_nothing_after_the_next_start(participant, reclaim):
    process, segments = participant()
    process.kill()
    process.wait()
    reclaim()
    assert not any(path.exists() for path in segments)
    assert not any(Path(f'{path}_el').exists() for path in segments)


def test_the_segment_of_a_live_process_stays(participant):
    process, segments = participant()
    before = {path: path.stat().st_ino for path in segments}
    reclaim_segments()
    assert {path: path.stat().st_ino for path in segments} == before
    assert all(Path(f'{path}_el').exists() for path in segments)


def test_the_segment_of_a_stopped_process_stays(participant):
    process, segments = participant()
    process.send_signal(signal.SIGSTOP)
    reclaim_segments()
    assert all(path.exists() for path in segments)


def test_only_segments_with_a_free_lock_file_are_removed(tmp_path):
    kept = ['fastdds_port7400', 'fastdds_port7400_el', 'sem.fastdds_port7400_mutex', 'other',
            'fastdds_00112233445566aa', 'fastdds_ffffffffffffffff_el']  # fmt: skip
    for name in [*kept, 'fastdds_0123456789abcdef', 'fastdds_0123456789abcdef_el']:
        (tmp_path / name).write_bytes(bytes(4096))
    assert reclaim_segments(tmp_path) == 4096
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_a_missing_folder_is_not_an_error(tmp_path):
    assert reclaim_segments(tmp_path / 'none') == 0
    assert shared_memory_problem(tmp_path / 'none') == ''


def in_full_shared_memory(script: str) -> subprocess.CompletedProcess:
    """Run a shell script where /dev/shm is a full file system of 1 MiB."""
    mount = 'mount -t tmpfs -o size=1m tmpfs /dev/shm || exit 77; ' + script
    try:
        done = subprocess.run(
            ['unshare', '-m', 'sh', '-c', mount, 'sh', sys.executable],
            capture_output=True, text=True, timeout=60, cwd=ROOT,
        )  # fmt: skip
    except OSError as err:
        pytest.skip(f'unshare is not installed: {err}')
    if done.returncode == 77 or 'unshare' in done.stderr:
        pytest.skip(f'this user may not mount: {done.stderr.strip()}')
    return done


@pytest.mark.parametrize('command', ['run street', 'play missing.mcap', 'demo'])
def test_a_full_shared_memory_is_one_line_and_exit_status_2(command):
    done = in_full_shared_memory(
        f'dd if=/dev/zero of=/dev/shm/fill bs=4k 2>/dev/null; exec "$1" -m hydranet_ros {command}'
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert '/dev/shm has only 0 KiB free' in done.stderr


def test_a_shared_memory_full_of_abandoned_segments_does_not_stop_a_start():
    done = in_full_shared_memory(
        'f=/dev/shm/fastdds_0123456789abcdef; : > ${f}_el; dd if=/dev/zero of=$f bs=4k '
        '2>/dev/null; "$1" -m hydranet_ros run mars; s=$?; test ! -e $f && exit $s'
    )
    assert done.returncode == 2, done.stderr
    assert 'mars' in done.stderr
