"""Each step of the acceptance run, on this machine and in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import hydranet
from conftest import ROOT
from doctor_tools import make_proven_model, make_wrong_model
from host_device import HostDevice
from one_convolution import PATH, one_convolution

from hydranet_ros.doctor.full import (
    correctness,
    environment,
    load,
    node,
    postprocessing,
    sanitizer,
    self_tests,
    timing,
    trtexec,
)  # fmt: skip
from hydranet_ros.doctor.full import (
    one_convolution as convolution,
)
from hydranet_ros.doctor.full.libraries import mapped_libraries
from hydranet_ros.doctor.full.outcome import Case
from hydranet_ros.doctor.full.steps import STEPS
from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.providers import PROVIDERS

INSTALLED = [name for name in PROVIDERS if not environment.missing(name)]
SURVEY: dict[str, Any] = {
    'missing': {'tensorrt': '', 'cuda': '', 'openvino': '', 'cpu': ''},
    'precisions': {'tensorrt': ['float16', 'tf32', 'float32'], 'cuda': ['tf32', 'float32'],
                   'openvino': ['bfloat16', 'float32'], 'cpu': ['float32']},
    'gpu': True, 'cache': 'cache',
}  # fmt: skip


def merged(results: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Return what a step yielded, in one mapping that JSON can hold."""
    found = {key: value for item in results for key, value in item.items()}
    return json.loads(json.dumps(found))


def arguments(model: Path, cache: Path, provider: str = 'cpu', **more: Any) -> dict[str, Any]:
    return {'model': str(model), 'provider': provider, 'precision': 'float32',
            'cache': str(cache), 'seconds': 0.1, **more}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_proven_model(tmp_path / 'model.onnx')


def plan(name: str, **changes: Any) -> list[Case]:
    (step,) = (item for item in STEPS if item.name == name)
    return list(step.plan({**SURVEY, **changes}))


def test_the_steps_take_less_than_ten_minutes_together():
    assert [step.number for step in STEPS] == list(range(1, 9))
    assert sum(step.share for step in STEPS) <= 600


def test_every_provider_is_tried_in_every_precision_of_auto_and_in_float32():
    labels = [case.label for case in plan('convolution')]
    assert labels == [
        'tensorrt float16', 'tensorrt tf32', 'tensorrt float32', 'cuda tf32', 'cuda float32',
        'openvino bfloat16', 'openvino float32', 'cpu float32',
    ]  # fmt: skip
    labels = [case.label for case in plan('correctness') if not case.reason]
    assert labels == [
        f'{item} street.onnx' for item in
        ('tensorrt float16', 'tensorrt float32', 'cuda auto', 'cuda float32',
         'openvino bfloat16', 'openvino float32', 'cpu float32')
    ]  # fmt: skip


def test_what_the_machine_lacks_is_not_run_with_the_reason():
    missing = {'tensorrt': 'no driver', 'cuda': 'no driver', 'openvino': '', 'cpu': ''}
    reasons = {case.label: case.reason for case in plan('convolution', missing=missing)}
    assert reasons['cuda'] == 'no driver' and reasons['cpu float32'] == ''
    for name in ('load', 'correctness', 'timing'):
        cases = plan(name, missing=missing)
        assert 'not installed; see step 2' in [c.reason for c in cases if 'cuda' in c.label]
    for name in ('postprocessing', 'sanitizer'):
        (case,) = plan(name, gpu=False)
        assert case.reason == 'no NVIDIA GPU'
    (_, hidden, _) = plan('node', gpu=False)
    assert 'no NVIDIA GPU' in hidden.reason or 'rclpy' in hidden.reason


def test_every_provider_is_still_tried_if_the_first_step_fails():
    labels = [case.label for step in STEPS[1:4] for case in step.plan({'cache': 'cache'})
              if not case.reason]  # fmt: skip
    for name in PROVIDERS:
        assert f'{name} float32' in labels and f'{name} auto street.onnx' in labels


def test_the_environment_names_packages_and_libraries():
    found = merged(environment.run({}))
    assert found['verdict'] in ('PASS', 'FAIL')
    assert found['system']['python'] and found['packages']['numpy']
    assert set(found['survey']) == {'missing', 'precisions', 'gpu'}
    assert set(found['survey']['missing']) == set(PROVIDERS)
    assert {check['name'] for check in found['checks']} >= {'CPU', 'rclpy', 'NVIDIA GPU'}


