"""The table of execution providers and the options of an engine."""

from __future__ import annotations

import pytest

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.providers import PROVIDERS, DevicePlacement, EngineOptions

PLACEMENT = DevicePlacement(stream=77, size=(375, 1242), graph=True)


def test_providers_are_ordered_from_best_to_worst():
    assert list(PROVIDERS) == ['tensorrt', 'cuda', 'cpu']
    assert [item.runtime_name for item in PROVIDERS.values()] == [
        'TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider',
    ]  # fmt: skip
    assert [item.on_gpu for item in PROVIDERS.values()] == [True, True, False]
    assert [item.compiles for item in PROVIDERS.values()] == [True, False, False]


def test_every_provider_is_stored_under_its_own_name():
    assert all(item.name == name for name, item in PROVIDERS.items())


@pytest.mark.parametrize('name', ['auto', *PROVIDERS])
def test_known_providers_are_accepted(name):
    assert EngineOptions(provider=name).provider == name


def test_an_unknown_provider_is_refused_with_the_allowed_names():
    with pytest.raises(
        ProviderError, match="'gpu' is unknown; allowed: auto, tensorrt, cuda, cpu"
    ):
        EngineOptions(provider='gpu')


@pytest.mark.parametrize(('threads', 'device'), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(threads, device):
    with pytest.raises(ProviderError, match=f'threads is {threads} and device is {device}'):
        EngineOptions(threads=threads, device=device)


def test_zero_threads_and_device_zero_are_the_defaults():
    options = EngineOptions()
    assert (options.threads, options.device, options.fp16) == (0, 0, False)


def test_the_cpu_takes_no_options():
    assert PROVIDERS['cpu'].session_options(b'', EngineOptions(threads=3), PLACEMENT) == {}


def test_cuda_gets_its_device_and_without_a_placement_nothing_else():
    assert PROVIDERS['cuda'].session_options(b'', EngineOptions(device=2), None) == {
        'device_id': 2
    }


def test_cuda_gets_stream_and_graph_of_the_placement():
    assert PROVIDERS['cuda'].session_options(b'', EngineOptions(), PLACEMENT) == {
        'device_id': 0, 'user_compute_stream': '77', 'enable_cuda_graph': True,
    }  # fmt: skip


def test_tensorrt_gets_a_cache_folder_of_its_own_for_each_size_and_precision(tmp_path):
    def options(fp16: bool, placement: DevicePlacement | None) -> dict:
        chosen = EngineOptions(fp16=fp16, cache_directory=tmp_path, device=1)
        return PROVIDERS['tensorrt'].session_options(b'model', chosen, placement)

    free, fixed, half = options(False, None), options(False, PLACEMENT), options(True, None)
    folders = [item['trt_engine_cache_path'] for item in (free, fixed, half)]
    assert len(set(folders)) == 3 and all(name.startswith(str(tmp_path)) for name in folders)
    assert fixed['trt_engine_cache_path'].endswith('_1242x375')
    assert fixed['user_compute_stream'] == '77' and fixed['trt_cuda_graph_enable'] is True
    assert 'user_compute_stream' not in free and 'trt_cuda_graph_enable' not in free
    assert [item['trt_fp16_enable'] for item in (free, half)] == [False, True]
    assert free['device_id'] == 1
    assert free['trt_engine_cache_enable'] is free['trt_timing_cache_enable'] is True
    assert free['trt_timing_cache_path'] == free['trt_engine_cache_path']
