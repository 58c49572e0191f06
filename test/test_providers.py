"""A better provider that failed is a warning with its reason, an error where it was demanded."""

from __future__ import annotations

import pytest

from hydranet_ros.engine_cache import gpu_name
from hydranet_ros.errors import ProviderError
from hydranet_ros.providers import PROVIDERS, EngineOptions, _judge, first_choice, first_line

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
