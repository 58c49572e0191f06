"""The suite ``ros_graph``: one quick run of real processes, and its samples."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_documents import SMALL

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from benchmarks.harness.processes import Process
from benchmarks.harness.suite_process import Outcome
from benchmarks.suites.ros_graph.received import Received
from benchmarks.suites.ros_graph.samples import Frame, Samples, joined
from benchmarks.suites.ros_graph.suite import run

METRICS = {
    'cloud_latency_ms_profile', 'cloud_latency_p95_ms_profile', 'cloud_latency_ms_default',
    'cloud_latency_default_to_profile', 'idle_cpu_percent', 'throughput_hz', 'mask_latency_ms',
    'depth_latency_ms', 'points_latency_ms', 'cpu_ms_per_frame', 'overload_age_ms',
    'overload_age_p95_ms', 'overload_cycle_ms', 'overload_age_to_cycle_p95',
    'subscribers_1_throughput_hz', 'subscribers_2_throughput_hz', 'cameras_1_throughput_hz',
    'cameras_2_throughput_hz', 'cameras_2_age_p95_ms', 'allocated_kb_per_frame',
}  # fmt: skip


@pytest.fixture(scope='module')
def result(tiny_model):
    return run(replace(SMALL, model=tiny_model), lambda text: None)


def test_every_metric_is_a_number_or_null_with_a_note(result):
    assert result.metrics.keys() >= METRICS
    notes = ' '.join(Outcome('ros_graph', 1.0, result).to_json()['notes'])
    for name, value in result.metrics.items():
        assert value is None or isinstance(value, float), name
        assert (value is not None and math.isfinite(value)) or name in notes, name
    assert len(result.inputs['tiny.onnx']) == 64
    for table in result.tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title


def test_metrics_are_consistent(result):
    metrics = result.metrics
    for name in ('default', 'profile'):
        assert metrics[f'cloud_latency_ms_{name}'] > 0
        for reliability in ('reliable', 'best_effort'):
            assert 0 <= metrics[f'cloud_loss_percent_{name}_{reliability}'] <= 100
    assert not metrics['overload_age_ms'] > metrics['overload_age_p95_ms']


def test_a_frame_keeps_no_python_memory(result):
    kept = result.metrics['kept_kb_per_frame']
    assert kept is None or kept < 16


def test_joined_samples_weigh_every_frame():
    one = Samples(
        [Frame(50, 40, 60, 80)], {'mask': [1.0], 'depth': [], 'points': []}, 3, 10.0, 1.0
    )
    two = Samples(
        [Frame(70, 40, 80, 90)] * 3, {'mask': [], 'depth': [2.0], 'points': []}, 5, 20.0, 2.0,
        '0 of 3 mask',
    )  # fmt: skip
    both = joined([one, two])
    assert (both.sent, both.seconds, both.cpu) == (8, 3.0, 17.5)
    assert (both.rate, both.cycle, both.age(50)) == (4 / 3, 80, 70)
    assert both.newest_age == (60 * 80 + 3 * 80 * 90) / 300
    assert both.age_to_cycle == pytest.approx((70 - 10) / 80), 'each frame with its own cycle'
    assert one.age_to_cycle == pytest.approx((50 - 10) / 60)
    assert both.latencies == {'mask': [1.0], 'depth': [2.0], 'points': []}
    assert math.isnan(both.latency('points', 50))
    assert both.shortfall == '0 of 3 mask'


EMIT = """
import time
from benchmarks.harness.processes import Commands, emit_event
for index in range(2):
    emit_event(node='/camera0', output='mask', stamp=index, latency_ms=5.0)
    emit_event(node='/camera0', output='timing', at=10.0 + index, age_ms=20.0, total_ms=9.0,
               engine_ms=8.0)
emit_event(done=True, output='timing', node='', at=0.0, age_ms=0.0, total_ms=0.0,
           engine_ms=0.0)
Commands().serve(print, lambda: time.sleep(0.01))
"""


def test_missing_samples_are_named_when_the_time_is_over(tmp_path: Path):
    with Process([sys.executable, '-c', EMIT], os.environ, tmp_path / 'log') as subscriber:
        received = Received([subscriber], [subscriber])
        received.wait(0.0, frames=3, timeout=1.0)
        while not received.latencies()['mask'][1:]:
            received.update()
        assert received.shortfall(2) == '0 of 2 depth of /camera0, 0 of 2 points of /camera0'
        assert received.latencies()['mask'] == [5.0, 5.0]
        (frame,) = received.frames(end=20.0)
        assert (frame.age, frame.cycle, frame.previous_age) == (20.0, 1000.0, 520.0)
        assert (frame.total, frame.engine) == (9.0, 8.0)
