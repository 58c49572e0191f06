"""The provider of OpenVINO: installation, devices and precisions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from model_factory import make_model

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference import openvino_provider
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.openvino_provider import (
    OpenvinoProvider,
    choose_device,
    requested_device,
)
from hydranet_ros.inference.openvino_session import compile_options
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.session import SessionRequest


def test_openvino_is_tried_before_the_cpu_alone():
    assert list(PROVIDERS) == ['tensorrt', 'cuda', 'openvino', 'cpu']
    provider = PROVIDERS['openvino']
    assert (provider.on_gpu, provider.compiles, provider.batches) == (False, False, False)
    assert provider.forms == ('portable',)


def test_without_openvino_the_command_that_installs_it_is_named():
    code = (
        'import sys; sys.modules["openvino"] = None; sys.path[:0] = sys.argv[1:]\n'
        'from hydranet_ros.inference.openvino_provider import OpenvinoProvider\n'
        'from hydranet_ros.inference.openvino_runtime import import_openvino\n'
        'print(OpenvinoProvider().missing())\n'
        'try: import_openvino()\n'
        'except Exception as err: print(type(err).__name__, err)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=True
    )
    missing, failed = done.stdout.splitlines()
    assert missing.endswith("To install it: pip install 'hydranet_ros[openvino]'")
    assert failed.startswith('ProviderError OpenVINO cannot be imported: ')


@pytest.mark.parametrize(
    ('requested', 'devices', 'expected'),
    [
        ('CPU', ('CPU',), 'CPU'), ('AUTO', ('CPU',), 'CPU'), ('AUTO', ('CPU', 'NPU'), 'CPU'),
        ('AUTO', ('CPU', 'GPU', 'NPU'), 'GPU'), ('AUTO', ('CPU', 'GPU.0', 'GPU.1'), 'GPU.1'),
        ('GPU', ('CPU', 'GPU.0', 'GPU.1'), 'GPU'), ('GPU.1', ('CPU', 'GPU.0', 'GPU.1'), 'GPU.1'),
        ('NPU', ('CPU', 'NPU'), 'NPU'),
    ],
)  # fmt: skip
def test_a_device_of_the_machine_is_used(requested, devices, expected):
    assert choose_device(requested, devices) == expected


@pytest.mark.parametrize('requested', ['GPU', 'GPU.2', 'cpu', '0', 'AUTO:GPU', 'X'])
def test_an_unknown_device_is_refused_with_those_that_exist(requested):
    with pytest.raises(ProviderError, match=f"device is '{requested}'.*it finds CPU, NPU.*AUTO"):
        choose_device(requested, ('CPU', 'NPU'))


@pytest.mark.parametrize(
    ('provider', 'device', 'expected'),
    [('auto', '', 'CPU'), ('openvino', '', 'CPU'), ('auto', '1', 'CPU'), ('auto', 'GPU', 'GPU'),
     ('openvino', '1', '1'), ('openvino', 'NPU', 'NPU')],
)  # fmt: skip
def test_the_number_of_an_nvidia_gpu_leaves_openvino_on_the_cpu(provider, device, expected):
    assert requested_device(EngineOptions(provider, device=device)) == expected


@pytest.mark.parametrize(
    ('flags', 'precisions'),
    [
        ('avx2 avx512f', ('float32',)), ('avx512_bf16 avx2', ('bfloat16', 'float32')),
        ('avx2 amx_bf16', ('bfloat16', 'float32')), ('avx2 my_amx_bf16x', ('float32',)),
    ],
)  # fmt: skip
def test_bfloat16_is_automatic_where_the_processor_has_it(monkeypatch, flags, precisions):
    monkeypatch.setattr(openvino_provider, 'processor_flags', lambda: frozenset(flags.split()))
    assert OpenvinoProvider().automatic_precisions(EngineOptions()) == precisions


@pytest.mark.parametrize('device', ['GPU', 'GPU.1', 'NPU'])
def test_float16_is_automatic_on_other_devices_than_the_cpu(device):
    options = EngineOptions(device=device)
    assert OpenvinoProvider().automatic_precisions(options) == ('float16', 'float32')


def test_float32_asks_for_accuracy_and_int8_leaves_the_choice_to_openvino():
    def options(precision: str, device: str = 'CPU', threads: int = 0) -> dict:
        given = EngineOptions('openvino', threads=threads)
        return compile_options(SessionRequest(b'', Path('x'), given, precision), device)

    both = {
        'PERFORMANCE_HINT': 'LATENCY', 'ENABLE_CPU_PINNING': False,
        'CPU_RUNTIME_CACHE_CAPACITY': 300,
    }  # fmt: skip
    assert options('float32') == {
        **both, 'INFERENCE_PRECISION_HINT': 'f32', 'EXECUTION_MODE_HINT': 'ACCURACY',
    }  # fmt: skip
    assert options('bfloat16') == {**both, 'INFERENCE_PRECISION_HINT': 'bf16'}
    assert options('int8', threads=3) == {**both, 'INFERENCE_NUM_THREADS': 3}
    assert options('float16', 'GPU', threads=3) == {
        'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': 'f16',
    }  # fmt: skip


# With the real OpenVINO


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pytest.importorskip('openvino', reason='OpenVINO is not installed (extra: openvino)')
    return make_model(tmp_path / 'model.onnx')


def test_openvino_names_its_version_and_finds_the_cpu(model):
    from openvino import __version__

    assert OpenvinoProvider().missing() is None
    name, version = OpenvinoProvider().version().split()
    assert name == 'OpenVINO' and __version__.startswith(version)
    assert 'CPU' in openvino_provider.available_devices()


def test_a_requested_device_that_does_not_exist_is_an_error_of_the_engine(model, tmp_path):
    options = EngineOptions('openvino', device='GPU.7', cache_directory=tmp_path)
    with pytest.raises(ProviderError, match=r"device is 'GPU\.7'.*it finds .*CPU.*AUTO"):
        Engine(model, options)


def test_auto_goes_on_without_a_device_that_does_not_exist(model, tmp_path):
    options = EngineOptions(device='GPU.7', cache_directory=tmp_path)
    found = Engine(model, options, report=lambda text: None)
    assert found.provider == 'cpu'
    assert "device is 'GPU.7'" in found.warnings[-1]


@pytest.mark.parametrize('device', ['', 'CPU', 'AUTO'])
def test_a_requested_openvino_runs(model, tmp_path, device):
    options = EngineOptions('openvino', 'float32', device=device, cache_directory=tmp_path)
    found = Engine(model, options)
    assert (found.provider, found.precision) == ('openvino', 'float32')
