"""The processor as the kernel describes it, on x86-64 and on aarch64."""

from __future__ import annotations

import platform
from pathlib import Path

from hydranet_ros.inference.processor import (
    CPU_INFO,
    first_value,
    processor_flags,
    processor_identity,
    processor_model,
)

X86 = """processor\t: 0
model\t\t: 17
model name\t: A: fast one
cpu family\t: 25
stepping\t: 1
flags\t\t: fpu avx2 avx512_bf16
bugs\t\t: amx_bf16

processor\t: 1
flags\t\t: fpu
"""


def write(folder: Path, text: str) -> Path:
    path = folder / 'cpuinfo'
    path.write_text(text)
    return path


def test_the_values_are_those_of_the_first_processor(tmp_path: Path):
    file = write(tmp_path, X86)
    assert processor_model(file) == 'A: fast one'
    assert processor_flags(file) == {'fpu', 'avx2', 'avx512_bf16'}
    assert first_value(file, 'none') == ''


def test_an_arm_processor_has_its_flags_under_another_name(tmp_path: Path):
    file = write(tmp_path, 'processor: 0\nFeatures\t: fp asimd bf16\n')
    assert processor_flags(file) == {'fp', 'asimd', 'bf16'}
    assert processor_model(file)


def test_the_identity_differs_between_steppings(tmp_path: Path):
    one = processor_identity(write(tmp_path, X86))
    assert one == f'A: fast one 25 17 1 {platform.machine()}'
    assert (
        processor_identity(write(tmp_path, X86.replace('stepping\t: 1', 'stepping\t: 2'))) != one
    )


def test_a_machine_without_the_file_has_no_flags(tmp_path: Path):
    assert processor_flags(tmp_path / 'none') == frozenset()
    assert platform.machine() in processor_identity(tmp_path / 'none')


def test_this_machine_has_a_model_and_flags():
    assert processor_model() and (processor_flags() or not CPU_INFO.exists())
