"""Step 1: the machine, the drivers, and the versions and files of every library that counts."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.full.libraries import mapped_libraries
from hydranet_ros.doctor.full.outcome import judged
from hydranet_ros.doctor.machine import machine_checks
from hydranet_ros.doctor.nvidia import check_nvidia, start_trial
from hydranet_ros.doctor.packages import check_packages
from hydranet_ros.doctor.provider_trial import missing
from hydranet_ros.doctor.ros_environment import ros_checks
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS

_PREFIXES = ('numpy', 'opencv', 'onnx', 'openvino', 'tensorrt', 'cupy', 'nvidia-', 'torch', 'ros-')
_VARIABLES = (
    'ROS_', 'RMW_', 'FAST', 'CUDA_', 'NVIDIA_', 'LD_', 'OMP_', 'ORT_', 'OPENVINO', 'HYDRANET_',
    'AMENT_', 'XDG_CACHE', 'CYCLONEDDS',
)  # fmt: skip
_COMMANDS = (
    ('nvidia-smi',), ('nvidia-smi', '-q', '-d', 'CLOCK,POWER,PERFORMANCE,MEMORY'),
    ('nvcc', '--version'), ('lscpu',), ('lspci', '-nn'), ('clinfo', '-l'),
)  # fmt: skip
_COMMAND_LIMIT = 15


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the machine has; the later steps are planned with it."""
    with ExitStack() as stack:
        nvidia = check_nvidia(start_trial(stack).wait())
    checks = [*machine_checks(), nvidia, *ros_checks(), *check_packages()]
    gpu = {'gpu': bool(nvidia.facts['gpus'])}
    yield {'checks': [check.as_json() for check in checks], 'survey': gpu}
    yield {'survey': {**survey(), **gpu}}
    yield {'system': system(), 'packages': packages(), 'variables': variables()}
    yield {'mapped': mapped_libraries()}
    yield {'commands': {' '.join(command): output(command) for command in _COMMANDS}}
    problems = [f'{check.name}: {check.text}' for check in checks if check.status is Status.FAIL]
    yield judged(problems, summary(checks))


def survey() -> dict[str, Any]:
    """Return why each provider is missing, and the precisions of those that are not."""
    reasons = {name: missing(name) for name in PROVIDERS}
    found = {name: precisions(name) for name in PROVIDERS if not reasons[name]}
    return {'missing': reasons, 'precisions': found}


def precisions(name: str) -> list[str]:
    """Return the precisions that ``auto`` tries on a provider, the fastest first; and float32."""
    automatic = PROVIDERS[name].automatic_precisions(EngineOptions(provider=name))
    return list(dict.fromkeys([*automatic, 'float32']))


def system() -> dict[str, str]:
    """Return the operating system, the kernel and the interpreter."""
    release: dict[str, str] = {}
    with suppress(OSError):
        release = platform.freedesktop_os_release()
    return {
        'system': release.get('PRETTY_NAME', platform.system()), 'kernel': platform.release(),
        'machine': platform.machine(), 'python': platform.python_version(),
        'libc': ' '.join(platform.libc_ver()), 'jetpack': _text('/etc/nv_tegra_release'),
        'driver': _text('/proc/driver/nvidia/version'),
    }  # fmt: skip


def packages() -> dict[str, str]:
    """Return the versions of the installed packages that inference and ROS depend on."""
    found = {}
    for item in metadata.distributions():
        name = (item.metadata['Name'] or '').lower()
        if name.startswith(_PREFIXES):
            found[name] = item.version
    return dict(sorted(found.items()))


def variables() -> dict[str, str]:
    """Return the environment variables that change how runtimes and ROS work, and no others."""
    return {name: value for name, value in sorted(os.environ.items())
            if name.startswith(_VARIABLES)}  # fmt: skip


def output(command: tuple[str, ...]) -> str:
    """Return what a program prints; empty if it is not installed."""
    if shutil.which(command[0]) is None:
        return ''
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors='replace', timeout=_COMMAND_LIMIT,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as err:
        return str(err)
    return done.stdout + done.stderr


def summary(checks: list[Any]) -> str:
    """Return the processor and the GPU in one line."""
    texts = {check.name: check.text for check in checks}
    return f'{texts["CPU"]}; NVIDIA GPU: {texts["NVIDIA GPU"]}'


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        return ''
