"""The parts frame, baseline and start, run for real on little; nothing here is about how fast."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (extra: cpu)')

from benchmarks.harness.results import BenchOptions
from hydranet_ros.errors import BenchError

SIZES = ('640x480', '1242x375')
QUICK = BenchOptions(rounds=2, quick=True, threads=2)


def said(_: str) -> None:
    """Take what a part says of its progress."""


def is_ratio(value) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value > 0


@pytest.fixture(scope='module', autouse=True)
def _environment():
    """Undo what the parts choose for DDS: they have a process of their own, but for here."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope='module')
def frame_result(tmp_path_factory):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from model_factory import make_model

    from benchmarks.suites.frame import suite as frame

    model = make_model(tmp_path_factory.mktemp('frame') / 'tiny.onnx')
    return frame.run(replace(QUICK, model=model), said)


def test_a_frame_is_measured_beside_the_network_at_both_sizes(frame_result):
    figures = frame_result.figures
    for size in SIZES:
        assert is_ratio(figures[f'ratio_{size}']) and is_ratio(
            figures[f'ratio_with_pictures_{size}']
        )
        assert figures[f'frame_ms_{size}'] >= figures[f'stage_engine_ms_{size}'] > 0
        assert figures[f'rays_once_ms_{size}'] > figures[f'stage_rays_ms_{size}']
        for stage in ('decode', 'depth', 'cloud', 'color', 'message', 'publish'):
            assert figures[f'stage_{stage}_ms_{size}'] > 0
        assert {'network', 'frame', 'with pictures'} == set(frame_result.runs[size])


def test_a_model_without_convolutions_has_no_time_to_stride_4_and_a_note_says_so(frame_result):
    assert frame_result.figures['ratio_stride4_640x480'] is None
    assert any('was not measured' in note and 'stride 4' in note for note in frame_result.notes)


def test_tables_show_every_stage(frame_result):
    for table in frame_result.tables:
        shown = ' '.join(row[0] for row in table.rows)
        for stage in ('decode', 'engine', 'labels', 'depth', 'rays', 'cloud', 'color', 'message',
                      'publish'):  # fmt: skip
            assert stage in shown
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_another_picture_than_the_network_s_stops_the_benchmark(tmp_path, monkeypatch):
    """The check is on what the other process heard, not on what was meant to be sent."""
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from model_factory import make_model

    from benchmarks.suites import frame, frame_rig

    true = frame_rig.reference
    monkeypatch.setattr(
        frame_rig,
        'reference',
        lambda *given: {name: value[:-1] + b'?' for name, value in true(*given).items()},
    )
    model = make_model(tmp_path / 'tiny.onnx')
    with pytest.raises(BenchError, match='heard another'):
        frame.run(replace(QUICK, model=model), said)


@pytest.fixture(scope='module')
def baseline():
    pytest.importorskip('torch', reason='torch is not installed (extra: train)')
    from benchmarks.suites.official import suite as baseline

    return baseline


def test_the_official_network_has_the_official_structure():
    """Unsplit pools and batch norm apart, and the same function as the network that is ours."""
    torch = pytest.importorskip('torch', reason='torch is not installed (extra: train)')

    from benchmarks.models.official_network import official_network
    from hydranet_ros.network.decoders import MaxPool5
    from hydranet_ros.network.hydranet import HydraNet

    network = official_network(classes=40)
    kinds = [type(module) for module in network.modules()]
    assert MaxPool5 not in kinds and kinds.count(torch.nn.MaxPool2d) == 4
    assert kinds.count(torch.nn.BatchNorm2d) == 52
    ours = HydraNet(network.config).eval()
    ours.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 70, 90, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for want, got in zip(network(image).values(), ours(image).values()):
            torch.testing.assert_close(got, want, rtol=0, atol=0)
    again = official_network(classes=40)
    for first, second in zip(network.state_dict().values(), again.state_dict().values()):
        assert torch.equal(first, second)


