"""The table of execution providers and what each is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.onnx_providers import CudaProvider, TensorrtProvider
from hydranet_ros.inference.onnx_session import DevicePlacement
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.inference.tensorrt_cache import record_engines
from hydranet_ros.model_files.selftest import TOLERANCES

PLACEMENT = DevicePlacement(stream=77, size=(375, 1242), graph=True)


def request(precision: str = 'float32', **options) -> SessionRequest:
    return SessionRequest(b'model', Path('x.onnx'), EngineOptions(**options), precision)


def test_providers_are_ordered_from_best_to_worst():
    names = list(PROVIDERS)
    assert names[:2] == ['tensorrt', 'cuda'] and names[-1] == 'cpu'
    assert [name for name in names if PROVIDERS[name].on_gpu] == ['tensorrt', 'cuda']
    assert [name for name in names if PROVIDERS[name].compiles] == ['tensorrt']


def test_every_provider_is_stored_under_its_own_name():
    assert all(item.name == name for name, item in PROVIDERS.items())


@pytest.mark.parametrize('name', list(PROVIDERS))
def test_every_precision_of_a_provider_has_a_tolerance(name):
    provider = PROVIDERS[name]
    automatic = provider.automatic_precisions(EngineOptions())
    assert automatic and {*provider.precisions, *automatic} <= set(TOLERANCES)


def test_only_the_cpu_runs_the_form_that_is_right_in_it_alone():
    assert [name for name in PROVIDERS if 'cpu' in PROVIDERS[name].forms] == ['cpu']
    assert all('portable' in item.forms for item in PROVIDERS.values())


def test_cuda_gets_its_device_and_without_a_placement_nothing_of_a_stream():
    found = CudaProvider().session_options(request(device='2'), None)
    assert found == {'device_id': 2, 'use_tf32': False}


def test_cuda_uses_tf32_only_when_the_precision_is_automatic():
    provider = CudaProvider()
    assert provider.automatic_precisions(EngineOptions()) == ('tf32', 'float32')
    assert 'tf32' not in provider.precisions
    assert provider.session_options(request('tf32'), None)['use_tf32'] is True


def test_cuda_gets_stream_and_graph_of_the_placement():
    assert CudaProvider().session_options(request(), PLACEMENT) == {
        'device_id': 0, 'use_tf32': False, 'user_compute_stream': '77', 'enable_cuda_graph': True,
    }  # fmt: skip


def test_a_device_that_is_not_a_number_is_refused_with_an_example():
    with pytest.raises(ProviderError, match="device is 'NPU'; CUDA and TensorRT need the number"):
        CudaProvider().session_options(request(device='NPU'), None)


def test_tensorrt_gets_a_cache_folder_of_its_own_for_each_size_and_precision(tmp_path):
    def options(precision: str, placement: DevicePlacement | None) -> dict:
        given = request(precision, cache_directory=tmp_path, device='1')
        return dict(TensorrtProvider().session_options(given, placement))

    free, fixed = options('float32', None), options('float32', PLACEMENT)
    half, quantized = options('float16', None), options('int8', None)
    folders = [item['trt_engine_cache_path'] for item in (free, fixed, half, quantized)]
    assert len(set(folders)) == 4 and all(name.startswith(str(tmp_path)) for name in folders)
    assert fixed['trt_engine_cache_path'].endswith('_1242x375')
    assert fixed['user_compute_stream'] == '77' and fixed['trt_cuda_graph_enable'] is True
    assert 'user_compute_stream' not in free and 'trt_cuda_graph_enable' not in free
    assert [item['trt_fp16_enable'] for item in (free, half, quantized)] == [False, True, False]
    assert [item['trt_int8_enable'] for item in (free, half, quantized)] == [False, False, True]
    assert free['device_id'] == 1
    assert free['trt_engine_cache_enable'] is free['trt_timing_cache_enable'] is True
    assert free['trt_timing_cache_path'] == free['trt_engine_cache_path']


def test_a_session_on_a_gpu_has_stream_size_and_one_cuda_graph(tmp_path, monkeypatch):
    """Checks the options given to ONNX Runtime; the session itself needs a GPU."""
    import onnxruntime

    from hydranet_ros.inference import onnx_providers

    made = []
    monkeypatch.setattr(onnx_providers, 'available', lambda name: True)
    monkeypatch.setattr(onnx_providers, 'driver_problem', lambda *arguments: None)
    monkeypatch.setattr(onnx_providers, 'missing_library', lambda name: None)
    monkeypatch.setenv('NVIDIA_TF32_OVERRIDE', '')
    monkeypatch.setattr(
        onnxruntime, 'InferenceSession',
        lambda model, settings, providers, enable_fallback: made.append(providers) or Fake(),
    )  # fmt: skip

    class Fake:
        def get_providers(self):
            return [made[-1][0][0]]

    given = request(cache_directory=tmp_path)
    TensorrtProvider().runtime_session(given, PLACEMENT)
    CudaProvider().runtime_session(given, PLACEMENT)
    TensorrtProvider().runtime_session(given)
    tensorrt, cuda, _ = (dict(values) for _, values in made[0])
    assert tensorrt['user_compute_stream'] == cuda['user_compute_stream'] == '77'
    assert tensorrt['trt_cuda_graph_enable'] and not cuda['enable_cuda_graph']
    assert made[1][0][1]['enable_cuda_graph']
    assert 'user_compute_stream' not in made[2][0][1]
    assert os.environ['NVIDIA_TF32_OVERRIDE'] == '0', 'float32 in TensorRT is float32'


def test_an_engine_that_does_not_load_is_built_again(tmp_path, monkeypatch, caplog):
    import onnxruntime

    from hydranet_ros.inference import onnx_providers

    monkeypatch.setattr(onnx_providers, 'driver_problem', lambda *arguments: None)
    monkeypatch.setattr(onnx_providers, 'missing_library', lambda name: None)
    given = request('float16', cache_directory=tmp_path)
    folder = TensorrtProvider().folder(given, None)

    class Fake:
        def get_providers(self):
            return ['TensorrtExecutionProvider']

    def open_session(model, settings, providers, enable_fallback):
        if (folder / 'x.engine').exists():
            raise RuntimeError('could not deserialize the engine')
        return Fake()

    monkeypatch.setattr(onnxruntime, 'InferenceSession', open_session)
    folder.mkdir()
    (folder / 'x.engine').write_bytes(b'of another build of TensorRT')
    record_engines(folder)
    assert isinstance(TensorrtProvider().runtime_session(given), Fake)
    assert 'is built again' in caplog.text and list(folder.iterdir()) == []

    def refuse(*arguments, **options):
        raise RuntimeError('not a model')

    monkeypatch.setattr(onnxruntime, 'InferenceSession', refuse)
    with pytest.raises(ModelError, match='not a model'):
        TensorrtProvider().runtime_session(given)


def test_a_damaged_engine_is_built_again_and_never_loaded(tmp_path, monkeypatch, caplog):
    import onnxruntime

    from hydranet_ros.inference import onnx_providers

    monkeypatch.setattr(onnx_providers, 'driver_problem', lambda *arguments: None)
    monkeypatch.setattr(onnx_providers, 'missing_library', lambda name: None)
    given = request('float16', cache_directory=tmp_path)
    engine = TensorrtProvider().folder(given, None) / 'x.engine'
    found = []

    class Fake:
        def get_providers(self):
            return ['TensorrtExecutionProvider']

    def open_session(model, settings, providers, enable_fallback):
        found.append(engine.read_bytes() if engine.exists() else b'')
        engine.write_bytes(b'engine')
        return Fake()

    monkeypatch.setattr(onnxruntime, 'InferenceSession', open_session)
    for content in (None, b'enginf', None):
        if content is not None:
            engine.write_bytes(content)
        TensorrtProvider().runtime_session(given)
    assert found == [b'', b'', b'engine']
    assert 'is damaged or incomplete; it is built again' in caplog.text


def test_an_error_of_the_driver_is_not_one_of_the_model(monkeypatch):
    import onnxruntime

    from hydranet_ros.inference import onnx_providers

    monkeypatch.setattr(onnx_providers, 'driver_problem', lambda *arguments: None)
    monkeypatch.setattr(onnx_providers, 'missing_library', lambda name: None)

    def refuse(*arguments, **options):
        raise RuntimeError('CUDA failure 36: API call is not supported in the installed driver')

    monkeypatch.setattr(onnxruntime, 'InferenceSession', refuse)
    with pytest.raises(ProviderError, match='^CUDAExecutionProvider failed: CUDA failure 36'):
        CudaProvider().runtime_session(request())


def test_a_gpu_without_a_driver_for_it_is_not_opened(monkeypatch):
    from hydranet_ros.inference import candidates, onnx_providers

    monkeypatch.setattr(onnx_providers, 'available', lambda name: True)
    monkeypatch.setattr(candidates, 'available', lambda name: True)
    monkeypatch.setattr(onnx_providers, 'driver_problem', lambda *arguments: 'the driver is old')
    for provider in (CudaProvider(), TensorrtProvider()):
        assert provider.missing() == 'the driver is old'
        with pytest.raises(ProviderError, match='the driver is old'):
            provider.open(request())
    rest = [candidates.Candidate('cpu', 'float32')]
    monkeypatch.setattr(candidates, 'gpu_name', lambda number: '')
    warning = candidates.unused_gpu_warning(rest, EngineOptions())
    assert 'GPU is not used: the driver is old.' in warning


def test_a_library_that_does_not_load_is_a_reason_before_a_session_is_opened(monkeypatch):
    from hydranet_ros.inference import candidates, onnx_providers

    monkeypatch.setattr(onnx_providers, 'available', lambda name: True)
    monkeypatch.setattr(onnx_providers, 'driver_problem', lambda *arguments: None)
    monkeypatch.setattr(
        onnx_providers, 'missing_library',
        lambda name: 'libnvinfer is missing' if name == 'tensorrt' else None,
    )  # fmt: skip
    assert TensorrtProvider().missing() == 'libnvinfer is missing'
    assert CudaProvider().missing() is None
    with pytest.raises(ProviderError, match='libnvinfer is missing'):
        TensorrtProvider().open(request())
    rest = [candidates.Candidate(name, 'float32') for name in ('cuda', 'cpu')]
    warning = candidates.unused_gpu_warning(rest, EngineOptions())
    assert warning == (
        'TensorRT is not used: libnvinfer is missing. To silence this warning, set provider to '
        "'cuda'."
    )
    rest.insert(0, candidates.Candidate('tensorrt', 'float16'))
    assert candidates.unused_gpu_warning(rest, EngineOptions()) == ''


def test_a_cache_that_cannot_be_written_gives_no_cache_options(tmp_path):
    (tmp_path / 'file').touch()
    given = request('float16', cache_directory=tmp_path / 'file')
    values = TensorrtProvider().session_options(given, None)
    assert values['trt_fp16_enable'] and not [name for name in values if 'cache' in name]
