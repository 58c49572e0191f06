"""Check of the NVIDIA GPUs and their driver."""

from __future__ import annotations

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.inference.nvidia import gpu_name

SECTION = 'Machine'


def check_nvidia() -> Check:
    """Return the NVIDIA GPUs."""
    name = gpu_name(0)
    status = Status.OK if name else Status.NONE
    facts = {'gpus': [name] if name else []}
    return Check(SECTION, 'NVIDIA GPU', status, name or 'none', facts=facts)
