"""The command ``hydranet run PRESET`` starts the node without reading a command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hydranet_ros.__main__ import is_plain_run


@pytest.mark.parametrize(
    ('arguments', 'plain'),
    [
        (['run', 'street'], True),
        (['run', 'street', '--ros-args', '-p', 'threads:=1'], True),
        (['run'], False),
        (['run', '--ros-args', '-p', 'threads:=1'], False),
        (['run', 'street', '--help'], False),
        (['run', 'street', '--', '--ros-args'], False),
        (['predict', 'run'], False),
        ([], False),
    ],
)
def test_only_run_with_a_preset_bypasses_the_command_line(arguments, plain):
    assert is_plain_run(arguments) is plain


def test_the_node_process_imports_no_command_line_packages():
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    code = (
        'import sys, runpy\n'
        'import hydranet_ros.ros.run as run\n'
        'run.main = lambda given: print(given, sorted({"typer", "rich", "torch", "av"} '
        '& set(sys.modules))) or 0\n'
        'sys.argv = ["hydranet", "run", "kitti", "--ros-args", "-p", "threads:=1"]\n'
        'runpy.run_module("hydranet_ros", run_name="__main__")\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        "['hydranet', '--ros-args', '-p', 'preset:=kitti', '--', '--ros-args', '-p', "
        "'threads:=1'] []"
    )
