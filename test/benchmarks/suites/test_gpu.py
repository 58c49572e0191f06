"""The suite ``gpu`` without a GPU: its tables, metrics, and modules on the CPU."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (extra: cpu)')

from host_device import make_host_device
from model_factory import make_model

from benchmarks.harness.inputs import make_image
from benchmarks.harness.results import Series
from benchmarks.suites.gpu import baselines, pipeline
from benchmarks.suites.gpu.baselines import (
    PYTORCH,
    device_module,
    onnx_variants,
    product_network,
)
from benchmarks.suites.gpu.device_limits import WIDTHS, tf32
from benchmarks.suites.gpu.layer_costs import Floors
from benchmarks.suites.gpu.suite import NAIVE, Row, batch_metrics, copy_bytes, rows_table
from benchmarks.suites.network.machine_limits import torch_threads
from hydranet_ros.errors import BenchError
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.network.export_module import ExportModule
from hydranet_ros.perception.pipeline import Perception

FLOORS = Floors(0.5, 1.0, 0.2)
ROWS = (
    Row(PYTORCH, 'float32', 4, 8.0, 3.0, Series(PYTORCH, (9.0, 30.0)), FLOORS),
    Row('graph', 'float16', 4, 2.5, 0.1, Series('graph', (2.0, 6.0)), FLOORS),
    Row('TensorRT', 'float16', 4, 2.0, 0.1, Series('TensorRT', (3.0, 9.0)), FLOORS),
)


@pytest.fixture(autouse=True)
def _one_thread():
    """Use one thread: two of them wait for each other where another process has a core."""
    with torch_threads(1):
        yield


def test_the_table_shows_device_time_and_floors():
    row = ROWS[2]
    assert (row.images_per_second, row.floor_share) == (2000.0, 0.5)
    (cells,) = rows_table('t', [row]).rows
    assert cells[:4] == ('TensorRT', '2.000', '0.100', '6.000')
    assert cells[5:] == ('2000', '0.500', '1.000', '0.200', '50%')
    assert copy_bytes(2, (480, 640)) == (2 * 480 * 640 * 3, 2 * 480 * 640 * 5)


def test_metrics_name_the_fastest_variant_of_each_precision():
    times = {row.name: row.callback for row in ROWS}
    found = batch_metrics(ROWS, times)
    assert found['fastest_float16_640x480_batch4'] == 'TensorRT'
    assert found['device_ms_float16_640x480_batch4'] == 2.0
    assert found['device_ms_float32_640x480_batch4'] == 8.0
    assert found['floor_to_device_float16_640x480_batch4'] == 0.5
    assert found['fastest_callback_640x480_batch4'] == 'graph'
    assert found['speedup_vs_pytorch_640x480_batch4'] == pytest.approx((4.5 + 5.0) / 2)
    assert 'speedup_vs_naive_640x480' not in found
    with_naive = batch_metrics(ROWS, {**times, NAIVE: Series(NAIVE, (40.0, 120.0))})
    assert with_naive['speedup_vs_naive_640x480'] == pytest.approx(20.0)


@pytest.fixture
def host_perception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return the pipeline on the CPU, and on a device in host memory."""
    device = make_host_device(monkeypatch)
    options = EngineOptions('cpu')
    model = make_model(tmp_path / 'model.onnx')
    return Perception(Engine(model, options)), Perception(Engine(model, options, device=device))


def images() -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8) for seed in (0, 1)]


def slow() -> None:
    time.sleep(0.2)


def test_frames_on_a_device_are_timed_and_compared_with_the_cpu(host_perception):
    on_cpu, on_device = host_perception
    found = pipeline.measure_pipeline(
        {'device': on_device}, on_cpu, images(), 2, ('slow', slow)
    )  # fmt: skip
    assert found.metrics['frame_speedup_vs_naive_device_640x480'] > 0
    assert found.metrics['stream_hz_device_640x480'] > 0
    assert len(found.times['device'].milliseconds) == 2 and '100.000%' in found.notes[0]


def test_a_model_without_labels_is_an_error(host_perception, tmp_path: Path):
    on_cpu, _ = host_perception
    model = make_model(tmp_path / 'depth.onnx', tasks=('depth',))
    depth_only = Perception(Engine(model, EngineOptions('cpu')))
    with pytest.raises(BenchError, match='must have both tasks'):
        pipeline.measure_pipeline({'device': depth_only}, on_cpu, images(), 2, ('slow', slow))


def test_providers_that_do_not_work_here_are_notes(tmp_path: Path):
    notes: list[str] = []
    found = pipeline.open_providers(make_model(tmp_path / 'model.onnx'), notes)
    left_out = [note for note in notes if 'was left out' in note]
    assert len(left_out) == len(pipeline.PROVIDER_OPTIONS) - len(found)


@pytest.mark.parametrize(
    ('precision', 'channels_last'), [('float32', True), ('float32', False), ('bfloat16', True)]
)
def test_the_device_module_computes_what_the_exported_network_does(precision, channels_last):
    pixels = torch.from_numpy(np.stack([make_image(64, 96, seed) for seed in (1, 2)]))
    with torch.no_grad():
        labels, depth = device_module(product_network(), precision, channels_last=channels_last)(
            pixels
        )
        expected = [ExportModule(product_network())(image[None]) for image in pixels]
    exact = precision == 'float32'
    for index, (want_labels, _, want_depth) in enumerate(expected):
        assert labels.dtype == torch.uint8 and depth.dtype == torch.float32
        assert (labels[index] != want_labels[0]).float().mean() <= (1e-3 if exact else 0.15)
        error = (depth[index] - want_depth[0]).square().mean().sqrt()
        assert error / want_depth.square().mean().sqrt() <= (1e-5 if exact else 0.15)


def test_the_exported_baseline_converts_its_pixels_first(tmp_path: Path, monkeypatch):
    """TensorRT refuses a graph that moves uint8 values before it converts them."""
    onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')
    monkeypatch.setattr(baselines, 'SIZE', (32, 48))
    graph = onnx.load(baselines._export(2, tmp_path / 'model.onnx')).graph
    assert [node.op_type for node in graph.node if 'image' in node.input] == ['Cast']


def test_a_variant_whose_libraries_are_missing_is_named(monkeypatch):
    from hydranet_ros.inference import onnx_libraries

    asked: list[str] = []
    monkeypatch.setattr(
        onnx_libraries, 'missing_library', lambda name: asked.append(name) or 'no libnvinfer'
    )
    for name in ('TensorrtExecutionProvider', 'CUDAExecutionProvider'):
        with pytest.raises(BenchError, match=f'{name} did not load: no libnvinfer'):
            baselines._session(Path('model.onnx'), [(name, {})], torch.zeros(1))
    assert asked == ['tensorrt', 'cuda']


def test_tf32_is_reported_beside_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv('NVIDIA_TF32_OVERRIDE', raising=False)
    variants = onnx_variants(tmp_path, 7)
    assert len({name for name, _, _ in variants}) == len(variants)
    assert {precision for _, precision, _ in variants} == {'float32', 'tf32', 'float16'}
    for name, precision, ((provider, settings), *_) in variants:
        assert precision in WIDTHS and precision in name
        if provider == 'CUDAExecutionProvider':
            assert settings['use_tf32'] == (precision == 'tf32')
    monkeypatch.setenv('NVIDIA_TF32_OVERRIDE', '0')
    assert {precision for _, precision, _ in onnx_variants(tmp_path, 7)} == {'float32', 'float16'}


def test_tf32_is_off_after_its_block():
    with tf32(True):
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    assert not (torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32)
