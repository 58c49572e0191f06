"""``hydranet scenes`` in processes of its own: same seed, same bytes."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import wait_for

from hydranet_scenes.bag import write_drive
from hydranet_scenes.dataset import render_dataset

FRAMES = 4


def slow(*kinds: str) -> list:
    return [pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


def start(folder: Path, kind: str, *options: str) -> subprocess.Popen:
    command = [sys.executable, '-m', 'hydranet_ros', 'scenes', str(folder), '--kind', kind,
               '--seed', '3', '--size', '64x48', *options]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob('*')) if path.is_file()}  # fmt: skip


def kill_at_first_frame(folder: Path, kind: str) -> None:
    """Start a data set and kill the process when its first frame is complete."""
    process = start(folder, kind, '--count', str(FRAMES))
    wait_for(lambda: process.poll() is not None or list(folder.glob('*.depth.png')), 300)
    assert list(folder.glob('*.depth.png')), 'the process ended without a frame'
    process.send_signal(signal.SIGKILL)
    process.communicate()


def unfinished_dataset(folder: Path, kind: str) -> Path:
    """Return a data set whose process was killed before it wrote the manifest."""
    for attempt in range(10):
        killed = folder / f'killed{attempt}'
        kill_at_first_frame(killed, kind)
        if not (killed / 'manifest.json').exists():
            return killed
    pytest.fail('every process finished before it was killed')


@pytest.mark.parametrize('kind', ['rooms', *slow('streets', 'old_town')])
def test_a_killed_run_resumes_with_the_same_bytes(kind: str, street_view, tmp_path: Path):
    unfinished = unfinished_dataset(tmp_path, kind)
    resumed = start(unfinished, kind, '--count', str(FRAMES))
    render_dataset(tmp_path / 'whole', count=FRAMES, seed=3, size=(48, 64), kind=kind)
    finish(resumed)
    assert len(hashes(tmp_path / 'whole')) == 3 * FRAMES + 1
    assert hashes(unfinished) == hashes(tmp_path / 'whole')


@pytest.mark.parametrize('kind', ['streets', *slow('old_town', 'rooms')])
def test_a_bag_has_the_same_bytes_in_every_process(kind: str, street_view, tmp_path: Path):
    for name in ('there', 'here'):
        (tmp_path / name).mkdir()
    bag = start(tmp_path / 'there' / 'bag', kind, '--bag', '--count', '1')
    write_drive(tmp_path / 'here' / 'bag', frames=1, seed=3, size=(48, 64), kind=kind)
    finish(bag)
    assert len(hashes(tmp_path / 'here')) == 2
    assert hashes(tmp_path / 'here') == hashes(tmp_path / 'there')


def test_without_hydranet_scenes_one_line_names_the_command_that_installs_it(tmp_path: Path):
    code = ("import sys; sys.modules['hydranet_scenes'] = None; sys.argv[0] = 'hydranet'; "
            'from hydranet_ros.cli import main; main()')  # fmt: skip
    command = [sys.executable, '-c', code, 'scenes', str(tmp_path / 'out')]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert 'hydranet_scenes' in line and 'pip install ./hydranet_scenes' in line
