"""Multiply-adds and the roofline of a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from benchmarks.models.official_network import official_network
from benchmarks.models.plain_export import export_heads
from benchmarks.suites.gpu.layer_costs import Layer, convolutions, floors
from benchmarks.suites.network.machine_limits import (
    Bandwidth,
    best_gemms,
    measure_bandwidth,
    torch_threads,
)
from benchmarks.suites.network.roofline import (
    Node,
    Roof,
    count_macs,
    kinds_table,
    nodes_table,
    profile,
    roofline_share,
)
from benchmarks.suites.network.runtimes import default_session

SIZE = (70, 97)
FEED = {'image': np.zeros((1, 3, *SIZE), np.float32)}


@pytest.fixture(scope='module')
def official():
    return official_network()


@pytest.fixture(scope='module')
def exported(official, tmp_path_factory) -> Path:
    with torch_threads(1):
        return export_heads(official, tmp_path_factory.mktemp('export') / 'heads.onnx', SIZE)


def test_graph_and_code_have_the_same_number_of_multiply_adds(official, exported):
    """Shapes of a profile of ONNX Runtime, and shapes of the modules of PyTorch."""
    layers = convolutions(official, 1, SIZE)
    assert count_macs(exported.read_bytes(), FEED) == sum(layer.macs for layer in layers)
    assert layers[0].macs == 35 * 49 * 32 * 27  # 3x3 on 3 channels, 32 outputs, stride 2
    assert layers[0].values == 3 * 70 * 97 + 32 * 35 * 49 + 32 * 27
    more = convolutions(official_network(classes=40), 1, SIZE)
    assert sum(layer.macs for layer in more) - sum(layer.macs for layer in layers) == (
        34 * 9 * 256 * 18 * 25
    )  # outputs of the head at a quarter of the size
    twice = convolutions(official, 2, SIZE)
    assert sum(layer.macs for layer in twice) == 2 * sum(layer.macs for layer in layers)


def test_a_profile_counts_every_multiply_add_once(exported):
    """Padded channels (24, 6, 1) are not counted."""
    nodes = profile(default_session(exported, 1), exported.read_bytes(), FEED, runs=2)
    assert sum(node.macs for node in nodes) == count_macs(exported.read_bytes(), FEED)
    assert all(node.milliseconds >= 0 and node.moved >= 0 for node in nodes)
    kinds = {node.kind for node in nodes if node.macs}
    assert {'Conv 1x1', 'Conv 3x3', 'Conv 3x3 depthwise'} <= kinds


def test_matrix_products_and_bandwidth_are_measured():
    gemms = best_gemms(1, (64, 128))
    assert {gemm.name for gemm in gemms} >= {'ONNX Runtime', 'PyTorch'}
    assert {gemm.size for gemm in gemms} <= {64, 128}
    assert gemms[0].gflop == pytest.approx(2 * gemms[0].size ** 3 / 1e9)
    bandwidth = measure_bandwidth(1, (1 << 16, 1 << 20))
    assert bandwidth.memory == bandwidth.by_bytes[1 << 20] > 0


def test_the_bandwidth_of_a_size_is_interpolated():
    bandwidth = Bandwidth({1 << 20: 100.0, 1 << 22: 50.0})
    assert [bandwidth.at(size) for size in (1, 1 << 20, 1 << 21, 1 << 22, 1 << 30)] == (
        pytest.approx([100, 100, 75, 50, 50])
    )


def test_a_node_is_bound_by_the_longer_of_operations_and_bytes():
    roof = Roof(flops=1e9, bandwidth=Bandwidth({1: 1e9, 2: 1e9}))
    heavy = Node('a', 'Conv 1x1', 10.0, macs=2_000_000, moved=1_000_000, output=(1, 8, 2, 2))
    light = Node('b', 'Add', 5.0, macs=0, moved=2_000_000, output=(1, 8, 2, 2))
    assert (roof.bound_by(heavy), roof.floor_ms(heavy)) == ('compute', pytest.approx(4.0))
    assert (roof.bound_by(light), roof.floor_ms(light)) == ('memory', pytest.approx(2.0))
    assert roofline_share([heavy, light], roof) == pytest.approx(6 / 15)
    kinds = kinds_table('t', [light, heavy], roof)
    assert [row[0] for row in kinds.rows] == ['Conv 1x1 (1)', 'Add (1)', 'all']
    assert kinds.rows[0][1:3] == ('10.00', '67%') and kinds.rows[-1][-1] == '40%'
    assert nodes_table('t', [light, heavy], roof, 1).rows[0][0].startswith('Conv 1x1 8x2x2')


def test_the_binding_floor_is_the_longer_of_arithmetic_and_memory():
    layers = (Layer('a', 1_000_000, 500_000, 100_000), Layer('b', 3_000_000, 700_000, 0))
    found = floors(layers, width=2, outside=300_000, flops=1e12, bandwidth=1e12)
    assert found.arithmetic == pytest.approx(8e-3)
    assert found.layers == pytest.approx(2.4e-3)
    assert found.fused == pytest.approx(0.5e-3)
    assert found.binding == found.arithmetic
    slower = floors(layers, width=4, outside=0, flops=1e12, bandwidth=1e11)
    assert slower.binding == slower.layers == pytest.approx(48e-3)