def test_only_variables_of_runtimes_and_ros_are_collected(monkeypatch):
    monkeypatch.setenv('DOCTOR_SECRET', 'x')
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    found = environment.variables()
    assert found['ROS_DOMAIN_ID'] == '7' and 'DOCTOR_SECRET' not in found
    assert 'HOME' not in found


def test_the_included_convolution_is_the_one_of_the_test():
    assert PATH.read_bytes() == one_convolution()


@pytest.mark.parametrize('name', INSTALLED)
def test_an_installed_provider_runs_the_convolution_exactly(name: str, tmp_path: Path):
    found = merged(convolution.run(arguments(PATH, tmp_path, name)))
    assert found['verdict'] == 'PASS' and found['deviation'] <= 1e-6
    assert found['version'] in found['text']
    module = 'openvino' if name == 'openvino' else 'onnxruntime'
    assert any(module in Path(path).name or module in path for path in found['mapped'])


@pytest.mark.parametrize('name', sorted(set(PROVIDERS) - set(INSTALLED)))
def test_a_provider_that_is_not_installed_is_not_run(name: str, tmp_path: Path):
    found = merged(convolution.run(arguments(PATH, tmp_path, name)))
    assert found['verdict'] == 'NOT RUN' and found['text']


def test_a_wrong_convolution_is_measured():
    image = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
    right = convolution.expected(image).astype(np.float32)
    assert convolution.deviation(right, image) == 0
    assert convolution.deviation(1.01 * right, image) == pytest.approx(0.01, rel=1e-3)


def test_mapped_libraries_are_those_of_the_process(tmp_path: Path):
    maps = tmp_path / 'maps'
    maps.write_text(
        '7f0 r-xp 0 08:01 1    /usr/lib/libcudart.so.13\n'
        '7f1 r--p 0 08:01 1    /usr/lib/libcudart.so.13\n'
        '7f2 r--p 0 08:01 1    /a folder/libnvinfer.so.10\n'
        '7f3 r--p 0 08:01 1    /usr/lib/libc.so.6\n'
        '7f4 rw-p 0 00:00 0\n'
    )
    assert mapped_libraries(maps) == ['/a folder/libnvinfer.so.10', '/usr/lib/libcudart.so.13']
    assert mapped_libraries(tmp_path / 'none') == []


@pytest.mark.parametrize('name', INSTALLED)
def test_a_model_is_loaded_twice(name: str, model: Path, tmp_path: Path):
    found = merged(load.run(arguments(model, tmp_path, name)))
    assert found['verdict'] == 'PASS', found['text']
    assert found['seconds']['first'] > 0 and found['seconds']['cached'] > 0
    assert found['memory']['peak'] >= found['memory']['before'] > 0
    assert found['provider'] == name and found['self_test']['passed']


@pytest.mark.parametrize('name', INSTALLED)
def test_a_provider_agrees_with_the_reference(name: str, model: Path, tmp_path: Path):
    found = merged(correctness.run(arguments(model, tmp_path, name)))
    assert found['verdict'] == 'PASS', found['text']
    assert len(found['deviations']) == 12
    assert all(item['depth_max'] < 1e-3 for item in found['deviations'].values())
    assert found['alternating']['frames'] >= 6 and found['alternating']['differing'] == 0


def test_a_model_that_fails_its_self_test_is_an_error_of_the_step(tmp_path: Path):
    with pytest.raises(ProviderError, match='self-test'):
        list(load.run(arguments(make_wrong_model(tmp_path / 'wrong.onnx'), tmp_path)))


def test_wrong_outputs_are_beyond_the_tolerance():
    right = {'labels': np.zeros((10, 10), np.uint8), 'depth': np.ones((10, 10), np.float32)}
    wrong = {name: values.copy() for name, values in right.items()}
    wrong['labels'][0] = 3
    wrong['depth'][:] = 1.05
    found = correctness.deviations(wrong, right)
    assert found['labels'] == 0.1 and found['depth'] == pytest.approx(0.05)
    assert correctness.beyond(found, 'float32') and correctness.beyond(found, 'bfloat16')
    wrong['depth'][4, 4] = np.nan
    assert correctness.beyond(correctness.deviations(wrong, right), 'int8')
    assert correctness.beyond(correctness.deviations(right, right), 'float32') == []


def test_frames_that_do_not_repeat_are_counted(model: Path):
    with closing(Engine(model, EngineOptions(provider='cpu'))) as engine:
        right, calls = engine.infer, []

        def infer(image, outputs):
            calls.append(1)
            found = right(image, outputs)
            if len(calls) == 9:
                found.confidence[5, 5] += 1
            return found

        engine.infer = infer
        assert correctness.alternate(engine, 0.0) == (6, 1)


