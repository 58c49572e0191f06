"""
Make ``.venv`` ready and say what was done; a second run finds it ready and is quick.

Run as ``python3 scripts/bootstrap.py EXTRA [EXTRA ...]``, needs nothing but Python and pip.
Where a ROS 2 installation is sourced, the environment sees its packages and no rclpy wheel is
installed over them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / 'scripts' / 'constraints.txt'
CONSTRAINTS_ROS = ROOT / 'scripts' / 'constraints-ros.txt'


def say(text: str) -> None:
    """Print a line of progress."""
    print(f'[setup] {text}', flush=True)


def main() -> int:
    """Set up the environment that the arguments ask for."""
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
    say(f'{options.venv.name} made ready in {time.monotonic() - started:.0f} s.')
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
    """Return what the finished environment depends on, as a short name."""
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
    """Make the virtual environment unless it is there."""
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
    """Install Debian packages where that needs no password; say so where it does."""
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
    index = os.environ.get('TORCH_INDEX', '')
    if 'train' in extras:
        say('installing PyTorch (the largest part: minutes)')
        extra_index = ['--extra-index-url', index] if index else []
        run([*pip, '-q', *extra_index, *constraints, 'torch'])
    say(f'installing hydranet_ros[{",".join(extras)}]')
    run([*pip, '-q', *constraints, '-e', f'{ROOT}[{",".join(extras)}]'])
    if 'scenes' not in extras:
        return
    say('installing hydranet_scenes')
    run([*pip, '-q', *constraints, '--no-deps', '-e', str(ROOT / 'hydranet_scenes')])
    if not has_osmesa():
        if install_system_packages(['libosmesa6']):
            say('libosmesa6 installed (MuJoCo renders the scenes with it)')
        else:
            say('libosmesa6 is missing: the scenes are not rendered here and their tests are '
                'skipped. Cure: sudo apt install libosmesa6')  # fmt: skip


def has_osmesa() -> bool:
    """Return whether MuJoCo can render without a screen."""
    listed = subprocess.run(['/sbin/ldconfig', '-p'], capture_output=True, text=True, check=False)
    return 'libOSMesa' in listed.stdout


def run(command: list[str]) -> None:
    """Run a command, or end with its name if it fails."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(f'[setup] failed ({done.returncode}): {" ".join(command)}')


if __name__ == '__main__':
    sys.exit(main())
