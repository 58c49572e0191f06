"""The options of an engine."""

from __future__ import annotations

import pytest

from hydranet_ros.errors import ProviderError
from hydranet_ros.inference.options import PRECISIONS, EngineOptions


def test_the_defaults_leave_everything_to_the_engine():
    options = EngineOptions()
    assert (options.provider, options.precision, options.threads) == ('auto', 'auto', 0)
    assert (options.device, options.gpu, options.cache_directory) == ('', 0, None)


@pytest.mark.parametrize('precision', PRECISIONS)
def test_every_precision_is_accepted(precision):
    assert EngineOptions(precision=precision).precision == precision


@pytest.mark.parametrize(
    ('options', 'message'),
    [({'precision': 'fp16'}, "precision is 'fp16'; allowed: auto, float32"),
     ({'threads': -1}, 'threads is -1; it must be 0 or more')],
)  # fmt: skip
def test_options_outside_what_is_allowed_are_refused(options, message):
    with pytest.raises(ProviderError, match=message):
        EngineOptions(**options)


@pytest.mark.parametrize('device', ['GPU', '-1', '1.5', 'x'])
def test_a_gpu_needs_a_number(device):
    with pytest.raises(ProviderError, match='need the number of a GPU'):
        _ = EngineOptions(device=device).gpu
    assert EngineOptions(device='3').gpu == 3
