"""Checks of the machine: processor, memory, GPUs, cache folder."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hydranet_ros.doctor.checks import Check, Status
from hydranet_ros.inference.processor import (
    CPU_INFO,
    first_value,
    processor_flags,
    processor_model,
)
from hydranet_ros.resources import user_cache_directory

SECTION = 'Machine'
MEMORY_INFO = Path('/proc/meminfo')
CPU_QUOTA = Path('/sys/fs/cgroup/cpu.max')
_FEATURES = {
    'avx2': 'AVX2', 'avx512f': 'AVX-512', 'avx512_vnni': 'AVX512_VNNI', 'avx_vnni': 'AVX_VNNI',
    'avx512_bf16': 'AVX512_BF16', 'amx_bf16': 'AMX-BF16', 'amx_int8': 'AMX-INT8',
    'asimd': 'NEON', 'asimddp': 'DOTPROD', 'sve': 'SVE', 'bf16': 'BF16', 'i8mm': 'I8MM',
}  # fmt: skip
_LITTLE_DISK = 2 << 30
_LITTLE_MEMORY = 1 << 30
_GIB = 1 << 30


def machine_checks() -> Iterator[Check]:
    """Yield the checks of the machine that need no GPU library."""
    yield check_cpu()
    yield check_memory()
    yield check_cache(user_cache_directory())


def check_cpu() -> Check:
    """Return the CPU's model, the cores this process may use, and its vector instructions."""
    cores, quota = len(os.sched_getaffinity(0)), cpu_quota()
    model, features = processor_model(CPU_INFO), cpu_features()
    shown = f'{cores} core{"s" * (cores != 1)}'
    if quota and quota < cores:
        shown += f', limited to {quota:g} by the container'
    text = f'{model}, {shown}; {", ".join(features) or "no vector instructions known"}'
    facts = {'model': model, 'cores': cores, 'quota': quota, 'features': list(features),
             'architecture': platform.machine()}  # fmt: skip
    if platform.machine() == 'x86_64' and 'AVX2' not in features:
        return Check(
            SECTION, 'CPU', Status.WARNING, f'{text} (no AVX2)',
            'Without AVX2 the network is several times slower on this CPU. In a virtual machine, '
            "pass the host's CPU through.", facts,
        )  # fmt: skip
    return Check(SECTION, 'CPU', Status.OK, text, facts=facts)


def cpu_features() -> tuple[str, ...]:
    """Return the vector instructions of the CPU that speed up the network."""
    flags = processor_flags(CPU_INFO)
    return tuple(name for flag, name in _FEATURES.items() if flag in flags)


def cpu_quota(file: Path = CPU_QUOTA) -> float:
    """Return the cores that a container may use at most; 0 for no limit."""
    try:
        quota, period = file.read_text(encoding='ascii').split()
        return round(int(quota) / int(period), 2)
    except (OSError, ValueError):
        return 0.0


def check_memory() -> Check:
    """Return the memory of the machine."""
    total, free = (_kilobytes(key) << 10 for key in ('MemTotal', 'MemAvailable'))
    text = f'{free / _GIB:.1f} GiB available of {total / _GIB:.1f} GiB'
    little = 0 < free < _LITTLE_MEMORY
    return Check(
        SECTION, 'memory', Status.WARNING if little else Status.OK, text,
        'Building an engine may need more memory. End other programs.' if little else '',
        {'total_bytes': total, 'available_bytes': free},
    )  # fmt: skip


def check_cache(folder: Path) -> Check:
    """Return whether the folder of compiled models can be written, and its free disk."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    facts = {'folder': str(folder), 'writable': writable, 'free_bytes': free,
             'used_bytes': _size(folder)}  # fmt: skip
    if not writable:
        return Check(
            SECTION, 'cache', Status.WARNING, f'{folder} is not writable',
            'Compiled models are not kept, so each start compiles again. Make the folder '
            'writable, or set XDG_CACHE_HOME to another folder.', facts,
        )  # fmt: skip
    text = f'{folder}: writable, {free / _GIB:.1f} GiB free'
    if free < _LITTLE_DISK:
        remedy = 'Compiled models take up to 1 GiB. Free disk space, or set XDG_CACHE_HOME.'
        return Check(SECTION, 'cache', Status.WARNING, text, remedy, facts)
    return Check(SECTION, 'cache', Status.OK, text, facts=facts)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob('*'):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _kilobytes(key: str) -> int:
    return int((first_value(MEMORY_INFO, key) or '0').split()[0])
