"""``python -m benchmarks``: ratios, counts, bounds, and real small runs of its parts."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import bounds as bounds_module
from benchmarks.harness import suite_process as parts
from benchmarks.harness.runner import run_bench
from benchmarks.suites.network.roofline import Node, Roof, kinds_table, nodes_table, share_of_roof
from benchmarks.suites.network.machine_limits import Bandwidth, best_gemms, measure_bandwidth
from benchmarks.harness.report import FORMAT, header
from benchmarks.harness.results import (
    BenchOptions,
    PartResult,
    Series,
    assert_agree,
    interleaved,
    pair_ratio,
    settle,
    times_table,
)
from hydranet_ros.errors import BenchError, MissingDependencyError, NotMeasuredError

ROOT = Path(__file__).resolve().parent.parent
SMALL = BenchOptions(rounds=2, quick=True, threads=1)


# --- times and ratios


@pytest.mark.parametrize('names', ['A', 'AB', 'ABC', 'ABCD'])
def test_competitors_take_turns_and_nobody_comes_after_itself(names):
    orders = []
    for _ in range(2):
        order = []
        calls = {name: lambda name=name, order=order: order.append(name) for name in names}
        found = interleaved(calls, rounds=12, warm_up=1, rest=0)
        orders.append(''.join(order))
    assert orders[0] == orders[1], 'the same in every run'
    assert orders[0].startswith(names), 'the warm-up is no round'
    rounds = orders[0][len(names) :]
    for begin in range(0, len(rounds), len(names)):
        assert set(rounds[begin : begin + len(names)]) == set(names)
    if len(names) > 1:
        assert all(one != other for one, other in zip(rounds, rounds[1:]))
    if len(names) > 2:
        pairs = set(zip(rounds, rounds[1:]))
        assert len(pairs) == len(names) * (len(names) - 1), 'each comes after each other one'
    assert {len(series.milliseconds) for series in found.values()} == {12}


def test_what_is_slower_is_found_slower():
    found = interleaved(
        {'slow': lambda: time.sleep(0.004), 'fast': lambda: None}, rounds=3, warm_up=0, rest=0
    )
    assert pair_ratio(found['slow'], found['fast']).median > 1
    assert found['slow'].best >= 4


def test_a_competitor_starts_when_the_threads_of_the_one_before_are_done():
    """As worker threads spin on after a library has returned."""
    threads, alone = [], []

    def spin():
        until = time.monotonic() + 0.06
        while time.monotonic() < until:
            pass

    def spins():
        threads.append(threading.Thread(target=spin))
        threads[-1].start()

    calls = {
        'spins': spins,
        'next': lambda: alone.append(not any(thread.is_alive() for thread in threads)),
    }
    interleaved(calls, rounds=3, warm_up=0, rest=5)
    assert len(threads) == 3 and all(alone)


def test_a_process_that_works_for_a_competitor_is_waited_for():
    code = """if True:
        import sys, time
        for _ in sys.stdin:
            print("began", flush=True)
            until = time.monotonic() + 0.06
            while time.monotonic() < until:
                pass
            print(time.monotonic(), flush=True)"""
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
    with subprocess.Popen([sys.executable, '-c', code], **pipes) as helper:

        def is_waited_for():
            helper.stdin.write('\n')
            helper.stdin.flush()
            assert helper.stdout.readline() == 'began\n'
            settle(5, (helper.pid,))
            waited_until = time.monotonic()
            return waited_until >= float(helper.stdout.readline())

        waited = [is_waited_for() for _ in range(3)]
        helper.stdin.close()
    assert all(waited)


def test_a_ratio_is_of_pairs_not_of_medians():
    """A disturbance that met both competitors of a round alike leaves its ratio alone."""
    slow = Series('slow', (2.0, 20.0, 2.0, 6.0))
    fast = Series('fast', (1.0, 10.0, 1.0, 3.0))
    ratio = pair_ratio(slow, fast)
    assert (ratio.median, ratio.p5, ratio.p95) == (2.0, 2.0, 2.0)
    assert (slow.median, slow.best) == (4.0, 2.0)
    assert slow.p95 == pytest.approx(np.percentile(slow.milliseconds, 95))


def test_a_ratio_of_unequal_runs_is_refused():
    with pytest.raises(BenchError, match='one interleaved run'):
        pair_ratio(Series('a', (1.0, 2.0)), Series('b', (1.0,)))
    with pytest.raises(BenchError, match='1 or more'):
        interleaved({}, rounds=3)


def test_outputs_that_disagree_are_refused_and_small_differences_are_measured():
    reference = np.array([[100.0, -50.0]], np.float32)
    small = reference + np.float32(0.0005)
    assert assert_agree('x', small, reference) == pytest.approx(5e-6, rel=0.05)
    with pytest.raises(BenchError, match='differs by 2.5e-05 in the mean and by 2.0e-05 at worst'):
        assert_agree('x', reference + np.float32(0.002), reference)
    many = np.ones(10_000, np.float32)
    one_wrong = many.copy()
    one_wrong[7] += np.float32(2e-4)
    with pytest.raises(BenchError, match='2.0e-04 at worst'):
        assert_agree('x', one_wrong, many)
    with pytest.raises(BenchError, match='shape'):
        assert_agree('x', reference[:, :1], reference)
    with pytest.raises(BenchError, match='nan'):
        assert_agree('x', reference * np.float32('nan'), reference)


def test_a_table_of_times_is_against_its_first_competitor():
    table = times_table('t', {'a': Series('a', (2.0,)), 'b': Series('b', (5.0,))})
    assert [list(row) for row in table.rows] == [
        ['a', '2.00', '2.00', '1.00 (1.00..1.00)'], ['b', '5.00', '5.00', '2.50 (2.50..2.50)'],
    ]  # fmt: skip


# --- the document


def test_a_part_that_lacks_something_says_so_and_is_no_failure(monkeypatch):
    broken = {
        NotMeasuredError('no GPU here'): ('no GPU here', False),
        MissingDependencyError('x is not installed'): ('x is not installed', False),
        ModuleNotFoundError('rclpy', name='rclpy'): ("'hydranet_ros[ros]'", False),
        BenchError('the outputs\nof A and B differ'): ('the outputs of A and B differ', True),
    }
    for error, (text, failed) in broken.items():

        def run(options, say, error=error):
            raise error

        import benchmarks.suites.gpu.suite

        monkeypatch.setattr(benchmarks.suites.gpu.suite, 'run', run)
        found = parts.run_part('gpu', SMALL, print).to_json()
        assert (found['measured'], found['failed']) == (False, failed)
        assert text in found['why'] and '\n' not in found['why']


def test_the_part_gpu_without_a_gpu_is_not_measured_and_the_command_says_so(tmp_path: Path):
    torch = pytest.importorskip('torch')
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    path = tmp_path / 'bench.json'
    done = bench('gpu', '--quick', '--json', path)
    assert done.returncode == 0, done.stderr
    assert 'gpu: not measured: no NVIDIA GPU' in done.stdout
    found = json.loads(path.read_text())
    assert found['gpu']['measured'] is False and found['gpu']['why'].startswith('no NVIDIA GPU')
    assert set(found) == {'format', 'date', 'machine', 'versions', 'commit', 'options', 'gpu'}
    assert found['format'] == FORMAT
    assert set(found['machine']) == {'cpu', 'cores', 'memory_gib', 'gpu', 'system', 'load_before'}
    assert found['machine']['cores'] == len(os.sched_getaffinity(0))
    assert found['machine']['memory_gib'] > 0.5
    assert found['versions']['numpy'] == np.__version__
    assert found['options']['quick'] is True


def test_the_header_names_the_commit_of_a_checkout():
    commit = header(SMALL)['commit']
    if not (ROOT / '.git').exists():
        assert commit is None
        return
    head = subprocess.run(
        ['git', 'rev-parse', 'HEAD'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert commit['hash'] == head.stdout.strip()
    assert isinstance(commit['dirty'], bool)


def test_a_part_whose_process_dies_takes_no_other_with_it(tmp_path: Path, monkeypatch):
    (tmp_path / 'python').write_text('#!/bin/sh\nexit 7\n')
    (tmp_path / 'python').chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'python'))
    found = parts.run_apart('network', SMALL)
    assert found['measured'] is False and found['failed'] is True
    assert 'status 7' in found['why']


def test_an_unknown_part_is_refused_by_name():
    done = bench('netwrok')
    assert done.returncode == 2
    assert "Part 'netwrok' is unknown; allowed: network, frame" in done.stderr


def bench(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-m', 'benchmarks', *map(str, arguments)],
        capture_output=True, text=True, timeout=240, cwd=ROOT,
    )  # fmt: skip


# --- bounds


def document(**parts_found: dict) -> dict:
    return {**header(SMALL), **parts_found}


def measured(**figures: float | None) -> dict:
    return {'measured': True, **figures, 'seconds': 1.0, 'notes': [], 'tables': [], 'runs': {},
            'inputs': {}}  # fmt: skip


def unmeasured(why: str, failed: bool = False) -> dict:
    return {'measured': False, 'why': why, 'failed': failed, 'seconds': 0.1}


def checked(tmp_path: Path, found: dict, text: str, *names: str) -> int:
    (tmp_path / 'bench.json').write_text(json.dumps(found))
    (tmp_path / 'bounds.yaml').write_text(text)
    return run_bench(names, SMALL, source=tmp_path / 'bench.json', check=tmp_path / 'bounds.yaml')


BOUNDS = """
network: {speedup_vs_plain_640x480: {min: 1.3}}
frame: {ratio_640x480: {max: 1.1}}
"""


def test_bounds_that_hold_pass(tmp_path: Path, capsys):
    found = document(
        network=measured(speedup_vs_plain_640x480=1.3), frame=measured(ratio_640x480=1.05)
    )
    assert checked(tmp_path, found, BOUNDS) == 0
    assert 'bounds: 2 hold, 0 are violated' in capsys.readouterr().out


def test_a_violated_bound_is_one_line_and_exit_status_1(tmp_path: Path, capsys):
    found = document(
        network=measured(speedup_vs_plain_640x480=1.29), frame=measured(ratio_640x480=1.2)
    )
    assert checked(tmp_path, found, BOUNDS) == 1
    assert capsys.readouterr().err.splitlines() == [
        'bounds: VIOLATED: network.speedup_vs_plain_640x480 is 1.29; allowed: 1.3 or more',
        'bounds: VIOLATED: frame.ratio_640x480 is 1.2; allowed: 1.1 or less',
    ]


@pytest.mark.parametrize('value', [None, math.nan])
def test_a_figure_that_is_missing_violates_its_bound(tmp_path: Path, value):
    found = document(network=measured(speedup_vs_plain_640x480=value))
    assert checked(tmp_path, found, BOUNDS) == 1
    assert checked(tmp_path, document(network=measured(other=2.0)), BOUNDS) == 1


def test_a_part_that_could_not_be_measured_is_passed_over_unless_it_was_demanded(tmp_path, capsys):
    found = document(
        network=measured(speedup_vs_plain_640x480=2.0), frame=unmeasured('rclpy is missing')
    )
    assert checked(tmp_path, found, BOUNDS) == 0
    assert 'bounds: frame.ratio_640x480 was not measured: rclpy is missing' in (
        capsys.readouterr().out
    )
    assert checked(tmp_path, found, BOUNDS, 'frame') == 1
    found['frame'] = unmeasured('outputs differ', failed=True)
    assert checked(tmp_path, found, BOUNDS) == 1


@pytest.mark.parametrize(
    ('speeds', 'status', 'measurements'),
    [([0.97, 1.4], 0, 2), ([0.9, 0.9, 0.9, 1.4], 1, 3), ([1.4, 0.9], 0, 1)],
)
def test_only_a_part_that_stays_outside_its_bounds_fails(
    tmp_path: Path, monkeypatch, capsys, speeds, status, measurements
):
    # What a busy machine does to a figure cannot be had on demand.
    found = iter(speeds)
    calls: list[str] = []

    def run_part(name, options):
        calls.append(name)
        return measured(speedup_vs_plain_640x480=next(found))

    monkeypatch.setattr('benchmarks.suites.command.run_apart', run_part)
    (tmp_path / 'bounds.yaml').write_text('network: {speedup_vs_plain_640x480: {min: 1.3}}')
    json_file = tmp_path / 'bench.json'
    got = run_bench(['network'], SMALL, json_file=json_file, check=tmp_path / 'bounds.yaml')
    assert got == status
    assert calls == ['network'] * measurements
    last = speeds[measurements - 1]
    written = json.loads(json_file.read_text())['network']
    assert written['speedup_vs_plain_640x480'] == last
    assert len(written['notes']) == measurements - 1
    for note, speed in zip(written['notes'], speeds):
        assert f'is {speed:g}' in note
    assert capsys.readouterr().err.count('attempt') == measurements - 1


def test_a_figure_without_samples_is_null_with_a_note_and_loses_nothing():
    result = PartResult('graph', {'rate_hz': 8.0, 'age_ms': math.nan, 'ratio': math.inf})
    found = parts.Outcome('graph', 1.0, result).to_json()
    assert (found['rate_hz'], found['age_ms'], found['ratio']) == (8.0, None, None)
    assert 'age_ms, ratio' in found['notes'][-1]
    json.dumps(found, allow_nan=False)


def test_a_check_that_checks_nothing_fails(tmp_path: Path, capsys):
    assert checked(tmp_path, document(gpu=unmeasured('no GPU')), BOUNDS) == 1
    assert 'no bound was checked' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('network: {network_640x480_ms: {max: 90}}', 'is no ratio'),
        ('start: {first_result_s: {max: 2}}', 'is no ratio'),
        ('start: {rss_mb: {max: 250}}', 'is no ratio'),
        ('graph: {cloud_latency_ms_profile: {max: 12}}', 'is no ratio'),
        ('network: {speedup: {least: 1}}', 'expected {min: 1.3}'),
        ('network: {speedup: 1.3}', 'expected {min: 1.3}'),
        ('netwrok: {speedup: {min: 1.3}}', 'allowed: network, frame'),
        ('', 'bounds nothing'),
        ('a: [', 'cannot be read'),
    ],
)
def test_bounds_of_times_and_bounds_that_say_nothing_are_refused(tmp_path: Path, text, said):
    path = tmp_path / 'bounds.yaml'
    path.write_text(text)
    with pytest.raises(BenchError, match=said.replace('{', r'\{').replace('}', r'\}')):
        bounds_module.load_bounds(path)


def test_the_bounds_that_ship_can_be_read_and_bound_the_network():
    found = bounds_module.load_bounds(ROOT / 'benchmarks' / 'bounds.yaml')
    assert 'network' in {bound.part for bound in found}


def test_a_file_that_is_no_benchmark_is_refused(tmp_path: Path):
    path = tmp_path / 'x.json'
    for text in ('{}', '[', '[]', '{"format": 99}'):
        path.write_text(text)
        with pytest.raises(BenchError, match='Write one with: python -m benchmarks --json'):
            run_bench((), SMALL, source=path)


# --- the machine's limits, the roofline


def test_the_largest_matrix_product_and_the_bandwidth_are_measured():
    pytest.importorskip('torch')
    gemms = best_gemms(1, (64, 128))
    assert {gemm.name for gemm in gemms} >= {'ONNX Runtime', 'PyTorch'}
    assert {gemm.size for gemm in gemms} <= {64, 128}
    assert gemms[0].gflop == pytest.approx(2 * gemms[0].size ** 3 / 1e9)
    bandwidth = measure_bandwidth(1, (1 << 16, 1 << 20))
    assert bandwidth.memory == bandwidth.by_bytes[1 << 20] > 1e6


def test_the_bandwidth_of_a_size_lies_between_those_measured():
    bandwidth = Bandwidth({1 << 20: 100.0, 1 << 22: 50.0})
    assert [bandwidth.at(size) for size in (1, 1 << 20, 1 << 21, 1 << 22, 1 << 30)] == (
        pytest.approx([100, 100, 75, 50, 50])
    )


def test_a_node_is_bound_by_the_longer_of_its_multiplications_and_its_bytes():
    roof = Roof(flops=1e9, bandwidth=Bandwidth({1: 1e9, 2: 1e9}))
    heavy = Node('a', 'Conv 1x1', 10.0, macs=2_000_000, moved=1_000_000, output=(1, 8, 2, 2))
    light = Node('b', 'Add', 5.0, macs=0, moved=2_000_000, output=(1, 8, 2, 2))
    assert (roof.verdict(heavy), roof.floor_ms(heavy)) == ('compute', pytest.approx(4.0))
    assert (roof.verdict(light), roof.floor_ms(light)) == ('memory', pytest.approx(2.0))
    assert share_of_roof([heavy, light], roof) == pytest.approx(6 / 15)
    kinds = kinds_table('t', [light, heavy], roof)
    assert [row[0] for row in kinds.rows] == ['Conv 1x1 (1)', 'Add (1)', 'all']
    assert kinds.rows[0][1:3] == ('10.00', '67%') and kinds.rows[-1][-1] == '40%'
    assert nodes_table('t', [light, heavy], roof, 1).rows[0][0].startswith('Conv 1x1 8x2x2')


@pytest.fixture(scope='module')
def official():
    pytest.importorskip('torch')
    pytest.importorskip('onnx')
    from benchmarks.models.official_network import official_network

    return official_network()


def test_the_official_structure_is_that_of_the_independent_reference(official):
    """Same key names, shapes and multiply-adds as the network written down a second time."""
    import torch
    from reference_network import ReferenceNetwork
    from torch import nn

    from hydranet_ros.network.checkpoint_layouts import from_official

    reference = ReferenceNetwork(6).eval()
    expected = from_official(reference.state_dict())
    own = official.state_dict()
    assert {key: value.shape for key, value in expected.items()} == {
        key: value.shape for key, value in own.items()
    }
    pools = [module for module in official.modules() if isinstance(module, nn.MaxPool2d)]
    assert [pool.kernel_size for pool in pools] == [5] * 4
    official_copy = type(official)(official.config).eval()
    official_copy.load_state_dict(expected)
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, depth = reference(image)
        found = official_copy(image)
    torch.testing.assert_close(found['segmentation'], logits)
    torch.testing.assert_close(found['depth'], depth)


def test_multiply_adds_are_counted_exactly_in_the_graph_and_in_the_code(official, tmp_path: Path):
    """The same sum by two ways: shapes of an ONNX Runtime profile, shapes of PyTorch's modules."""
    from benchmarks.suites.gpu.layer_costs import convolutions
    from benchmarks.suites.network.roofline import count_macs
    from benchmarks.models.plain_export import export_raw

    path = export_raw(official, tmp_path / 'raw.onnx', (70, 97))
    feed = {'image': np.zeros((1, 3, 70, 97), np.float32)}
    layers = convolutions(official, 1, (70, 97))
    assert count_macs(path.read_bytes(), feed) == sum(layer.macs for layer in layers)
    assert layers[0].macs == 35 * 49 * 32 * 27  # the first: 3x3 on 3 channels, 32 outputs, half
    assert layers[0].values == 3 * 70 * 97 + 32 * 35 * 49 + 32 * 27
    twice = convolutions(official, 2, (70, 97))
    assert sum(layer.macs for layer in twice) == 2 * sum(layer.macs for layer in layers)


