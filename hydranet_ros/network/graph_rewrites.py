"""
Rewrite an exported ONNX graph for ONNX Runtime's CPU provider.

These steps cannot be expressed in PyTorch. The form of the graph decides which operators ONNX
Runtime fuses and in which memory layout it runs them; :mod:`hydranet_ros.network.rewrites`
explains the layout. No step changes a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

# Operators whose output has as many channels as their first input.
_CHANNELWISE = frozenset({'Add', 'Clip', 'HardSigmoid', 'Relu'})


def rewrite_graph(model: ModelProto) -> None:
    """Apply all steps of this module to an exported graph, in place."""
    remove_identities(model.graph)
    replace_clip_by_hard_sigmoid(model.graph)
    upsample_channels_last(model.graph)
    annotate_shapes(model.graph)


def remove_identities(graph: GraphProto) -> None:
    """Remove the Identity nodes that the exporter inserts before shared constants."""
    constants = {item.name for item in graph.initializer}
    shared = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == 'Identity' and node.input[0] in constants
    }
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = shared.get(name, name)
    _set_nodes(graph, [node for node in graph.node if node.output[0] not in shared])


def replace_clip_by_hard_sigmoid(graph: GraphProto) -> None:
    """
    Replace a Clip to 0..1 by the equal HardSigmoid of slope 1 and offset 0.

    ONNX Runtime fuses HardSigmoid into the preceding addition, but not Clip.
    """
    from onnx import helper

    constants = _constants(graph)
    nodes = []
    for node in graph.node:
        limits = [constants.get(name) for name in node.input[1:]]
        if node.op_type == 'Clip' and [_scalar(limit) for limit in limits] == [0.0, 1.0]:
            node = helper.make_node(
                'HardSigmoid', node.input[:1], node.output, node.name, alpha=1.0, beta=0.0
            )
        nodes.append(node)
    _set_nodes(graph, nodes)


def upsample_channels_last(graph: GraphProto) -> None:
    """
    Upsample feature maps with the channels last, which takes a quarter of the time.

    Maps of one channel are left as they are: both layouts are equal, and the Transposes cost time.
    The Reshape changes no shape. It keeps ONNX Runtime from moving the second Transpose before
    the Resize to save one of the two.
    """
    from onnx import helper

    channels = _channels(graph)
    producers = {name: node for node in graph.node for name in node.output}
    nodes: list[NodeProto] = []
    for node in graph.node:
        count = channels.get(node.input[0], 0) if node.op_type == 'Resize' else 0
        linear = any(item.name == 'mode' and item.s == b'linear' for item in node.attribute)
        if count < 2 or not linear:
            nodes.append(node)
            continue
        source, sizes, result = node.input[0], node.input[3], node.output[0]
        height_width = producers[sizes].input[1]
        prefix = f'{result}_last'
        _add_constant(graph, f'{prefix}_form', [0, 0, -1, count])
        _add_constant(graph, f'{prefix}_batch', [1])
        _add_constant(graph, f'{prefix}_channels', [count])
        target = [f'{prefix}_batch', height_width, f'{prefix}_channels']
        resize = helper.make_node('Resize', [f'{prefix}_in', '', '', f'{prefix}_sizes'],
                                  [f'{prefix}_out'], node.name)  # fmt: skip
        resize.attribute.extend(node.attribute)
        nodes += [
            helper.make_node('Transpose', [source], [f'{prefix}_moved'], perm=[0, 2, 3, 1]),
            helper.make_node('Reshape', [f'{prefix}_moved', f'{prefix}_form'], [f'{prefix}_in']),
            helper.make_node('Concat', target, [f'{prefix}_sizes'], axis=0),
            resize,
            helper.make_node('Transpose', [f'{prefix}_out'], [result], perm=[0, 3, 1, 2]),
        ]
    _set_nodes(graph, nodes)
    _remove_unused(graph)


def annotate_shapes(graph: GraphProto) -> None:
    """
    Declare that maps which are added have the same height and width.

    ONNX Runtime cannot infer sizes through a Resize. It fuses an addition only if it knows that
    the shapes are equal.
    """
    from onnx import TensorProto, helper

    channels = _channels(graph)
    sets = _DisjointSets()
    for node in graph.node:
        if node.op_type == 'Add' and all(name in channels for name in node.input):
            for name in node.input:
                sets.join(name, node.output[0])
    del graph.value_info[:]
    outputs = {item.name for item in graph.output}
    for name, number in sets.numbered():
        if name not in outputs:
            shape: list[str | int | None] = [
                1,
                channels[name],
                f'height_{number}',
                f'width_{number}',
            ]
            graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))


class _DisjointSets:
    """Names in disjoint sets, numbered in the order of their first mention."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def join(self, first: str, second: str) -> None:
        self._parents[self._root(second)] = self._root(first)

    def _root(self, name: str) -> str:
        while self._parents.setdefault(name, name) != name:
            name = self._parents[name]
        return name

    def numbered(self) -> Iterator[tuple[str, int]]:
        """Yield each name with the number of its set."""
        numbers: dict[str, int] = {}
        for name in list(self._parents):
            yield name, numbers.setdefault(self._root(name), len(numbers))


def _channels(graph: GraphProto) -> dict[str, int]:
    """Return the channels of each output of a convolution, and of channelwise operators on it."""
    weights = {item.name: item.dims[0] for item in graph.initializer if len(item.dims) == 4}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == 'Conv' and node.input[1] in weights:
            found[node.output[0]] = weights[node.input[1]]
        elif node.op_type in _CHANNELWISE and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def _constants(graph: GraphProto) -> dict[str, TensorProto]:
    found = {item.name: item for item in graph.initializer}
    for node in graph.node:
        if node.op_type == 'Constant' and node.attribute[0].name == 'value':
            found[node.output[0]] = node.attribute[0].t
    return found


def _scalar(tensor: TensorProto | None) -> float | None:
    from onnx import numpy_helper

    array: NDArray | None = None if tensor is None else numpy_helper.to_array(tensor)
    return None if array is None or array.size != 1 else float(array.reshape(-1)[0])


def _add_constant(graph: GraphProto, name: str, values: list[int]) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))


def _remove_unused(graph: GraphProto) -> None:
    """Remove nodes and constants that no output depends on."""
    read = {item.name for item in graph.output}
    kept = []
    for node in reversed(graph.node):
        if read.intersection(node.output):
            read.update(node.input)
            kept.append(node)
    constants = [item for item in graph.initializer if item.name in read]
    _set_nodes(graph, kept[::-1])
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _set_nodes(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Set the nodes of a graph; the copies outlive the deletion of the originals."""
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
