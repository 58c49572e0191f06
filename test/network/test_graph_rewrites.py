"""The rewritten graph has the form that ONNX Runtime runs fastest, and the same outputs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

import onnxruntime
from model_factory import model_info
from network_tools import ALL_TASKS, official_network, random_resnet, run_model
from onnx import TensorProto, helper, numpy_helper

from hydranet_ros.inference.subgraph import prune
from hydranet_ros.network import graph_rewrites, rewrites
from hydranet_ros.network.decoders import WIDTH
from hydranet_ros.network.export import write_graph
from hydranet_ros.network.export_comparison import comparison_image
from hydranet_ros.network.export_module import ExportModule

EXACT = 1e-5  # relative difference by rounding in float32


@pytest.mark.parametrize('size', [(64, 96), (97, 33), (1, 1), (187, 331)])
def test_the_plain_and_the_rewritten_file_agree(exported, size):
    image = comparison_image(*size)
    plain, rewritten = (run_model(exported.paths[form], image) for form in ('portable', 'cpu'))
    assert np.abs(plain['depth'] - rewritten['depth']).max() < EXACT * plain['depth'].max()
    assert (plain['labels'] != rewritten['labels']).mean() < 1e-4
    assert np.abs(plain['confidence'].astype(int) - rewritten['confidence']).max() <= 1


def official_40() -> ExportModule:
    return ExportModule(official_network(40, ALL_TASKS))


def resnet_18() -> ExportModule:
    return ExportModule(random_resnet(('segmentation', 'depth', 'normals')))


def bicubic() -> ExportModule:
    return ExportModule(official_network(), upsampling='bicubic')


@pytest.mark.parametrize('build', [official_40, resnet_18, bicubic])
def test_other_networks_and_upsamplings_agree_with_pytorch(tmp_path: Path, build):
    module, image = build().eval(), comparison_image(61, 83)
    path = tmp_path / 'model.onnx'
    write_graph(module, path, (64, 96), model_info(module.network.config.tasks))
    onnx.checker.check_model(str(path), full_check=True)
    with torch.no_grad():
        outputs = module(torch.from_numpy(image)[None])
    want = {name: x.numpy() for name, x in zip(module.output_names, outputs)}
    got = run_model(path, image)
    assert (want['labels'] != got['labels']).mean() < 1e-3
    assert np.abs(want['depth'] - got['depth']).max() < 3 * EXACT * want['depth'].max()
    if 'normals' in want:  # normalization amplifies the rounding of short vectors
        assert np.abs(want['normals'] - got['normals']).max() < 1e-3


def optimized(path: Path, folder: Path) -> Counter[str]:
    """Return the operators, and their fusions, of the graph that ONNX Runtime runs on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / f'{path.stem}.optimized.onnx')
    onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    counts: Counter[str] = Counter()
    for node in onnx.load(options.optimized_model_filepath).graph.node:
        counts[node.op_type] += 1
        names = [item.s.decode() for item in node.attribute if item.name == 'activation']
        if node.op_type == 'Conv' and len(node.input) > 3:
            names.append('sum')
        counts['+'.join([node.op_type, *names])] += bool(names)
    return counts


def test_the_optimized_graph_stays_in_the_blocked_layout(exported, tmp_path: Path):
    """Maps enter the layout after an upsampling, and leave it before one and at the heads."""
    plain, rewritten = (optimized(exported.paths[form], tmp_path) for form in ('portable', 'cpu'))
    if not plain['ReorderInput']:
        pytest.skip('this processor has no blocked layout')
    upsamplings = 2 + WIDTH // rewrites.GROUP_WIDTH
    assert plain['ReorderOutput'] > 20
    assert rewritten['ReorderInput'] == upsamplings
    assert rewritten['ReorderOutput'] == upsamplings + 2
    assert rewritten['Conv+HardSigmoid+sum'] == 1 + upsamplings
    assert rewritten['HardSigmoid'] == 0, 'each is fused into the preceding addition'
    assert rewritten['Conv+sum'] > plain['Conv+sum']
    assert rewritten['Identity'] == 0


def test_the_written_graph_has_every_rewrite(exported):
    graph = onnx.load(str(exported.paths['cpu'])).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds['HardSigmoid'] == 3 + WIDTH // rewrites.GROUP_WIDTH
    assert kinds['Mul'] < 3 and kinds['BatchNormalization'] == 0 and kinds['Identity'] == 0
    producers = {name: node for node in graph.node for name in node.output}
    resized = [node for node in graph.node if node.op_type == 'Resize']
    from_last = [producers[node.input[0]].op_type == 'Reshape' for node in resized]
    assert len(resized) == 4 + WIDTH // rewrites.GROUP_WIDTH
    assert sum(from_last) == len(resized) - 1, 'all but that of depth, which has one channel'
    largest = max(graph.initializer, key=lambda item: np.prod(item.dims))
    assert list(largest.dims) != [6, WIDTH, 3, 3], 'the head is split into taps'


