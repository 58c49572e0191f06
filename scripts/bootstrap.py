"""
Create ``.venv`` and install the package with the given extras; a second run changes nothing.

Run ``python3 scripts/bootstrap.py EXTRA [EXTRA ...]``; it needs only Python and pip. With a
sourced ROS 2 installation the environment uses its packages, and no rclpy wheel is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / 'scripts' / 'constraints.txt'
CONSTRAINTS_ROS = ROOT / 'scripts' / 'constraints-ros.txt'
CPU_INDEX = 'https://download.pytorch.org/whl/cpu'


def say(text: str) -> None:
    """Print a line of progress."""
    print(f'[setup] {text}', flush=True)


def main() -> int:
    """Install the extras named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('extras', nargs='+', help='extras of setup.py to install')
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv')
    options = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036
        say(f'Python {sys.version.split()[0]} is too old; 3.10 or newer is needed.')
        return 1
    ros = sourced_ros()
    extras = sorted(set(options.extras) - ({'ros'} if ros else set()))
    stamp = options.venv / f'.ready-{fingerprint(ros)}'
    present = set(stamp.read_text(encoding='utf-8').split()) if stamp.is_file() else set()
    if set(extras) <= present:
        say(f'{options.venv.name} is ready.')
        return 0
    started = time.monotonic()
    create_environment(options.venv, ros)
    install(options.venv, extras, ros)
    stamp.write_text(' '.join(sorted(present | set(extras))), encoding='utf-8')
    say(f'{options.venv.name} is ready after {time.monotonic() - started:.0f} s.')
    return 0


def sourced_ros() -> str:
    """Return the distribution of a sourced ROS 2 whose rclpy this interpreter can find."""
    distro = os.environ.get('ROS_DISTRO', '')
    if not distro:
        return ''
    probe = subprocess.run(
        [sys.executable, '-c', 'import rclpy'], capture_output=True, check=False
    )
    if probe.returncode:
        say(f'ROS 2 {distro} is sourced, but {sys.executable} cannot import its rclpy; '
            'the rclpy wheels are used instead.')  # fmt: skip
        return ''
    say(f'ROS 2 {distro} is sourced: its rclpy is used, no rclpy wheel is installed.')
    return distro


def fingerprint(ros: str) -> str:
    """Return a short hash of everything that the environment depends on."""
    parts = [
        ros, sys.version,
        os.environ.get('TORCH_INDEX', ''),
        (ROOT / 'setup.py').read_text(encoding='utf-8'),
        CONSTRAINTS.read_text(encoding='utf-8'),
        CONSTRAINTS_ROS.read_text(encoding='utf-8'),
        str(ROOT),
    ]  # fmt: skip
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]


def create_environment(venv: Path, ros: str) -> None:
    """Create the virtual environment unless it exists."""
    if (venv / 'bin' / 'python').is_file():
        return
    say(f'creating {venv.name} with Python {sys.version.split()[0]}')
    command = [sys.executable, '-m', 'venv', str(venv)]
    if ros:
        command.insert(3, '--system-site-packages')
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    shutil.rmtree(venv, ignore_errors=True)
    if install_system_packages([f'python3.{sys.version_info.minor}-venv']):
        subprocess.run(command, check=True)
        return
    raise SystemExit(
        f'[setup] python -m venv failed:\n{done.stdout}{done.stderr}\n'
        '[setup] On Debian and Ubuntu: sudo apt install python3-venv, then run this again.'
    )


def install_system_packages(names: list[str]) -> bool:
    """Install Debian packages if that needs no password; return whether it worked."""
    if os.geteuid() or not shutil.which('apt-get'):
        return False
    say(f'apt-get install {" ".join(names)}')
    quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
    environment = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    subprocess.run(['apt-get', 'update'], check=False, env=environment, **quiet)
    done = subprocess.run(
        ['apt-get', 'install', '-y', '--no-install-recommends', *names],
        check=False, env=environment, **quiet,
    )  # fmt: skip
    return done.returncode == 0


