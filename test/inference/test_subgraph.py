"""A pruned model computes the same; invalid bytes are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_factory import make_model
from onnx import TensorProto, helper, numpy_helper

from hydranet_ros.inference.subgraph import output_names, prune

OUTPUTS = ['labels', 'confidence', 'depth', 'normals']


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp('models') / 'all.onnx'
    return make_model(path, tasks=('segmentation', 'depth', 'normals')).read_bytes()


def test_the_outputs_of_a_model_are_listed(model: bytes):
    assert sorted(output_names(model)) == sorted(OUTPUTS)


def test_keeping_every_output_keeps_the_model(model: bytes):
    assert onnx.load_from_string(prune(model, OUTPUTS)) == onnx.load_from_string(model)


@pytest.mark.parametrize('keep', [['labels'], ['depth'], ['normals'], ['confidence', 'depth']])
def test_a_pruned_model_is_valid_and_has_only_the_needed_nodes(model: bytes, keep):
    pruned = onnx.load_from_string(prune(model, keep))
    onnx.checker.check_model(pruned, full_check=True)
    assert sorted(item.name for item in pruned.graph.output) == sorted(keep)
    used = {name for node in pruned.graph.node for name in node.input}
    assert all(set(node.output) & (used | set(keep)) for node in pruned.graph.node)
    assert {item.name for item in pruned.graph.initializer} <= used
    whole = onnx.load_from_string(model)
    assert len(pruned.graph.node) < len(whole.graph.node)
    assert pruned.metadata_props == whole.metadata_props


def test_values_read_by_a_subgraph_are_kept():
    inner = helper.make_graph(
        [helper.make_node('Add', ['outer', 'one'], ['sum'])], 'inner', [],
        [helper.make_tensor_value_info('sum', TensorProto.FLOAT, [1])],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node('Identity', ['one'], ['same'])], 'other', [],
        [helper.make_tensor_value_info('same', TensorProto.FLOAT, [1])],
    )  # fmt: skip
    nodes = [
        helper.make_node('Neg', ['x'], ['outer']),
        helper.make_node('If', ['yes'], ['a'], then_branch=inner, else_branch=other),
        helper.make_node('Abs', ['x'], ['b']),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, 'g', [value('x', TensorProto.FLOAT, [1])],
        [value('a', TensorProto.FLOAT, [1]), value('b', TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.ones(1, np.float32), 'one'),
         numpy_helper.from_array(np.array(True), 'yes')],
    )  # fmt: skip
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    pruned = onnx.load_from_string(prune(whole.SerializeToString(), ['a']))
    assert [node.op_type for node in pruned.graph.node] == ['Neg', 'If']
    assert len(pruned.graph.initializer) == 2


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_invalid_bytes_raise_a_value_error(data: bytes):
    try:
        names = output_names(data)
    except ValueError:
        return
    assert isinstance(names, tuple), 'a few bytes can be a graph without outputs'


@settings(max_examples=60)
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_raises_or_loses_only_complete_fields(model: bytes, share: float):
    cut = model[: int(len(model) * share)]
    try:
        assert sorted(output_names(cut)) == sorted(OUTPUTS)
    except ValueError:
        return
