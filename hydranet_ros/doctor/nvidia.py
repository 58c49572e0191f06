"""Check of the NVIDIA GPUs and their driver, in a process of its own: a driver can hang."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.doctor.children import Child, Ended
from hydranet_ros.inference.nvidia import Driver, find_driver

SECTION = 'Machine'
NAME = 'NVIDIA GPU'
LIMIT = 20.0
_REMEDY = 'Check that nvidia-smi works, and that CUDA_VISIBLE_DEVICES is not empty.'


def start_trial(stack: ExitStack) -> Child:
    """Start the process that reads the driver; the stack ends it."""
    return stack.enter_context(Child(__name__, {}, limit=LIMIT))


def run(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the check of this machine; runs in the child process."""
    yield describe(find_driver()).as_json()


def check_nvidia(ended: Ended) -> Check:
    """
    Return the NVIDIA GPUs and their driver.

    :param ended: the process of :func:`start_trial`.
    """
    if ended.results:
        return Check.from_json(ended.last)
    text = f'the driver does not respond: {ended.problem}'
    return Check(SECTION, NAME, Status.WARNING, text, _REMEDY, {'gpus': [], 'error': text})


def describe(driver: Driver | None) -> Check:
    """Return the GPUs of a driver; ``None`` for no driver."""
    if driver is None:
        return Check(SECTION, NAME, Status.NONE, 'none', facts={'gpus': []})
    facts = {
        'driver': driver.version, 'cuda': list(driver.cuda), 'error': driver.error,
        'gpus': [gpu.name for gpu in driver.gpus],
        'capabilities': [list(gpu.capability) for gpu in driver.gpus],
        'memory': [gpu.memory for gpu in driver.gpus],
    }  # fmt: skip
    version = f'driver {driver.version or "of unknown version"}, CUDA {_dotted(driver.cuda)}'
    if driver.error:
        text = f'{driver.error} ({version})'
        return Check(SECTION, NAME, Status.WARNING, text, _REMEDY, facts)
    names = ', '.join(
        f'{gpu.number}: {gpu.name} ({_dotted(gpu.capability)}, {gpu.memory / 2**30:.0f} GiB)'
        for gpu in driver.gpus
    )
    return Check(SECTION, NAME, Status.OK, f'{names}; {version}', facts=facts)


def _dotted(version: tuple[int, int]) -> str:
    return f'{version[0]}.{version[1]}'
