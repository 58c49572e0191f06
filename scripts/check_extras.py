"""
Resolve the extras with pip for each supported version of Python and print the versions chosen.

Run ``python scripts/check_extras.py`` with access to a package index. It installs nothing. pip
reads only the metadata of each wheel where the index answers range requests, about 25 MB for one
combination; otherwise it downloads the wheels, which are gigabytes for the extra ``gpu``. The
packages of TensorRT fetch gigabytes from NVIDIA's index to state their metadata, so only their
own versions are chosen, without their dependencies. The exit status is 1 if a combination does
not resolve.
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
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ('3.10', '3.11', '3.12', '3.13')
TENSORRT = 'tensorrt'
EXTRAS = ('cpu,ros', 'openvino,ros', 'gpu,ros', TENSORRT)
# apt's ROS packages need NumPy 1: Humble has Python 3.10, Jazzy and Kilted have 3.12.
WITH_APT_ROS = set(product(('3.10', '3.12'), ('cpu', 'openvino', 'gpu')))
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
    'tensorrt-cu12',
    'tensorrt-cu13',
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
    """Return each pair, then the requested extras and versions that meet apt's ROS packages."""
    pairs = list(product(pythons, extras))
    first = {names.split(',')[0] for names in extras}
    with_apt = (pair for pair in WITH_APT_ROS if pair[0] in pythons and pair[1] in first)
    return pairs + sorted(set(with_apt) - set(pairs))


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
    options = [
        '--use-feature=fast-deps',
        '--implementation=cp',
        f'--python-version={python}',
        f'--find-links={wheels}',
        *(f'--platform={name}_x86_64' for name in PLATFORMS),
    ]
    if (python, extras) in WITH_APT_ROS:
        options.append(f'--constraint={CONSTRAINTS_ROS}')
    if extras == TENSORRT:
        options += ['--no-deps', *requirements(extras, python, pip)]
    else:
        options += ['--only-binary=:all:', f'.[{extras}]']
    status, items, message = dry_run(python, options, pip)
    found = {item['name'].lower().replace('_', '-'): item['version'] for item in items}
    return status, found, message


def requirements(extra: str, python: str, pip: Path) -> list[str]:
    """Return what setup.py lists for an extra, with the markers of the Python versions."""
    _, (package,), _ = dry_run(python, ['--no-deps', '.'], pip)
    mark = f' and extra == "{extra}"'
    return [text.replace(mark, '') for text in package['requires_dist'] if mark in text]


def dry_run(python: str, options: Sequence[str], pip: Path) -> tuple[int, list[Any], str]:
    """Return pip's exit status, the metadata of each package, and its error messages."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.json'
        command = [
            *(sys.executable, '-c', PIP, python, 'install', '--dry-run', '--ignore-installed'),
            *('--quiet', f'--report={report}', f'--target={folder}/target', *options),
        ]
        environment = {**os.environ, 'PYTHONPATH': str(pip)}
        run = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        # pip only warns about an extra that setup.py lacks.
        if run.returncode or 'does not provide the extra' in run.stderr:
            return run.returncode or 1, [], run.stderr
        items = json.loads(report.read_text(encoding='utf-8'))['install']
    return 0, [item['metadata'] for item in items], ''


if __name__ == '__main__':
    sys.exit(main())