def install(venv: Path, extras: list[str], ros: str) -> None:
    """Install the package with its extras, PyTorch first."""
    pip = [str(venv / 'bin' / 'python'), '-m', 'pip', 'install', '--disable-pip-version-check']
    constraints = ['-c', str(CONSTRAINTS)]
    if ros:
        constraints += ['-c', str(CONSTRAINTS_ROS)]
    if 'train' in extras and not has_torch(venv):
        install_torch(pip, constraints)
    say(f'installing hydranet_ros[{",".join(extras)}]')
    run([*pip, '-q', *constraints, '-e', f'{ROOT}[{",".join(extras)}]'])
    if 'scenes' not in extras:
        return
    say('installing hydranet_scenes')
    run([*pip, '-q', *constraints, '--no-deps', '-e', str(ROOT / 'hydranet_scenes')])
    if not has_osmesa():
        if install_system_packages(['libosmesa6']):
            say('installed libosmesa6 (MuJoCo renders the scenes with it)')
        else:
            say('libosmesa6 is missing: scenes cannot be rendered here and their tests are '
                'skipped. Install it with: sudo apt install libosmesa6')  # fmt: skip


def has_torch(venv: Path) -> bool:
    """Return whether the environment holds PyTorch already."""
    return any(venv.glob('lib/python*/site-packages/torch/__init__.py'))


def has_nvidia_driver() -> bool:
    """Return whether this machine has an NVIDIA driver."""
    return Path('/proc/driver/nvidia').exists() or shutil.which('nvidia-smi') is not None


def install_torch(pip: list[str], constraints: list[str]) -> None:
    """
    Install PyTorch: the build that ``TORCH_INDEX`` names, else the one this machine can use.

    Without an NVIDIA driver that is the CPU build. Where its index cannot be reached, the default
    registry serves, but only if its build brings no CUDA libraries (gigabytes).
    """
    index = os.environ.get('TORCH_INDEX', '')
    if index == 'default' or (not index and has_nvidia_driver()):
        say('installing PyTorch with CUDA from the default registry (about 3 GB)')
        run([*pip, '-q', *constraints, 'torch'])
        return
    index = index or CPU_INDEX
    say(f'installing PyTorch from {index} (the CPU build is about 200 MB)')
    command = [*pip, '-q', *constraints, '--retries', '1', '--timeout', '15', '--index-url', index]
    done = subprocess.run([*command, 'torch'], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    say(f'{index} cannot be used: {last_line(done.stderr)}')
    cuda = cuda_packages(pip, constraints)
    if cuda:
        raise SystemExit(
            f'[setup] The default registry has PyTorch only with CUDA ({cuda} packages, about '
            '3 GB). To install that: TORCH_INDEX=default make ... ; to use another index of CPU '
            'wheels: TORCH_INDEX=URL make ...'
        )
    say('installing PyTorch from the default registry (a build without CUDA, about 200 MB)')
    run([*pip, '-q', *constraints, 'torch'])


def cuda_packages(pip: list[str], constraints: list[str]) -> int:
    """Return how many CUDA packages the default registry's PyTorch would bring."""
    done = subprocess.run(
        [*pip, '-q', *constraints, '--dry-run', '--report', '-', 'torch'],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f'[setup] PyTorch cannot be installed: {last_line(done.stderr)}')
    items = json.loads(done.stdout)['install']
    return sum(item['metadata']['name'].startswith('nvidia-') for item in items)


def last_line(text: str) -> str:
    """Return the last line of a program's output that is not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else 'no output'


def has_osmesa() -> bool:
    """Return whether MuJoCo can render without a screen."""
    listed = subprocess.run(['/sbin/ldconfig', '-p'], capture_output=True, text=True, check=False)
    return 'libOSMesa' in listed.stdout


def run(command: list[str]) -> None:
    """Run a command; exit with its text if it fails."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(f'[setup] failed ({done.returncode}): {" ".join(command)}')


if __name__ == '__main__':
    sys.exit(main())
