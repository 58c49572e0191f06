"""Intel GPUs and NPUs: what the kernel shows against what OpenVINO sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.intel import check_intel

CPU = {'CPU': 'Intel Core'}


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """Return a folder of device classes with an Intel GPU, a card of another maker, an NPU."""
    for device, vendor in (
        ('drm/renderD128', '0x8086'), ('drm/renderD129', '0x10de'), ('accel/accel0', '0x8086'),
    ):  # fmt: skip
        folder = tmp_path / device / 'device'
        folder.mkdir(parents=True)
        (folder / 'vendor').write_text(f'{vendor}\n')
    return tmp_path


def test_a_machine_without_such_devices_has_none(tmp_path: Path):
    check = check_intel(CPU, tmp_path)
    assert (check.status, check.text) == (Status.NONE, 'none')


def test_devices_that_openvino_sees_are_named(system: Path):
    check = check_intel({**CPU, 'GPU.0': 'Arc', 'NPU': 'AI Boost'}, system)
    assert (check.status, check.text) == (Status.OK, 'GPU.0: Arc, NPU: AI Boost')


def test_a_device_that_openvino_does_not_see_is_a_warning_with_its_driver(system: Path):
    check = check_intel({**CPU, 'NPU': 'AI Boost'}, system)
    assert check.status is Status.WARNING
    assert check.text == 'an Intel GPU that OpenVINO does not see'
    assert 'intel-opencl-icd' in check.remedy and 'npu' not in check.remedy


def test_without_openvino_the_extra_is_named(system: Path):
    check = check_intel(None, system)
    assert check.status is Status.NONE and check.text == '1 GPU, 1 NPU'
    assert 'hydranet_ros[openvino]' in check.remedy
