"""The processor of this machine, as the kernel describes it."""

from __future__ import annotations

import platform
from pathlib import Path

CPU_INFO = Path('/proc/cpuinfo')


def first_value(file: Path, key: str) -> str:
    """Return the value of the first ``key : value`` line of a file of /proc; empty without one."""
    try:
        lines = file.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError:
        return ''
    values = (line.split(':', 1) for line in lines if ':' in line)
    return next((value.strip() for name, value in values if name.strip() == key), '')


def processor_model(file: Path = CPU_INFO) -> str:
    """Return the model name of the processor."""
    return first_value(file, 'model name') or platform.processor() or platform.machine()


def processor_flags(file: Path = CPU_INFO) -> frozenset[str]:
    """Return the kernel's names of the processor's features, such as ``avx2``."""
    found = first_value(file, 'flags') or first_value(file, 'Features')  # x86-64; aarch64
    return frozenset(found.split())


def processor_identity(file: Path = CPU_INFO) -> str:
    """Return a text that differs between processors for which code is compiled differently."""
    numbers = (first_value(file, key) for key in ('cpu family', 'model', 'stepping'))
    return ' '.join([processor_model(file), *numbers, platform.machine()])
