"""Check of the NVIDIA GPUs and their driver."""

from __future__ import annotations

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.inference.nvidia import Driver, find_driver

SECTION = 'Machine'
NAME = 'NVIDIA GPU'


def check_nvidia() -> Check:
    """Return the NVIDIA GPUs and their driver."""
    return describe(find_driver())


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
        remedy = 'Check that nvidia-smi works, and that CUDA_VISIBLE_DEVICES is not empty.'
        return Check(SECTION, NAME, Status.WARNING, f'{driver.error} ({version})', remedy, facts)
    names = ', '.join(
        f'{gpu.number}: {gpu.name} ({_dotted(gpu.capability)}, {gpu.memory / 2**30:.0f} GiB)'
        for gpu in driver.gpus
    )
    return Check(SECTION, NAME, Status.OK, f'{names}; {version}', facts=facts)


def _dotted(version: tuple[int, int]) -> str:
    return f'{version[0]}.{version[1]}'
