"""Checks of processor, memory and cache, on files that stand for other machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hydranet_ros.doctor import machine
from hydranet_ros.doctor.checks import Status


@pytest.fixture
def cpu(tmp_path: Path, monkeypatch):
    """Return a function that sets the content of /proc/cpuinfo."""

    def write(text: str, architecture: str = 'x86_64') -> None:
        (tmp_path / 'cpuinfo').write_text(text)
        monkeypatch.setattr(machine, 'CPU_INFO', tmp_path / 'cpuinfo')
        monkeypatch.setattr(machine.platform, 'machine', lambda: architecture)

    return write


def test_an_intel_processor_with_amx_is_described(cpu):
    cpu('model name\t: Xeon\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_int8 amx_tile\n')
    check = machine.check_cpu()
    assert check.status is Status.OK
    cores = len(os.sched_getaffinity(0))
    assert check.text.startswith(f'Xeon, {cores} core')
    assert check.text.endswith('AVX2, AVX-512, AVX512_BF16, AMX-BF16, AMX-INT8')
    assert check.facts['cores'] == cores


def test_a_processor_without_avx2_is_a_warning_with_the_remedy(cpu):
    cpu('model name : Celeron\nflags : fpu sse4_2\n')
    check = machine.check_cpu()
    assert check.status is Status.WARNING and 'no AVX2' in check.text and check.remedy


def test_an_arm_processor_needs_no_avx2(cpu):
    cpu('Features\t: fp asimd asimddp bf16 i8mm\n', 'aarch64')
    check = machine.check_cpu()
    assert check.status is Status.OK and check.text.endswith('NEON, DOTPROD, BF16, I8MM')


@pytest.mark.parametrize(
    ('text', 'cores'), [('150000 100000', 1.5), ('max 100000', 0), ('ice', 0), (None, 0)]
)
def test_the_limit_of_a_container_is_read(tmp_path: Path, text, cores):
    file = tmp_path / 'cpu.max'
    if text is not None:
        file.write_text(text)
    assert machine.cpu_quota(file) == cores


def test_little_memory_is_a_warning(tmp_path: Path, monkeypatch):
    (tmp_path / 'meminfo').write_text('MemTotal: 2000000 kB\nMemAvailable: 500000 kB\n')
    monkeypatch.setattr(machine, 'MEMORY_INFO', tmp_path / 'meminfo')
    check = machine.check_memory()
    assert check.status is Status.WARNING and check.facts['available_bytes'] == 500000 * 1024


def test_a_cache_that_does_not_exist_yet_is_writable(tmp_path: Path):
    check = machine.check_cache(tmp_path / 'not' / 'yet')
    assert check.status is Status.OK and check.facts['free_bytes'] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_size_of_the_cache_is_counted(tmp_path: Path):
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub' / 'model.blob').write_bytes(bytes(1000))
    assert machine.check_cache(tmp_path).facts['used_bytes'] >= 1000


def test_a_cache_that_cannot_be_created_is_a_warning_with_the_remedy(tmp_path: Path):
    (tmp_path / 'file').write_text('in the way')
    check = machine.check_cache(tmp_path / 'file' / 'cache')
    assert check.status is Status.WARNING
    assert 'is not writable' in check.text and 'XDG_CACHE_HOME' in check.remedy


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch):
    usage = type('Usage', (), {'free': 1 << 20})
    monkeypatch.setattr(machine.shutil, 'disk_usage', lambda folder: usage)
    assert machine.check_cache(tmp_path).status is Status.WARNING
