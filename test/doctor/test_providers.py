"""What the end of a provider's process means."""

from __future__ import annotations

from typing import Any

import pytest

from hydranet_ros.doctor.checks import Status
from hydranet_ros.doctor.children import Ended
from hydranet_ros.doctor.model_files import find_model_files, model_checks
from hydranet_ros.doctor.providers import check_auto, check_provider, devices, provider_checks
from hydranet_ros.inference.options import AUTO

WORKS: dict[str, Any] = {
    'provider': 'cpu', 'precision': 'float32', 'open_seconds': 0.3,
    'self_test': {'passed': True, 'seconds': 0.05, 'metrics': {'labels': 0.0, 'depth': 1e-7},
                  'limits': {'labels': 0.005, 'depth': 1e-3}},
}  # fmt: skip


def ended(*results: dict[str, Any], problem: str = '', timed_out: bool = False) -> Ended:
    return Ended(results, problem, '', 1.0, timed_out)


def test_a_provider_that_works_names_precision_time_and_deviation():
    check = check_provider('cpu', ended(WORKS), gpu=False)
    assert check.status is Status.OK
    assert check.text == ('works in float32, opened in 0.3 s; self-test in 50 ms, deviation: '
                          'labels 0, depth 1e-07')  # fmt: skip


@pytest.mark.parametrize(
    ('name', 'gpu', 'status', 'text'),
    [('cuda', False, Status.NONE, 'no NVIDIA GPU'),
     ('cuda', True, Status.WARNING, 'The wheel lacks it.'),
     ('openvino', False, Status.NONE, 'The wheel lacks it.')],
)  # fmt: skip
def test_a_missing_provider_is_a_warning_only_if_the_machine_could_use_it(name, gpu, status, text):
    check = check_provider(name, ended({'missing': 'the wheel lacks it'}), gpu=gpu)
    assert (check.status, check.text) == (status, text)


def test_a_provider_that_ends_its_process_is_a_warning():
    check = check_provider('cuda', ended(problem='the process was ended by SIGSEGV'), gpu=True)
    assert check.status is Status.WARNING
    assert check.text == 'broken: the process was ended by SIGSEGV'


def test_an_error_of_the_engine_is_shown_as_it_is():
    check = check_provider('cuda', ended({'error': 'its results are wrong.'}), gpu=True)
    assert (check.status, check.text) == (Status.WARNING, 'Its results are wrong.')


def test_a_provider_that_compiles_too_long_names_the_command_that_does_it_once():
    slow = ended(problem='no result within 20 s', timed_out=True)
    check = check_provider('tensorrt', slow, gpu=True)
    assert check.status is Status.WARNING and 'build-engine' in check.remedy


def test_auto_fails_only_if_nothing_works():
    assert check_auto(ended(WORKS)).text.startswith('takes cpu: works in float32')
    check = check_auto(ended({'error': 'no provider works'}))
    assert check.status is Status.FAIL and 'hydranet_ros[cpu]' in check.remedy


def test_a_required_provider_must_work():
    trials = {'cuda': ended({'missing': 'no'}), 'cpu': ended(WORKS), AUTO: ended(WORKS)}
    for required, failing in (('', []), ('cpu', []), ('cuda', ['cuda'])):
        checks = provider_checks(trials, gpu=False, required=required)
        assert [check.name for check in checks if check.status is Status.FAIL] == failing


def test_the_devices_of_openvino_are_found_in_its_trial():
    assert devices({'cpu': ended(WORKS)}) is None
    trials = {'openvino': ended({'devices': {'CPU': 'x'}}, problem='ended'), 'cpu': ended(WORKS)}
    assert devices(trials) == {'CPU': 'x'}


def test_a_model_file_that_ends_the_process_fails_and_the_others_are_tested(tmp_path):
    from doctor_tools import make_proven_model

    files = [make_proven_model(tmp_path / f'{name}.onnx') for name in ('a', 'b', 'c')]
    first = {'file': str(files[0]), 'form': 'portable', 'license': 'x', 'has_self_test': True}
    crashed = ended(
        first, {'file': str(files[0]), 'trying': True}, problem='the process was ended by SIGSEGV'
    )
    checks = {check.name: check for check in model_checks(files, crashed, budget=60)}
    assert checks['a.onnx'].status is Status.FAIL and 'SIGSEGV' in checks['a.onnx'].text
    assert checks['b.onnx'].status is checks['c.onnx'].status is Status.OK


def test_model_files_are_found_once_in_the_order_of_the_look_up(tmp_path):
    for name in ('user/b.onnx', 'user/sub/c.onnx', 'share/a/a.onnx', 'share/deep/er/d.onnx'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_model_files([tmp_path / 'user', tmp_path / 'share', tmp_path / 'none'])
    assert [path.name for path in found] == ['b.onnx', 'c.onnx', 'a.onnx']
