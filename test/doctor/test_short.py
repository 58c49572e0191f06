"""``hydranet doctor`` as a process: its screen, its JSON and its exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command import hydranet
from conftest import ROOT
from doctor_tools import make_proven_model, make_tampered_model, make_wrong_model
from model_factory import make_model, make_truncated_model

from hydranet_ros import __version__
from hydranet_ros.doctor.checks import SECTIONS
from hydranet_ros.inference.providers import PROVIDERS

LIMIT = 300
SCREEN_LINES = 45
STATES = {'ok', '-', 'warning', 'FAIL'}
INCLUDED = ROOT / 'models' / 'street' / 'street.onnx'


def doctor(folder: Path, *arguments: str, **variables: str):
    """Run the command with another folder of the user's models and cache."""
    return hydranet(
        'doctor', *arguments, timeout=LIMIT, HYDRANET_MODELS=str(folder),
        XDG_CACHE_HOME=str(folder / 'cache'), COLUMNS='110', **variables,
    )  # fmt: skip


def report_of(done) -> dict:
    return json.loads(done.stdout)


def check_of(report: dict, name: str) -> dict:
    (found,) = (item for item in report['checks'] if item['name'] == name)
    return found


def test_this_machine_is_usable_and_fits_on_one_screen(tmp_path: Path):
    done = doctor(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= SCREEN_LINES
    assert lines[0] == f'hydranet_ros {__version__}'
    assert [line for line in lines if line in SECTIONS] == list(SECTIONS)
    assert lines[-1].startswith('usable (')
    assert done.stderr == ''


def test_the_json_has_every_check_with_its_state_and_facts(tmp_path: Path):
    done = doctor(tmp_path, '--json')
    assert done.returncode == 0
    report = report_of(done)
    assert (report['format'], report['hydranet_ros'], report['usable']) == (1, __version__, True)
    assert report['seconds'] > 0
    for check in report['checks']:
        assert set(check) == {'section', 'name', 'status', 'text', 'remedy', 'facts'}
        assert check['section'] in SECTIONS and check['status'] in STATES and check['text']
    names = [check['name'] for check in report['checks']]
    for name in ('CPU', 'memory', 'NVIDIA GPU', 'cache', 'Python', 'rclpy', 'auto', *PROVIDERS):
        assert names.count(name) == 1, name
    assert check_of(report, 'CPU')['facts']['cores'] >= 1
    assert check_of(report, INCLUDED.name)['facts']['license']


def test_the_cpu_provider_works_with_the_deviation_of_its_self_test(tmp_path: Path):
    pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed (extra: cpu)')
    cpu = check_of(report_of(doctor(tmp_path, '--json')), 'cpu')
    assert cpu['status'] == 'ok' and 'works in float32' in cpu['text']
    test = cpu['facts']['self_test']
    assert test['passed'] and test['metrics']['depth'] <= test['limits']['depth']
    assert cpu['facts']['open_seconds'] > 0


def test_json_is_also_written_to_a_file(tmp_path: Path):
    target = tmp_path / 'report.json'
    done = doctor(tmp_path, '--json', str(target))
    assert 'usable' in done.stdout and json.loads(target.read_text('utf-8'))['usable']


def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path):
    done = doctor(tmp_path, '--json', str(tmp_path / 'no' / 'report.json'))
    assert done.returncode == 2
    assert done.stderr.startswith('hydranet: ') and 'cannot be written' in done.stderr


@pytest.mark.parametrize(
    ('make', 'reason'),
    [(make_truncated_model, 'is not a complete ONNX file'),
     (make_tampered_model, 'its metadata were changed after the export'),
     (make_wrong_model, 'self-test failed: depth differ by'),
     (lambda path: path.write_text('ice cream'), 'is not a complete ONNX file'),
     (lambda path: make_model(path, metadata=False), 'carries no hydranet_ros metadata')],
    ids=['truncated', 'tampered', 'wrong weight', 'text', 'no metadata'],
)  # fmt: skip
def test_a_broken_model_file_fails_with_status_1(tmp_path: Path, make, reason: str):
    make(tmp_path / 'broken.onnx')
    make_proven_model(tmp_path / 'right.onnx')
    done = doctor(tmp_path, '--json', '--all')
    assert done.returncode == 1, done.stderr
    report = report_of(done)
    broken = check_of(report, 'broken.onnx')
    assert broken['status'] == 'FAIL' and reason in broken['text']
    assert check_of(report, 'right.onnx')['status'] == 'ok'
    assert check_of(report, INCLUDED.name)['status'] != 'FAIL'
    assert check_of(report, 'auto')['status'] == 'ok'


def test_a_broken_model_file_is_a_line_of_the_screen(tmp_path: Path):
    make_truncated_model(tmp_path / 'broken.onnx')
    done = doctor(tmp_path)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if 'broken.onnx  ' in line)
    assert line.split()[0] == 'FAIL'
    assert 'not usable as it is: broken.onnx' in done.stdout.splitlines()[-1]


def test_a_model_file_without_a_self_test_is_a_warning_with_the_remedy(tmp_path: Path):
    make_model(tmp_path / 'old.onnx', self_test=False)
    done = doctor(tmp_path, '--json')
    assert done.returncode == 0
    old = check_of(report_of(done), 'old.onnx')
    assert old['status'] == 'warning' and 'hydranet export' in old['remedy']


def test_many_model_files_still_fit_on_one_screen(tmp_path: Path):
    right = make_proven_model(tmp_path / 'right00.onnx')
    for index in range(1, 40):
        shutil.copy(right, tmp_path / f'right{index:02}.onnx')
    make_truncated_model(tmp_path / 'zzz.onnx')
    done = doctor(tmp_path)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) <= SCREEN_LINES
    assert 'zzz.onnx' in done.stdout and 'more, all shown by --json' in done.stdout


def test_a_required_provider_that_does_not_work_gives_status_1(tmp_path: Path):
    checks = report_of(doctor(tmp_path, '--json'))['checks']
    missing = next((item['name'] for item in checks
                    if item['name'] in PROVIDERS and item['status'] != 'ok'), '')  # fmt: skip
    if not missing:
        pytest.skip('every provider works on this machine')
    done = doctor(tmp_path, '--provider', missing, '--json')
    assert done.returncode == 1
    assert check_of(report_of(done), missing)['status'] == 'FAIL'


def test_an_unknown_provider_is_one_error(tmp_path: Path):
    done = doctor(tmp_path, '--provider', 'abacus')
    assert done.returncode == 2
    assert "'abacus'" in done.stderr and 'cpu' in done.stderr


def test_without_onnxruntime_no_provider_works_and_the_remedy_is_named(tmp_path: Path):
    """A module of that name that fails stands for a package that is not installed."""
    for name in ('onnxruntime', 'openvino'):
        (tmp_path / f'{name}.py').write_text(
            f'raise ModuleNotFoundError("No module named {name!r}", name={name!r})'
        )
    done = doctor(tmp_path, '--json', PYTHONPATH=f'{tmp_path}:{ROOT}')
    assert done.returncode == 1, done.stdout
    auto = check_of(report_of(done), 'auto')
    assert auto['status'] == 'FAIL' and 'hydranet_ros[cpu]' in auto['remedy'] + auto['text']
