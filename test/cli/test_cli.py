"""The application: help, discovery of commands, and errors."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import hydranet
from conftest import ROOT

COMMANDS = (
    'average', 'bag', 'build-engine', 'demo', 'distil', 'doctor', 'eval', 'export', 'play',
    'predict', 'run', 'scenes', 'train', 'weights',
)  # fmt: skip


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['hydranet', '--help']\n"
        'from hydranet_ros.cli import main\n'
        'try: main()\n'
        'except SystemExit: pass\n'
        "heavy = {'numpy', 'cv2', 'yaml', 'torch', 'rclpy', 'onnxruntime', 'rosbags', 'av'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    listed = done.stdout.partition('Commands:')[2].partition('heavy:')[0]
    assert tuple(line.split()[0] for line in listed.splitlines() if line.strip()) == COMMANDS
    assert 'heavy: []' in done.stdout


@pytest.mark.slow
def test_help_answers_in_half_a_second():
    took = []
    for _ in range(5):
        started = time.monotonic()
        hydranet('--help')
        took.append(time.monotonic() - started)
    assert statistics.median(took) < 0.5


@pytest.mark.parametrize('command', [*COMMANDS, 'weights list', 'weights pull'])
def test_every_command_describes_itself_and_all_its_options(command: str):
    import typer

    from hydranet_ros.cli import app

    found = typer.main.get_command(app)
    for name in command.split():
        found = found.commands[name]
    assert found.help
    for item in found.params:
        assert item.help, f'{command}: {item.name} has no help'
        assert item.help.endswith('.'), f'{command}: {item.name}: {item.help}'


def test_the_version_is_that_of_the_package():
    from hydranet_ros import __version__

    done = hydranet('--version')
    assert (done.returncode, done.stdout) == (0, f'hydranet_ros {__version__}\n')


def test_without_arguments_the_help_is_shown():
    assert 'Commands:' in (done := hydranet()).stdout + done.stderr


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['predict', 'x.png', '-o', 'out', '--intrinsics', '1,2'], 'is not FX,FY,CX,CY'),
        (
            ['predict', 'x.png', '-o', 'out', '--min-confidence', '1.1'],
            "Invalid value for '--min-confidence'",
        ),
        (['bag', 'none', '-o', 'out'], 'is not a rosbag2'),
        (['weights', 'pull', 'ExpMars'], 'ExpKITTI_joint'),
        (['play', 'none.mcap'], 'does not exist'),
        (['train', 'none.yaml', '-o', 'run', '--data', 'kitti=x'], 'NAME in capitals'),
        (['scenes', 'out', '--size', '640'], 'is not WIDTHxHEIGHT'),
    ],
)
def test_wrong_input_is_one_error_with_status_2(tmp_path: Path, arguments, message: str):
    if arguments[0] == 'play':
        pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    done = hydranet(*arguments, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('package', 'arguments', 'extra'),
    [
        ('torch', ['average', 'a.ckpt', 'b.ckpt', '-o', 'c.ckpt'], 'hydranet_ros[train]'),
        ('rclpy', ['play', 'none.mcap'], 'hydranet_ros[ros]'),
    ],
)
def test_a_missing_package_names_the_extra_that_installs_it(tmp_path, package, arguments, extra):
    """An import that fails stands for a package that is not installed."""
    code = (
        'import sys\n'
        'class Blocker:\n'
        '    def find_spec(self, name, path=None, target=None):\n'
        f'        if name.split(".")[0] == {package!r}:\n'
        '            raise ModuleNotFoundError(f"No module named {name!r}", name=name)\n'
        'sys.meta_path.insert(0, Blocker())\n'
        f'sys.argv = {["hydranet", *arguments]!r}\n'
        'from hydranet_ros.cli import main\n'
        'main()\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'hydranet: {package} is not installed') and extra in line


def test_a_reader_that_stops_reading_is_not_a_traceback():
    done = subprocess.run(
        f'{sys.executable} -m hydranet_ros --help | true', shell=True, cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert 'Traceback' not in done.stderr