def test_timing_reports_network_frame_and_stream(model: Path, tmp_path: Path):
    found = merged(timing.run(arguments(model, tmp_path)))
    assert found['verdict'] == 'PASS'
    for part in ('network', 'frame'):
        assert 0 < found[part]['min_ms'] <= found[part]['median_ms'] <= found[part]['p95_ms']
        assert found[part]['frames'] >= 5
    assert found['stream']['frames'] >= 5 and found['stream']['frames_per_second'] > 0
    assert 'engine' in found['stages']


def test_all_model_files_are_tested(model: Path, monkeypatch):
    monkeypatch.setenv('HYDRANET_MODELS', str(model.parent))
    make_wrong_model(model.with_name('wrong.onnx'))
    found = merged(self_tests.run({}))
    assert found['verdict'] == 'FAIL' and found['text'].startswith('wrong.onnx: ')
    states = {check['name']: check['status'] for check in found['checks']}
    assert states['model.onnx'] == 'ok' and states['wrong.onnx'] == 'FAIL'


def test_a_device_that_computes_as_the_cpu_passes():
    found = list(postprocessing.compare(HostDevice()))
    assert len(found) == 48 and all(same for _, same in found)


def test_one_wrong_bit_of_a_device_is_found():
    class Wrong(HostDevice):
        def download(self, target, source):
            super().download(target, source)
            self.put(_down(), lambda: _flip(target))

    different = [name for name, same in postprocessing.compare(Wrong()) if not same]
    assert any(name.startswith('depth') for name in different)
    assert any(name.startswith('cloud') for name in different)


def _down():
    from hydranet_ros.inference.gpu.device import Queue

    return Queue.DOWN


def _flip(target: np.ndarray) -> None:
    target.view(np.uint8).reshape(-1)[-2] ^= 1


@pytest.mark.parametrize('step', [sanitizer, trtexec])
def test_a_program_that_is_not_installed_is_not_run(step, model: Path, monkeypatch):
    monkeypatch.setattr(step.shutil, 'which', lambda name, path=None: None)
    found = merged(step.run(arguments(model, model.parent)))
    assert found['verdict'] == 'NOT RUN' and 'is not installed' in found['text']


SANITIZER = """#!/bin/sh
while [ "$1" != -m ]; do last="$1"; shift; done
"$last" "$@" || exit 1
echo '========= ERROR SUMMARY: {errors} errors'
exit {status}
"""


@pytest.mark.parametrize(('errors', 'status', 'verdict'), [(0, 0, 'PASS'), (2, 99, 'FAIL')])
def test_the_sanitizer_runs_one_frame(model, monkeypatch, tmp_path, errors, status, verdict):
    """A script stands for the program; it runs the real frame."""
    program = tmp_path / 'bin' / sanitizer.PROGRAM
    program.parent.mkdir()
    program.write_text(SANITIZER.format(errors=errors, status=status))
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{program.parent}:/usr/bin:/bin')
    found = merged(sanitizer.run(arguments(model, tmp_path)))
    assert (found['verdict'], found['text']) == (verdict, f'error summary: {errors} errors')


def test_damage_changes_every_file_of_a_cache(tmp_path: Path):
    content = bytes(range(256)) * 16
    (tmp_path / 'sub').mkdir()
    for name in ('a.blob', 'sub/b.engine', 'empty'):
        (tmp_path / name).write_bytes(b'' if name == 'empty' else content)
    assert node.damage(tmp_path) == ['a.blob', 'empty', 'sub/b.engine']
    assert (tmp_path / 'a.blob').read_bytes() != content
    assert len((tmp_path / 'sub/b.engine').read_bytes()) < len(content)


def test_an_unknown_step_is_one_error(tmp_path: Path):
    done = hydranet('doctor', '--full', '--step', 'dance', cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 2
    assert done.stderr.startswith("hydranet: Step 'dance' does not exist; steps: environment, ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_node_publishes_a_cloud_also_with_a_damaged_cache(tmp_path: Path):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    done = hydranet(
        'doctor', '--full', '--json', 'doctor.json', '--step', 'node', '--minutes', '60',
        cwd=tmp_path, timeout=580, PYTHONPATH=str(ROOT),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if ' 8 node ' in line]
    assert len(lines) == 3 and lines[0].startswith('PASS     8 node first cloud: first cloud')
    if 'openvino' in INSTALLED:
        assert lines[2].startswith('PASS     8 node damaged cache')
    assert (tmp_path / 'doctor.tar.gz').is_file()
