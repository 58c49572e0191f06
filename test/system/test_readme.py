"""
The commands of the README run as written in a copy of the checkout.

Every command has a row in :data:`COMMANDS`, which says how it is run or why it is not.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, wait_for

PROGRAMS = ('make', 'pip', 'hydranet', 'python', 'ros2', 'rosdep', 'colcon', 'source', 'git')

BLOCKS = re.compile(r'^```bash\n(.*?)^```|`([^`\n]+)`', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """
    How a command of the README is tested.

    :param skip: why it is not run here; empty: it is run.
    :param slow: whether it takes minutes.
    :param creates: files that exist afterwards.
    :param after: a command that must run first.
    :param until: output after which the command, which does not end by itself, is interrupted.
    :param needs: Python package without which it cannot run.
    """

    skip: str = ''
    slow: bool = False
    creates: tuple[str, ...] = ()
    after: str = ''
    until: str = ''
    needs: str = ''


INSTALLS = 'make demo installs the same packages in an environment of its own'
INSTALLS_SCENES = 'scripts/bootstrap.py installs the same package for make test'
ROS = 'needs a ROS 2 installation; scripts/check_colcon.sh builds and starts the package'
HOURS = 'trains for hours on a data set that is not included'
SCENES = 'hydranet scenes runs/scenes_val --count 96 --seed 9002'

COMMANDS = {
    'make demo': Row(slow=True, creates=('demo/demo.png', 'demo/demo.mp4', 'demo/results')),
    'make test': Row('would run this test; .ci/run runs it'),
    'make docs': Row('.ci/run runs it; test_docs.py builds the site'),
    'rosdep install --from-paths src -y --ignore-src': Row(ROS),
    "pip install 'cattrs>=23.2,<27'": Row(INSTALLS),
    'colcon build': Row(ROS),
    "pip install '.[cpu,ros]'": Row(INSTALLS),
    "pip install '.[openvino,ros]'": Row(INSTALLS),
    "pip install '.[gpu,ros]'": Row('needs an NVIDIA GPU and gigabytes of downloads'),
    "pip install '.[train,cpu]'": Row(INSTALLS),
    "pip install '.[train,gpu]'": Row('needs an NVIDIA GPU and gigabytes of downloads'),
    'ros2 launch hydranet_ros street.launch.py image:=/front/image_raw rviz:=true': Row(ROS),
    'hydranet doctor': Row(needs='rclpy'),
    'hydranet doctor --full': Row('takes up to ten minutes; test/doctor runs its steps'),
    'source .venv/bin/activate': Row('the tests run in the environment already'),
    'hydranet run street --ros-args -r image:=/front/image_raw': Row(
        until='active: /front/image_raw', needs='rclpy'
    ),
    'hydranet play config/demo_street': Row(needs='rclpy'),
    'hydranet bag config/demo_street -o runs/results': Row(creates=('runs/results',)),
    'hydranet predict test/golden/street.png -o runs/predictions': Row(
        creates=('runs/predictions/street_mask.png', 'runs/predictions/street_depth.npy')
    ),
    'pip install ./hydranet_scenes': Row(INSTALLS_SCENES),
    SCENES: Row(slow=True, creates=('runs/scenes_val/manifest.json',), needs='mujoco'),
    'hydranet eval models/street/street.onnx scenes:runs/scenes_val': Row(
        slow=True, after=SCENES, needs='mujoco'
    ),
    'hydranet train config/train/street.yaml -o runs/street --data CAMVID=data/camvid '
    '--data SCENES=runs': Row(HOURS),
    'hydranet distil runs/street/final.ckpt camvid:data/camvid:train -o runs/camvid_depth '
    '--task depth': Row(f'needs the checkpoint of hydranet train, which {HOURS}'),
    'hydranet export runs/street/final.ckpt --preset street -o my.onnx': Row(
        f'needs the checkpoint of hydranet train, which {HOURS}'
    ),
    'python -m benchmarks --from benchmarks/results/2026-11-21_2228_epyc_2cores.json': Row(),
    'python -m benchmarks': Row('measures for an hour; test/benchmarks runs its parts'),
    'hydranet weights pull ExpKITTI_joint': Row('downloads weights'),
}


def readme_commands() -> list[str]:
    """Return the commands of the code blocks and of the inline code, each once, in order."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    found = []
    for block, inline in BLOCKS.findall(text):
        lines = [re.sub(r'\s+# .*', '', line).strip() for line in block.splitlines()]
        found += [line for line in lines if line]
        if inline.split(' ')[0] in PROGRAMS:
            found.append(inline)
    return list(dict.fromkeys(found))


def test_every_command_of_the_readme_has_a_row_and_every_row_a_command():
    assert sorted(readme_commands()) == sorted(COMMANDS)


def test_every_command_that_is_not_run_has_a_reason():
    assert all(len(row.skip) > 10 for row in COMMANDS.values() if row.skip)


@pytest.fixture(scope='module')
def run_command(tmp_path_factory) -> Callable[[str, int], None]:
    """Return a function that runs a command once in a copy of the files that git tracks."""
    checkout = tmp_path_factory.mktemp('readme') / 'hydranet_ros'
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip('the checkout is not a git repository')
    for name in filter(None, listed.stdout.split('\0')):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name)
    done: set[str] = set()

    def run(command: str, domain: int) -> None:
        if command in done:
            return
        row = COMMANDS[command]
        if row.after:
            run(row.after, domain)
        environment = {
            **os.environ, 'ROS_DOMAIN_ID': str(domain), 'PYTHONUNBUFFERED': '1',
            'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
        }  # fmt: skip
        environment.pop('PYTHONPATH', None)
        log = checkout.parent / 'output.txt'
        with log.open('w') as output:
            process = subprocess.Popen(
                ['bash', '-c', f'exec {command}'], cwd=checkout, env=environment,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                if row.until:
                    wait_for(
                        lambda: row.until in log.read_text() or process.poll() is not None,
                        60,
                        log.read_text,
                    )
                    process.send_signal(signal.SIGINT)
                assert process.wait(1200 if row.slow else 300) == 0, log.read_text()
            finally:
                process.kill()
                process.wait()
        missing = [name for name in row.creates if not (checkout / name).exists()]
        assert not missing and row.until in log.read_text(), log.read_text()
        done.add(command)

    return run


@pytest.mark.parametrize(
    'command',
    [
        pytest.param(
            command,
            marks=[
                *([pytest.mark.skip(reason=row.skip)] if row.skip else []),
                *([pytest.mark.slow, pytest.mark.timeout(1800)] if row.slow else []),
            ],
        )
        for command, row in COMMANDS.items()
    ],
)
def test_a_command_runs_as_written(command, run_command, domain_id):
    if COMMANDS[command].needs:
        pytest.importorskip(COMMANDS[command].needs)
    run_command(command, domain_id)
