"""A graph that disagrees with PyTorch is refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from network_tools import official_network

from hydranet_ros.errors import ExportError
from hydranet_ros.network.export_comparison import TOLERANCES, compare_graph, comparison_image
from hydranet_ros.network.export_module import ExportModule

SIZE = (64, 96)


def test_a_graph_of_the_same_weights_agrees(exported):
    found = compare_graph(ExportModule(official_network()).eval(), exported['cpu'].path, SIZE)
    assert found.labels < 1e-3 and found.depth < 1e-4 and found.confidence <= 1
    assert found.normals == 0, 'the network has no normals'


@pytest.mark.parametrize('change', [0.01, float('nan')])
def test_a_graph_of_other_weights_is_refused(exported, change):
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['depth'].out.bias += change
    message = 'depth of the exported graph differ from PyTorch by .*; allowed: 0.001'
    with pytest.raises(ExportError, match=message):
        compare_graph(ExportModule(network).eval(), exported['cpu'].path, SIZE)


def test_a_graph_of_other_labels_is_refused(exported):
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['segmentation'].out.bias[0] += 1
    with pytest.raises(ExportError, match='The labels of the exported graph differ'):
        compare_graph(ExportModule(network).eval(), exported['cpu'].path, SIZE)


def test_depth_tolerance_is_relative_above_one_meter(exported, monkeypatch):
    """One percent more depth is refused at any depth, one centimeter only below ten meters."""
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['depth'].out.bias += 0.01
        largest = (
            ExportModule(network).eval()(torch.from_numpy(comparison_image(*SIZE))[None])[2].max()
        )
    monkeypatch.setitem(TOLERANCES, 'depth', 0.0101)
    found = compare_graph(ExportModule(network).eval(), exported['cpu'].path, SIZE)
    assert 0.01 / max(1.0, float(largest)) - 1e-4 <= found.depth <= 0.0101


@pytest.mark.parametrize('size', [(48, 64), (1, 3)])
def test_the_comparison_image_is_reproducible(size):
    image = comparison_image(*size)
    assert image.shape == (*size, 3) and image.dtype == np.uint8
    assert np.array_equal(image, comparison_image(*size))