def test_the_baseline_is_slower_and_answers_the_same(baseline):
    result = baseline.run(replace(QUICK, rounds=1), said)
    figures = result.figures
    assert is_ratio(figures['speedup_640x480']) and is_ratio(figures['speedup_bicubic_640x480'])
    assert figures['speedup_1242x375'] is None
    assert figures['same_labels_bicubic_640x480'] >= 0.999
    assert 0.95 <= figures['same_labels_bilinear_640x480'] < 1
    assert figures['official_ms_640x480'] > 0 and figures['ours_ms_640x480'] > 0


def test_answers_that_differ_are_refused(baseline):
    labels = np.zeros((40, 50), np.uint8)
    depth = np.ones((40, 50), np.float32)
    color = np.zeros((40, 50, 3), np.uint8)
    right = baseline.Answer(labels, depth, color)
    assert baseline.compare(right, right, 'bicubic') == 1.0
    other = labels.copy()
    other[:20] = 1
    for wrong in (
        replace(right, labels=other),
        replace(right, depth=depth * np.float32(1.01)),
        replace(right, color=color + np.uint8(1)),
    ):
        with pytest.raises(BenchError):
            baseline.compare(wrong, right, 'bicubic')
    unknown = depth.copy()
    unknown[0] = np.nan
    assert baseline.compare(replace(right, depth=unknown), right, 'bicubic') == 1.0


def test_the_node_is_started_and_its_memory_read(tiny_model):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from benchmarks.suites.startup import suite as start

    result = start.run(replace(QUICK, model=tiny_model), said)
    figures = result.figures
    for name in ('first_result_s', 'first_result_cold_s', 'import_s'):
        assert is_ratio(figures[name])
    assert figures['first_result_uncompiled_s'] is None
    assert figures['first_result_s'] > figures['import_s'] / 2
    assert 20 < figures['rss_mb'] < 4000 and 20 < figures['rss_at_work_mb'] < 4000
    packages = {row[0] for row in result.tables[-1].rows}
    assert {'numpy', 'rclpy', 'all'} <= packages
    assert not {'torch', 'onnx', 'av', 'rosbags'} & packages


def test_a_node_that_cannot_start_is_reported_with_its_own_words(tmp_path):
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    from benchmarks.suites.startup import node_start as starter

    broken = starter.Starter(tmp_path / 'missing.onnx', limit=5.0)
    with broken, pytest.raises(BenchError, match=r'missing\.onnx'):
        broken.at_rest()


def test_import_times_are_read_from_python_s_report():
    from benchmarks.suites.startup.import_times import import_times, parse

    report = (
        'import time: self [us] | cumulative | imported package\n'
        'import time:      1500 |       1500 |   json.decoder\n'
        'import time:       500 |       2000 | json\n'
        'something else\n'
    )
    assert parse(report) == {'json.decoder': pytest.approx(1.5e-3), 'json': pytest.approx(5e-4)}
    found = import_times('import hydranet_ros.errors')
    assert 'hydranet_ros' in found and 'site' not in found


@pytest.mark.parametrize(
    ('arguments', 'plain'),
    [
        (['run', 'street'], True),
        (['run', 'street', '--ros-args', '-p', 'threads:=1'], True),
        (['run'], False),
        (['run', '--ros-args', '-p', 'threads:=1'], False),
        (['run', 'street', '--help'], False),
        (['run', 'street', '--', '--ros-args'], False),
        (['predict', 'run'], False),
        ([], False),
    ],
)
def test_only_a_plain_run_goes_past_the_command_line(arguments, plain):
    from hydranet_ros.__main__ import is_plain_run

    assert is_plain_run(arguments) is plain


def test_the_node_s_process_imports_nothing_that_reads_a_command_line():
    pytest.importorskip('rclpy', reason='rclpy is not installed (extra: ros)')
    import subprocess
    import sys

    code = (
        'import sys, runpy\n'
        'import hydranet_ros.ros.node as node\n'
        'node.main = lambda given: print(given, sorted({"typer", "rich", "torch", "av"} '
        '& set(sys.modules))) or 0\n'
        'sys.argv = ["hydranet", "run", "kitti", "--ros-args", "-p", "threads:=1"]\n'
        'runpy.run_module("hydranet_ros", run_name="__main__")\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        "['hydranet', '--ros-args', '-p', 'preset:=kitti', '--', '--ros-args', '-p', "
        "'threads:=1'] []"
    )
