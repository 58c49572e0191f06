"""The part ``graph`` of the benchmark, run for real in small; its figures make sense."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')

from conftest import ROOT, wait_for

from benchmarks.suites.ros_graph.suite import run
from benchmarks.suites.ros_graph.graph import Frame, Stretch, joined
from benchmarks.harness.processes import Process
from benchmarks.harness.results import BenchOptions
from hydranet_ros.errors import BenchError

KEYS = {
    'cloud_latency_ms_profile', 'cloud_latency_p95_ms_profile', 'cloud_latency_ms_default',
    'cloud_latency_p95_ms_default', 'cloud_latency_ratio', 'idle_cpu_percent', 'throughput_hz',
    'mask_latency_ms', 'depth_latency_ms', 'points_latency_ms', 'cpu_ms_per_frame',
    'overload_age_ms', 'overload_age_p95_ms', 'overload_cycle_ms', 'overload_age_over_cycle_p95',
    'listeners_1_throughput_hz', 'listeners_2_throughput_hz', 'cameras_1_throughput_hz',
    'cameras_2_throughput_hz', 'cameras_2_age_p95_ms', 'allocated_kb_per_frame',
}  # fmt: skip


@pytest.fixture(scope='module')
def result():
    model = ROOT / 'models' / 'street' / 'street.onnx'
    if not model.is_file():
        pytest.skip('models/street/street.onnx is not there')
    said: list[str] = []
    return run(BenchOptions(quick=True, rounds=3, model=model), said.append)


def test_every_figure_is_there_and_is_a_number(result):
    assert result.figures.keys() >= KEYS
    for key, value in result.figures.items():
        assert isinstance(value, float) and math.isfinite(value), key
    assert list(result.inputs) == ['street.onnx'] and len(result.inputs['street.onnx']) == 64
    for table in result.tables:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title


def test_the_figures_fit_each_other(result):
    found = result.figures
    for name in ('default', 'profile'):
        assert found[f'cloud_latency_ms_{name}'] > 0.5, 'the wire copies 7.45 MB'
        for kind in ('reliable', 'best_effort'):
            assert 0 <= found[f'cloud_lost_percent_{name}_{kind}'] <= 100
    assert found['overload_age_ms'] <= found['overload_age_p95_ms']
    for count in (1, 2):
        rate = found[f'cameras_{count}_throughput_hz']
        assert 0 < rate <= 31 * count, 'a node cannot give more frames than its camera'
    assert found['points_latency_ms'] > found['cloud_publish_ms_profile'] / 10
    assert found['cpu_ms_per_frame'] > 1, 'the network takes more than a millisecond'


def test_a_frame_leaves_nothing_behind(result):
    assert result.figures['kept_kb_per_frame'] < 16


def test_stretches_are_joined_frame_by_frame():
    one = Stretch(
        [Frame(50, 40, 60, 80)], {'mask': [1.0], 'depth': [], 'points': []}, 3, 10.0, 1.0
    )
    two = Stretch(
        [Frame(70, 40, 80, 90)] * 3, {'mask': [], 'depth': [2.0], 'points': []}, 5, 20.0, 2.0
    )
    both = joined([one, two])
    assert (both.sent, both.seconds, both.cpu) == (8, 3.0, 17.5)
    assert (both.rate, both.cycle, both.age(50)) == (4 / 3, 80, 70)
    assert both.newest_age == (60 * 80 + 3 * 80 * 90) / 300
    assert both.age_over_cycle == pytest.approx((70 - 10) / 80), 'each frame with its own cycle'
    assert one.age_over_cycle == pytest.approx((50 - 10) / 60)
    assert both.latencies == {'mask': [1.0], 'depth': [2.0], 'points': []}
    assert math.isnan(both.latency('points', 50))


def process(tmp_path: Path, code: str) -> Process:
    return Process([sys.executable, '-c', code], os.environ, tmp_path / 'log')


def test_a_process_that_ends_early_is_an_error_with_its_last_words(tmp_path):
    with (
        process(tmp_path, 'raise SystemExit("out of luck")') as child,
        pytest.raises(BenchError, match=r'ended with 1(.|\n)*out of luck'),
    ):
        child.fact()


def test_a_process_that_says_nothing_is_an_error(tmp_path):
    with (
        process(tmp_path, 'import time; time.sleep(60)') as child,
        pytest.raises(BenchError, match='said nothing'),
    ):
        child.fact(0.2)


def test_commands_go_in_and_facts_come_out(tmp_path):
    code = """
from benchmarks.harness.processes import Commands, say_fact
import time
print('only for the log')
Commands().serve(lambda words: say_fact(words=words), lambda: time.sleep(0.01))
"""
    with process(tmp_path, code) as child:
        child.tell('add', 1, 2.5)
        assert child.fact() == {'words': ['add', '1', '2.5']}
        assert child.fact_or_none(0.05) is None
    assert 'only for the log' in child.log.read_text()


def test_cpu_memory_and_faults_of_a_process_are_counted(tmp_path):
    code = """
import time
from benchmarks.harness.processes import say_fact
input()
until = time.process_time() + 0.2
while time.process_time() < until:
    pass
block = bytearray(64 << 20)
say_fact(done=time.process_time())
time.sleep(60)
"""
    with process(tmp_path, code) as child:
        before = child.cpu_seconds(), child.resident_bytes(), child.page_faults()
        child.tell()
        done = child.fact()['done']
        assert 0.2 <= done <= child.cpu_seconds() < done + 5
        assert child.cpu_seconds() - before[0] >= 0.2
        assert child.resident_bytes() - before[1] > 60 << 20
        assert child.page_faults() > before[2]
        begin = time.monotonic()
        status, took = child.stop()
        assert status != 0 and took <= time.monotonic() - begin + 0.1


def test_a_process_ends_when_the_benchmark_is_killed(tmp_path):
    """Also one that does not look at stdin, as the node does not."""
    code = f"""
import os, sys, time
from pathlib import Path
from benchmarks.harness.processes import Process
child = Process(['sleep', '120'], os.environ, Path({str(tmp_path / 'inner')!r}))
print(child.pid, flush=True)
time.sleep(120)
"""
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True) as done:
        child = int(done.stdout.readline())
        assert Path(f'/proc/{child}').exists()
        done.kill()
    wait_for(lambda: not runs(child), 20, 'the end of the child')


def runs(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False
