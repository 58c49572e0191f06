"""The line about NVIDIA GPUs."""

from __future__ import annotations

import json
from contextlib import ExitStack

import pytest

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.children import Ended
from hydranet_ros.doctor.nvidia import check_nvidia, describe, start_trial
from hydranet_ros.inference.nvidia import Driver, Gpu, find_driver


def test_a_machine_without_a_driver_has_no_gpu():
    found = describe(None)
    assert (found.status, found.text) == (Status.NONE, 'none')


def test_gpus_are_shown_with_their_number_and_driver():
    found = describe(Driver('580.65.06', (13, 0), (Gpu(0, 'H100', (9, 0), 80 << 30),)))
    assert found.status == Status.OK
    assert found.text == '0: H100 (9.0, 80 GiB); driver 580.65.06, CUDA 13.0'
    assert json.loads(json.dumps(found.as_json()))['facts']['gpus'] == ['H100']


def test_a_driver_that_cannot_be_used_is_a_warning_with_a_remedy():
    found = describe(Driver('', (12, 2), (), 'cuInit failed'))
    assert found.status == Status.WARNING and found.remedy
    assert found.text == 'cuInit failed (driver of unknown version, CUDA 12.2)'


def test_this_machine_is_described():
    with ExitStack() as stack:
        found = check_nvidia(start_trial(stack).wait())
    assert found == describe(find_driver())


@pytest.mark.parametrize('problem', ['no result within 20 s', 'the process was ended by SIGSEGV'])
def test_a_driver_that_hangs_or_crashes_is_a_warning(problem):
    found = check_nvidia(Ended((), problem, '', 20.0))
    assert found.status is Status.WARNING and found.remedy
    assert found.text == f'the driver does not respond: {problem}'
