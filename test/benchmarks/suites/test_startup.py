"""The suite ``startup`` with a small model."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import pytest
from benchmark_documents import SMALL

from benchmarks.suites.startup.import_times import import_times, parse
from hydranet_ros.errors import BenchError


@pytest.fixture(autouse=True)
def _environment():
    """Restore the DDS variables that the suite sets; otherwise it has its own process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_start_memory_and_imports_of_the_node_are_measured(tiny_model):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from benchmarks.suites.startup import suite

    result = suite.run(replace(SMALL, model=tiny_model), lambda text: None)
    metrics = result.metrics
    for name in ('first_result_s', 'first_result_cold_s', 'import_s'):
        assert math.isfinite(metrics[name]) and metrics[name] > 0
    assert metrics['first_result_uncompiled_s'] is None, 'left out in quick mode'
    assert 20 < metrics['memory_at_rest_mb'] < 4000 and 20 < metrics['memory_at_work_mb'] < 4000
    packages = {row[0] for row in result.tables[-1].rows}
    assert {'numpy', 'rclpy', 'total'} <= packages
    assert not {'torch', 'onnx', 'av', 'rosbags'} & packages


def test_a_node_that_cannot_start_is_an_error_with_its_last_lines(tmp_path):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from benchmarks.suites.startup.node_start import NodeStarter

    with (
        NodeStarter(tmp_path / 'missing.onnx') as starter,
        pytest.raises(BenchError, match=r'missing\.onnx'),
    ):
        starter.memory_at_rest()


def test_import_times_are_summed_by_package():
    report = (
        'import time: self [us] | cumulative | imported package\n'
        'import time:      1500 |       1500 |   json.decoder\n'
        'import time:       500 |       2000 | json\n'
        'something else\n'
    )
    assert parse(report) == {'json.decoder': pytest.approx(1.5e-3), 'json': pytest.approx(5e-4)}
    found = import_times('import hydranet_ros.errors')
    assert 'hydranet_ros' in found and 'site' not in found
