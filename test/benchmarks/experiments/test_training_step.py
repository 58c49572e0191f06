"""The experiment ``training_step`` on a small batch."""

from __future__ import annotations

import pytest

pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from benchmarks.experiments import training_step
from benchmarks.suites.network.machine_limits import torch_threads
from hydranet_ros.errors import BenchError


@pytest.fixture(autouse=True)
def _one_thread():
    """Use one thread: two of them wait for each other where another process has a core."""
    with torch_threads(1):
        yield


def test_equal_weights_give_equal_losses_and_every_variant_is_timed():
    found = training_step.measure(training_step.make_variants(1, (64, 96)), rounds=1)
    assert set(found) == {training_step.OFFICIAL, training_step.OURS, training_step.BFLOAT16}
    assert all(len(series.milliseconds) == 1 for series in found.values())


def test_different_losses_are_an_error():
    steps = {training_step.OFFICIAL: lambda: 1.0, training_step.OURS: lambda: 1.1}
    with pytest.raises(BenchError, match='losses of equal weights differ'):
        training_step.measure(steps, rounds=1)
