"""Sessions on the best provider that works: fallback, warnings, placement on a device."""

from __future__ import annotations

import pytest

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.onnx_session import (
    _create,
    _fallback_warnings,
    first_choice,
    first_line,
    import_runtime,
)
from hydranet_ros.inference.providers import PROVIDERS, DevicePlacement, EngineOptions
from hydranet_ros.inference.tensorrt_cache import gpu_name
from hydranet_ros.model_files.resolve import find_model

ALL = list(PROVIDERS)


def test_fallback_warns_of_each_better_provider_with_reason_and_remedy():
    tensorrt, cuda = _fallback_warnings(ALL, 'cpu', {'tensorrt': 'no libnvinfer'}, EngineOptions())
    assert "'tensorrt' cannot be used: no libnvinfer" in tensorrt
    assert "'cuda' cannot be used: its libraries did not load" in cuda
    assert "Running on 'cpu' instead" in cuda and 'pip install' in cuda


def test_the_best_provider_has_no_warning():
    assert _fallback_warnings(ALL, 'tensorrt', {}, EngineOptions()) == ()
    assert _fallback_warnings(['cuda', 'cpu'], 'cuda', {}, EngineOptions()) == ()


@pytest.mark.skipif(gpu_name() != '', reason='this machine has an NVIDIA GPU')
def test_a_machine_without_a_gpu_gets_no_warning():
    assert _fallback_warnings(['cpu'], 'cpu', {}, EngineOptions()) == ()


@pytest.mark.parametrize('requested', ['tensorrt', 'cuda'])
def test_a_requested_provider_that_failed_is_an_error(requested: str):
    names = ALL[ALL.index(requested) :]
    with pytest.raises(
        ProviderError, match=f"'{requested}' cannot be used: no driver.*requested explicitly"
    ):
        _fallback_warnings(
            names, 'cpu', {requested: 'no driver'}, EngineOptions(provider=requested)
        )


def test_cuda_in_place_of_a_requested_tensorrt_is_an_error():
    with pytest.raises(ProviderError, match="'tensorrt' cannot be used"):
        _fallback_warnings(ALL, 'cuda', {}, EngineOptions(provider='tensorrt'))


def test_the_cpu_can_always_be_requested():
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
def test_an_onnxruntime_error_is_shown_without_its_source_location(text: str, line: str):
    assert first_line(RuntimeError(text)) == line


def test_a_session_on_a_gpu_has_stream_size_and_one_cuda_graph(tmp_path, monkeypatch):
    """Checks the options given to ONNX Runtime; the session itself needs a GPU."""
    import onnxruntime

    made = []
    monkeypatch.setattr(
        onnxruntime, 'InferenceSession',
        lambda model, settings, providers, enable_fallback: made.append(providers),
    )  # fmt: skip
    options = EngineOptions(cache_directory=tmp_path)
    _create(onnxruntime, b'model', ALL, options, DevicePlacement(1234, (375, 1242), graph=True))
    _create(
        onnxruntime, b'model', ALL[1:], options, DevicePlacement(1234, (375, 1242), graph=True)
    )
    _create(onnxruntime, b'model', ALL, options, None)
    tensorrt, cuda, _ = (dict(given) for _, given in made[0])
    assert tensorrt['user_compute_stream'] == cuda['user_compute_stream'] == '1234'
    assert tensorrt['trt_cuda_graph_enable'] and not cuda['enable_cuda_graph']
    assert tensorrt['trt_engine_cache_path'].endswith('1242x375')
    assert made[1][0][1]['enable_cuda_graph']
    assert 'user_compute_stream' not in made[2][0][1]


def test_a_session_for_one_size_has_fixed_shapes(tmp_path):
    """With free shapes, shape nodes run on the CPU and no CUDA graph can be captured."""
    model = find_model('street.onnx').read_bytes()
    place = DevicePlacement(0, (96, 128), graph=False)
    session = _create(import_runtime(), model, ['cpu'], EngineOptions('cpu'), place)
    assert [item.shape for item in session.get_inputs()] == [[1, 96, 128, 3]]
    assert {tuple(item.shape[1:]) for item in session.get_outputs()} == {(96, 128)}