def test_the_profile_of_a_graph_holds_every_multiply_add_once(official, tmp_path: Path):
    """Channels that ONNX Runtime pads to its blocks (24, 6, 1) are not counted."""
    from benchmarks.suites.network.roofline import count_macs, profile
    from benchmarks.models.plain_export import export_raw
    from benchmarks.suites.network.runtimes import plain_session

    path = export_raw(official, tmp_path / 'raw.onnx', (64, 96))
    feed = {'image': np.zeros((1, 3, 64, 96), np.float32)}
    nodes = profile(plain_session(path, 1), path.read_bytes(), feed, runs=2)
    assert sum(node.macs for node in nodes) == count_macs(path.read_bytes(), feed)
    assert all(node.milliseconds >= 0 and node.moved >= 0 for node in nodes)
    convolved = {node.kind for node in nodes if node.macs}
    assert {'Conv 1x1', 'Conv 3x3', 'Conv 3x3 depthwise'} <= convolved


# --- the parts network and gpu


@pytest.fixture(scope='module', autouse=True)
def without_openvino():
    """
    Keep OpenVINO, where it is installed, out of the process of the tests.

    Once it has run, the next signal with a Python handler ends the process with a segmentation
    fault (seen with OpenVINO 2026, in a test of Ctrl-C much later). The benchmark itself is not
    affected: its parts have a process each.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'openvino', None)
        yield


@pytest.fixture(scope='module')
def network_part():
    pytest.importorskip('torch')
    pytest.importorskip('onnx')
    from benchmarks.suites.network.suite import Case, Limits, measure

    cases = (Case(64, 96), Case(64, 96, 40))
    limits = Limits((64,), (1 << 16, 1 << 20))
    result = measure(cases, SMALL, lambda text: None, limits)
    return parts.Outcome('network', 1.0, result)


def test_the_part_network_runs_and_gives_the_figures_of_each_case(network_part):
    found = json.loads(json.dumps(network_part.to_json(), allow_nan=False))
    for end in ('96x64', '96x64_40classes'):
        for name in ('speedup_vs_plain', 'speedup_vs_eager', 'speedup_whole_vs_plain',
                     'share_of_peak'):  # fmt: skip
            assert found[f'{name}_{end}'] > 0
        assert found[f'difference_{end}'] <= 1e-5
        assert found[f'official_macs_{end}'] > 1e7
    assert found['share_of_roof_96x64'] > 0
    assert {'96x64, 6 classes', '96x64, 40 classes'} == set(found['runs'])
    run = found['runs']['96x64, 40 classes']
    assert {'hydranet_ros', 'plain export', 'PyTorch eager', 'whole: hydranet_ros'} <= set(run)
    assert all(len(series['ms']) == SMALL.rounds for series in run.values())
    assert all(len(digest) == 64 for digest in found['inputs'].values())
    assert any('by operator' in table['title'] for table in found['tables'])


def test_more_classes_are_more_multiplications(network_part):
    figures = network_part.result.figures
    more = figures['official_macs_96x64_40classes'] - figures['official_macs_96x64']
    assert more == 34 * 9 * 256 * 16 * 24  # the head's outputs at a quarter of 96x64


def test_the_picture_of_a_run_is_drawn(network_part, tmp_path: Path):
    pytest.importorskip('matplotlib')
    import cv2

    path = tmp_path / 'bench.json'
    path.write_text(json.dumps(document(network=network_part.to_json())))
    assert run_bench((), SMALL, source=path, plot=tmp_path / 'bench.png') == 0
    drawn = cv2.imread(str(tmp_path / 'bench.png'))
    assert drawn is not None and drawn.std() > 5
    with pytest.raises(BenchError, match='nothing to plot'):
        path.write_text(json.dumps(document(gpu=unmeasured('no GPU'))))
        run_bench((), SMALL, source=path, plot=tmp_path / 'none.png')


def test_a_network_with_other_weights_is_refused(official, tmp_path: Path, monkeypatch):
    """Were the exported graph wrong, its speed would not be reported."""
    from benchmarks.suites.network import suite as network

    other = network.official_network(6, seed=5)
    export = network.export_ours
    monkeypatch.setattr(network, 'export_ours', lambda _, path: export(other, path))
    with pytest.raises(BenchError, match=r'hydranet_ros, 96x64, 6 classes: differs by'):
        network.measure(
            (network.Case(64, 96),), SMALL, lambda text: None, network.Limits((64,), (1 << 16,))
        )


def test_floors_are_the_longer_of_arithmetic_and_memory():
    from benchmarks.suites.gpu.layer_costs import Layer, floors

    layers = (Layer('a', 1_000_000, 500_000, 100_000), Layer('b', 3_000_000, 700_000, 0))
    found = floors(layers, width=2, outside=300_000, flops=1e12, bandwidth=1e12)
    assert found.arithmetic == pytest.approx(8e-3)
    assert found.layers == pytest.approx(2.4e-3)
    assert found.fused == pytest.approx(0.5e-3)
    assert found.binding == found.arithmetic
    slower = floors(layers, width=4, outside=0, flops=1e12, bandwidth=1e11)
    assert slower.binding == slower.layers == pytest.approx(48e-3)


@pytest.fixture
def gpu_rows():
    pytest.importorskip('torch')
    from benchmarks.suites.gpu.suite import Row
    from benchmarks.suites.gpu.baselines import BASELINE
    from benchmarks.suites.gpu.layer_costs import Floors

    floors = Floors(0.5, 1.0, 0.2)
    return [
        Row(BASELINE, 'float32', 4, 8.0, 3.0, Series(BASELINE, (9.0, 30.0)), floors),
        Row('graph', 'float16', 4, 2.5, 0.1, Series('graph', (2.0, 6.0)), floors),
        Row('TensorRT', 'float16', 4, 2.0, 0.1, Series('TensorRT', (3.0, 9.0)), floors),
    ]


def test_the_table_of_the_gpu_holds_device_time_against_its_floor(gpu_rows):
    from benchmarks.suites.gpu.suite import copy_bytes, rows_table

    row = gpu_rows[2]
    assert (row.images_a_second, row.of_floor) == (2000.0, 0.5)
    (cells,) = rows_table('t', [row]).rows
    assert cells[:4] == ('TensorRT', '2.000', '0.100', '6.000')
    assert cells[5:] == ('2000', '0.500', '1.000', '0.200', '50%')
    assert copy_bytes(2, (480, 640)) == (2 * 480 * 640 * 3, 2 * 480 * 640 * 5)


def test_the_figures_of_the_gpu_name_the_fastest_of_each_precision(gpu_rows):
    from benchmarks.suites.gpu.suite import PIPELINE, batch_figures

    times = {row.name: row.callback for row in gpu_rows}
    found = batch_figures(gpu_rows, times)
    assert found['fastest_float16_640x480_batch4'] == 'TensorRT'
    assert found['device_float16_640x480_batch4_ms'] == 2.0
    assert found['device_float32_640x480_batch4_ms'] == 8.0
    assert found['floor_over_device_float16_640x480_batch4'] == 0.5
    assert found['fastest_callback_640x480_batch4'] == 'graph'
    assert found['speedup_vs_eager_640x480_batch4'] == pytest.approx((4.5 + 5.0) / 2)
    assert 'speedup_vs_pipeline_640x480' not in found
    with_pipeline = batch_figures(gpu_rows, {**times, PIPELINE: Series(PIPELINE, (40.0, 120.0))})
    assert with_pipeline['speedup_vs_pipeline_640x480'] == pytest.approx(20.0)


def test_the_product_on_a_device_is_timed_and_held_against_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Here the device is in the host's memory."""
    from host_device import make_host_device
    from model_factory import make_model

    from benchmarks.suites.gpu import pipeline as gpu_product
    from hydranet_ros.inference.engine import Engine, EngineOptions
    from hydranet_ros.perception.pipeline import Perception

    device = make_host_device(monkeypatch)
    options = EngineOptions('cpu')
    model = make_model(tmp_path / 'model.onnx')
    here = Perception(Engine(model, options))
    there = Perception(Engine(model, options, device=device))
    images = [np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
              for seed in range(2)]  # fmt: skip
    slow = ('slow', lambda: time.sleep(0.2))
    found = gpu_product.measure_product({'device': there}, here, images, 2, slow)
    assert found.figures['product_device_speedup_vs_pipeline_640x480'] > 1
    assert found.figures['product_device_640x480_streamed_hz'] > 0
    assert len(found.times['device'].milliseconds) == 2 and '100.000%' in found.notes[0]
    depth_only = Perception(Engine(make_model(tmp_path / 'depth.onnx', tasks=('depth',)), options))
    with pytest.raises(BenchError, match='needs both tasks'):
        gpu_product.measure_product({'device': depth_only}, here, images, 2, slow)
    notes: list[str] = []
    if not gpu_product.open_ways(model, notes):  # no GPU here
        assert len(notes) == len(gpu_product.WAYS) and 'was left out' in notes[0]


@pytest.mark.parametrize(
    ('precision', 'channels_last'), [('float32', True), ('float32', False), ('bfloat16', True)]
)
def test_what_runs_on_the_gpu_gives_the_deployed_networks_answers(precision, channels_last):
    """Here on the CPU, which runs the same modules."""
    torch = pytest.importorskip('torch')
    from benchmarks.suites.gpu.baselines import device_module, our_network
    from benchmarks.harness.inputs import picture
    from hydranet_ros.network.export_module import DeployedNetwork

    images = torch.from_numpy(np.stack([picture(64, 96, seed) for seed in (1, 2)]))
    with torch.no_grad():
        labels, depth = device_module(our_network(), precision, channels_last=channels_last)(
            images
        )
        wanted = [DeployedNetwork(our_network())(image[None]) for image in images]
    exact = precision == 'float32'
    for index, (want_labels, _, want_depth) in enumerate(wanted):
        assert labels.dtype == torch.uint8 and depth.dtype == torch.float32
        assert (labels[index] != want_labels[0]).float().mean() <= (1e-3 if exact else 0.15)
        error = (depth[index] - want_depth[0]).square().mean().sqrt()
        assert error / want_depth.square().mean().sqrt() <= (1e-5 if exact else 0.15)
