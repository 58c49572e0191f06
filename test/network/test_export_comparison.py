"""A graph that disagrees with PyTorch is refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from model_factory import model_info
from network_tools import amplifying_network, official_network

from hydranet_ros.errors import ExportError
from hydranet_ros.network.export import write_graph
from hydranet_ros.network.export_comparison import (
    TOLERANCES,
    GraphDifferences,
    Reference,
    compare_graph,
    comparison_image,
    reference_outputs,
)
from hydranet_ros.network.export_module import ExportModule

SIZE = (64, 96)


def compare(exported, network, form: str = 'cpu') -> GraphDifferences:
    """Compare an exported file with a network."""
    module = ExportModule(network).eval()
    references = [reference_outputs(module, comparison_image(*SIZE))]
    return compare_graph(exported.paths[form], references, module.output_names)


class Amplifying(torch.nn.Module):
    """Outputs whose rounding in float32 is large: a difference of nearly equal numbers."""

    output_names = ['depth']

    def forward(self, image):
        kind = next(iter(self.buffers())).dtype
        values = image[..., 0].to(kind) * 1e-3
        return ((values + self.far) - self.far + 1,)

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('far', torch.tensor(2e5))


def test_a_graph_of_the_same_weights_agrees(exported):
    found = compare(exported, official_network())
    assert found.labels < 1e-3 and found.depth < 1e-4 and found.confidence <= 1
    assert found.normals == 0, 'the network has no normals'


@pytest.mark.parametrize('change', [0.01, float('nan')])
def test_a_graph_of_other_weights_is_refused(exported, change):
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['depth'].out.bias += change
    message = 'depth of the exported graph differ from PyTorch by .*; allowed: 0.001'
    with pytest.raises(ExportError, match=message):
        compare(exported, network)


def test_a_graph_of_other_labels_is_refused(exported):
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['segmentation'].out.bias[0] += 1
    with pytest.raises(ExportError, match='The labels of the exported graph differ'):
        compare(exported, network)


def test_depth_tolerance_is_relative_above_one_meter(exported, monkeypatch):
    """One percent more depth is refused at any depth, one centimeter only below ten meters."""
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['depth'].out.bias += 0.01
        largest = (
            ExportModule(network).eval()(torch.from_numpy(comparison_image(*SIZE))[None])[2].max()
        )
    monkeypatch.setitem(TOLERANCES, 'depth', 0.0101)
    found = compare(exported, network)
    assert 0.01 / max(1.0, float(largest)) - 1e-4 <= found.depth <= 0.0101


@pytest.mark.parametrize('size', [(48, 64), (1, 3)])
def test_the_comparison_image_is_reproducible(size):
    image = comparison_image(*size)
    assert image.shape == (*size, 3) and image.dtype == np.uint8
    assert np.array_equal(image, comparison_image(*size))


def test_the_error_names_the_worst_pixel(exported):
    network = official_network()
    with torch.no_grad():
        network.decoder.heads['depth'].out.bias += 1
    with pytest.raises(ExportError, match=r'Worst pixel: \(\d+, \d+\), expected .*, found '):
        compare(exported, network, 'portable')


def write_amplifying(path, offset: float = 0.0):
    """Write the graph of :class:`Amplifying`, with an offset that is wrong."""
    from onnx import TensorProto, helper, numpy_helper

    node, scalar = helper.make_node, numpy_helper.from_array
    graph = helper.make_graph(
        [
            node('Cast', ['image'], ['pixels'], to=TensorProto.FLOAT),
            node('Gather', ['pixels', 'zero'], ['red'], axis=3),
            node('Mul', ['red', 'scale'], ['small']),
            node('Add', ['small', 'far'], ['sum']),
            node('Sub', ['sum', 'near'], ['depth']),
        ],
        'amplifying',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, 'h', 'w', 3])],
        [helper.make_tensor_value_info('depth', TensorProto.FLOAT, [1, 'h', 'w'])],
        [
            scalar(np.array(0), 'zero'), scalar(np.float32(1e-3), 'scale'),
            scalar(np.float32(2e5), 'far'), scalar(np.float32(2e5 - 1 - offset), 'near'),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_graph_as_exact_as_pytorch_in_float32_is_accepted(tmp_path):
    """Rounding to 1/64 m exceeds the tolerance of 0.001, but PyTorch rounds as much."""
    references = [reference_outputs(Amplifying(), comparison_image(*SIZE))]
    found = compare_graph(write_amplifying(tmp_path / 'a.onnx'), references, ['depth'])
    assert found.depth > TOLERANCES['depth']
    with pytest.raises(ExportError, match='depth of the exported graph differ'):
        compare_graph(write_amplifying(tmp_path / 'b.onnx', 0.25), references, ['depth'])


def test_a_network_that_amplifies_rounding_is_accepted_in_both_forms(tmp_path):
    """Its graphs are as exact as PyTorch in float32, which is beyond the fixed tolerance."""
    module = ExportModule(amplifying_network()).eval()
    references = [reference_outputs(module, comparison_image(*SIZE))]
    depths = []
    for form in ('portable', 'cpu'):
        path = tmp_path / f'{form}.onnx'
        write_graph(module, path, SIZE, model_info(), form)
        depths.append(compare_graph(path, references, module.output_names).depth)
    assert max(depths) > TOLERANCES['depth'], 'a fixed tolerance would refuse it'
    with torch.no_grad():
        module.network.decoder.heads['depth'].out.bias += 0.1
    wrong = [reference_outputs(module, comparison_image(*SIZE))]
    with pytest.raises(ExportError, match='depth of the exported graph differ'):
        compare_graph(tmp_path / 'portable.onnx', wrong, module.output_names)


def test_a_graph_whose_depth_is_infinite_is_refused(tmp_path):
    """PyTorch in float32 overflows too, so that any difference would be allowed."""
    exact = {'depth': np.ones(SIZE)}
    overflow = {'depth': np.full(SIZE, np.inf, np.float32)}
    path = write_amplifying(tmp_path / 'a.onnx', offset=float('inf'))
    with pytest.raises(ExportError, match='depth of the exported graph differ'):
        compare_graph(path, [Reference(comparison_image(*SIZE), exact, overflow)], ['depth'])