def test_a_rewritten_graph_can_be_pruned_to_each_output(exported, tmp_path: Path):
    image = comparison_image(61, 83)
    complete = run_model(exported.paths['cpu'], image)
    for name, expected in complete.items():
        path = tmp_path / f'{name}.onnx'
        path.write_bytes(prune(exported.paths['cpu'].read_bytes(), [name]))
        onnx.checker.check_model(str(path), full_check=True)
        found = run_model(path, image)
        assert list(found) == [name]
        np.testing.assert_array_equal(found[name], expected)


# Single steps ------------------------------------------------------------------------------


def graph_of(nodes: list, constants: dict[str, np.ndarray], output: str = 'y') -> onnx.GraphProto:
    value = helper.make_tensor_value_info
    return helper.make_graph(
        nodes, 'g', [value('x', TensorProto.FLOAT, [1, 2, 4, 4])],
        [value(output, TensorProto.FLOAT, [1, 'channels', 'height', 'width'])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip


def run_graph(graph: onnx.GraphProto, x: np.ndarray) -> np.ndarray:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    return session.run(None, {'x': x})[0]


X = np.random.default_rng(0).normal(0, 3, (1, 2, 4, 4)).astype(np.float32)


@pytest.mark.parametrize(('limits', 'kind'), [((0, 1), 'HardSigmoid'), ((0, 6), 'Clip'),
                                              ((-1, 1), 'Clip')])  # fmt: skip
def test_only_a_clip_to_0_and_1_becomes_a_hard_sigmoid(limits, kind):
    constants = {'low': np.float32(limits[0]), 'high': np.float32(limits[1])}
    graph = graph_of([helper.make_node('Clip', ['x', 'low', 'high'], ['y'])], constants)
    before = run_graph(graph, X)
    graph_rewrites.replace_clip_by_hard_sigmoid(graph)
    assert [node.op_type for node in graph.node] == [kind]
    np.testing.assert_array_equal(run_graph(graph, X), before)


def test_identities_of_constants_are_removed_and_others_are_kept():
    nodes = [
        helper.make_node('Identity', ['c'], ['shared']),
        helper.make_node('Identity', ['x'], ['copy']),
        helper.make_node('Add', ['copy', 'shared'], ['y']),
    ]
    graph = graph_of(nodes, {'c': np.float32(2)})
    graph_rewrites.remove_identities(graph)
    assert [node.op_type for node in graph.node] == ['Identity', 'Add']
    np.testing.assert_array_equal(run_graph(graph, X), X + 2)


def upsampling(channels: int, mode: str = 'linear') -> onnx.GraphProto:
    """Return a 1x1 convolution and a Resize to twice the size."""
    weight = np.random.default_rng(1).normal(size=(channels, 2, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node('Conv', ['x', 'weight'], ['features']),
        helper.make_node('Concat', ['batch', 'size'], ['sizes'], axis=0),
        helper.make_node('Resize', ['features', '', '', 'sizes'], ['y'], mode=mode),
    ]
    return graph_of(nodes, {'weight': weight, 'batch': np.array([1, channels]),
                            'size': np.array([8, 8])})  # fmt: skip


@pytest.mark.parametrize(('channels', 'mode', 'rewritten'), [
    (2, 'linear', True), (1, 'linear', False), (2, 'cubic', False), (2, 'nearest', False),
])  # fmt: skip
def test_linear_upsampling_of_several_channels_has_them_last(channels, mode, rewritten):
    graph = upsampling(channels, mode)
    before = run_graph(graph, X)
    graph_rewrites.upsample_channels_last(graph)
    assert ('Transpose' in [node.op_type for node in graph.node]) == rewritten
    np.testing.assert_allclose(run_graph(graph, X), before, rtol=1e-6, atol=1e-6)


def test_added_maps_are_declared_with_one_height_and_width():
    weight = np.ones((3, 2, 1, 1), np.float32)
    names = ['a', 'b', 'c', 'd']
    nodes = [helper.make_node('Conv', ['x', 'weight'], [name]) for name in names]
    nodes += [
        helper.make_node('Add', ['a', 'b'], ['ab']),
        helper.make_node('Relu', ['ab'], ['relu']),
        helper.make_node('Add', ['c', 'relu'], ['sum']),
        helper.make_node('Concat', ['sum', 'd'], ['y'], axis=1),
    ]
    graph = graph_of(nodes, {'weight': weight})
    graph_rewrites.annotate_shapes(graph)
    shapes = {
        item.name: [dim.dim_param or dim.dim_value for dim in item.type.tensor_type.shape.dim]
        for item in graph.value_info
    }
    assert set(shapes) == {'a', 'b', 'ab', 'c', 'relu', 'sum'}
    assert shapes['a'] == shapes['b'] == shapes['ab']
    assert shapes['c'] == shapes['relu'] == shapes['sum']
    assert shapes['a'][:2] == [1, 3]
    run_graph(graph, X)
