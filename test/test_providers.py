"""A better provider that failed is a warning with its reason, an error where it was demanded."""

from __future__ import annotations

import pytest

from hydranet_ros.inference.tensorrt_cache import gpu_name
from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.providers import (
    PROVIDERS,
    EngineOptions,
    OnDevice,
    _create,
    _judge,
    first_choice,
    first_line,
    import_runtime,
)
from hydranet_ros.resources import find_model

ALL = list(PROVIDERS)


def test_falling_back_names_every_better_provider_its_reason_and_the_cure():
    tensorrt, cuda = _judge(ALL, 'cpu', {'tensorrt': 'no libnvinfer'}, EngineOptions())
    assert "'tensorrt' cannot be used: no libnvinfer" in tensorrt
    assert "'cuda' cannot be used: its libraries did not load" in cuda
    assert "Running on 'cpu' instead" in cuda and 'pip install' in cuda


def test_the_best_provider_has_no_warning():
    assert _judge(ALL, 'tensorrt', {}, EngineOptions()) == ()
    assert _judge(['cuda', 'cpu'], 'cuda', {}, EngineOptions()) == ()


@pytest.mark.skipif(gpu_name() != '', reason='this machine has an NVIDIA GPU')
def test_a_machine_without_a_gpu_is_not_warned_of_the_cpu():
    assert _judge(['cpu'], 'cpu', {}, EngineOptions()) == ()


@pytest.mark.parametrize('demanded', ['tensorrt', 'cuda'])
def test_a_demanded_provider_that_failed_is_an_error(demanded: str):
    names = ALL[ALL.index(demanded) :]
    with pytest.raises(ProviderError, match=f"'{demanded}' cannot be used: no driver.*demanded"):
        _judge(names, 'cpu', {demanded: 'no driver'}, EngineOptions(provider=demanded))


def test_tensorrt_demanded_and_cuda_got_is_an_error():
    with pytest.raises(ProviderError, match="'tensorrt' cannot be used"):
        _judge(ALL, 'cuda', {}, EngineOptions(provider='tensorrt'))


def test_the_cpu_can_always_be_demanded():
    assert first_choice(EngineOptions(provider='cpu')) == 'cpu'


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('/src/a/b.cc:729 void f(const X&) Please install TensorRT.\nmore', 'Please install '
         'TensorRT'),
        ('[ONNXRuntimeError] : 7 : INVALID', '[ONNXRuntimeError] : 7 : INVALID'),
        ('', 'RuntimeError'),
    ],
)  # fmt: skip
def test_what_onnxruntime_says_is_told_without_the_place_in_its_source(text: str, line: str):
    assert first_line(RuntimeError(text)) == line


def test_a_session_on_the_gpu_has_its_stream_its_size_and_one_graph(tmp_path, monkeypatch):
    """What ONNX Runtime is told; the session itself is a GPU's."""
    import onnxruntime

    made = []
    monkeypatch.setattr(
        onnxruntime, 'InferenceSession',
        lambda model, settings, providers, enable_fallback: made.append(providers),
    )  # fmt: skip
    options = EngineOptions(cache_directory=tmp_path)
    _create(onnxruntime, b'model', ALL, options, OnDevice(1234, (375, 1242), graph=True))
    _create(onnxruntime, b'model', ALL[1:], options, OnDevice(1234, (375, 1242), graph=True))
    _create(onnxruntime, b'model', ALL, options, None)
    tensorrt, cuda, _ = (dict(given) for _, given in made[0])
    assert tensorrt['user_compute_stream'] == cuda['user_compute_stream'] == '1234'
    assert tensorrt['trt_cuda_graph_enable'] and not cuda['enable_cuda_graph']
    assert tensorrt['trt_engine_cache_path'].endswith('1242x375')
    assert made[1][0][1]['enable_cuda_graph']
    assert 'user_compute_stream' not in made[2][0][1]


def test_a_session_for_one_size_knows_every_shape(tmp_path):
    """Else the nodes that ask for sizes stay on the CPU, and no CUDA graph is made."""
    model = find_model('street.onnx').read_bytes()
    place = OnDevice(0, (96, 128), graph=False)
    session = _create(import_runtime(), model, ['cpu'], EngineOptions('cpu'), place)
    assert [item.shape for item in session.get_inputs()] == [[1, 96, 128, 3]]
    assert {tuple(item.shape[1:]) for item in session.get_outputs()} == {(96, 128)}
