"""
Resolve the extras with pip for each supported version of Python and print the versions chosen.

Run ``python scripts/check_extras.py`` with access to a package index. It installs nothing. pip
reads only the metadata of each wheel where the index answers range requests, about 25 MB for one
combination; otherwise it downloads the wheels, which are gigabytes for the extra ``gpu``. The
exit status is 1 if a combination does not resolve.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ('3.10', '3.11', '3.12', '3.13')
EXTRAS = ('cpu,ros', 'openvino,ros', 'gpu,ros')
# ROS's own packages of Humble and Jazzy need NumPy 1.
WITH_APT_ROS = {('3.10', 'gpu'), ('3.12', 'gpu')}
CONSTRAINTS_ROS = ROOT / 'scripts' / 'constraints-ros.txt'
PLATFORMS = ('manylinux_2_28', 'manylinux_2_27', 'manylinux_2_17', 'manylinux2014')
# Older versions download every wheel in a dry run.
PIP_VERSION = 'pip>=26,<27'
# ros-rosidl-adapter needs it, and it has no wheel, which pip requires for another Python.
WITHOUT_WHEEL = ('empy',)
SHOWN = (
    'numpy',
    'ros-rclpy',
    'onnxruntime',
    'onnxruntime-gpu',
    'openvino',
    'cupy-cuda12x',
    'cupy-cuda13x',
)
# pip evaluates the markers of requirements for the Python that runs it, even if --python-version
# names another one. So the markers' environment is replaced before pip starts.
PIP = """
import sys
from pip._vendor.packaging import markers

python, arguments = sys.argv[1], sys.argv[2:]
environment = dict(markers.default_environment(), python_version=python)
environment.update(python_full_version=python + '.0', implementation_version=python + '.0')
markers.default_environment = lambda: dict(environment)

from pip._internal.cli.main import main

sys.exit(main(arguments))
"""


def main() -> int:
    """Resolve each combination and print one row for it."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--python', nargs='+', default=PYTHONS, metavar='X.Y')
    parser.add_argument('--extras', nargs='+', default=EXTRAS, metavar='A,B')
    options = parser.parse_args()
    failed = 0
    print('| Python | Extras | pip | Versions |\n|---|---|---|---|')
    with tempfile.TemporaryDirectory() as folder:
        pip = install_pip(Path(folder) / 'pip')
        wheels = build_wheels(Path(folder) / 'wheels')
        for python, extras in combinations(options.python, options.extras):
            status, versions, message = resolve(python, extras, pip, wheels)
            failed += status != 0
            row = ', '.join(f'{name} {versions[name]}' for name in SHOWN if name in versions)
            print(f'| {python} | {extras} | {status} | {row} |', flush=True)
            if status:
                print(message, file=sys.stderr)
    return 1 if failed else 0


def combinations(pythons: Sequence[str], extras: Sequence[str]) -> list[tuple[str, str]]:
    """Return what to resolve: each pair, and the extras for NumPy 1 of the requested versions."""
    pairs = list(product(pythons, extras))
    return pairs + sorted(pair for pair in WITH_APT_ROS - set(pairs) if pair[0] in pythons)


def install_pip(folder: Path) -> Path:
    """Install the version of pip that resolves, and return its folder."""
    pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder]
    subprocess.run([*pip, PIP_VERSION], check=True)
    return folder


def build_wheels(folder: Path) -> Path:
    """Build the pure Python packages that have no wheel, and return their folder."""
    pip = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', folder]
    subprocess.run([*pip, *WITHOUT_WHEEL], check=True)
    return folder


def resolve(python: str, extras: str, pip: Path, wheels: Path) -> tuple[int, dict[str, str], str]:
    """
    Resolve the extras for Linux x86-64 without installing.

    :param python: version, such as ``3.12``.
    :param pip: folder of the pip to use.
    :param wheels: folder with wheels of the packages that have none in the index.
    :return: pip's exit status, the chosen version of each package, and pip's error messages.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.json'
        platforms = [f'--platform={name}_x86_64' for name in PLATFORMS]
        options = [
            'install',
            '--dry-run',
            '--ignore-installed',
            '--quiet',
            '--only-binary=:all:',
            '--use-feature=fast-deps',
            '--implementation=cp',
            f'--python-version={python}',
            f'--report={report}',
            f'--find-links={wheels}',
            f'--target={Path(folder) / "target"}',
        ]
        if (python, extras) in WITH_APT_ROS:
            options.append(f'--constraint={CONSTRAINTS_ROS}')
        command = [sys.executable, '-c', PIP, python, *options, *platforms, f'.[{extras}]']
        environment = {**os.environ, 'PYTHONPATH': str(pip)}
        run = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        # pip only warns about an extra that setup.py lacks.
        if run.returncode or 'does not provide the extra' in run.stderr:
            return run.returncode or 1, {}, run.stderr
        items = json.loads(report.read_text(encoding='utf-8'))['install']
    found = {item['metadata']['name'].lower(): item['metadata']['version'] for item in items}
    return 0, found, ''


if __name__ == '__main__':
    sys.exit(main())
