"""
Remove the parts of an ONNX graph that the requested outputs do not need.

ONNX Runtime computes every branch of a graph, whatever outputs are requested (its run option
``only_execute_path_to_fetches`` has no effect in 1.31, and a node whose result is unused still
runs). So nodes are removed from the file's bytes before the session is created.
"""

from __future__ import annotations

from collections.abc import Iterable

from hydranet_ros.inference.wire_format import Field, fields, text, texts, with_length

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPHS = (6, 11)
_VALUE_NAME, _TENSOR_NAME = 1, 8


def output_names(model: bytes) -> tuple[str, ...]:
    """
    Return the names of a model file's outputs.

    :raises ValueError: if the bytes are not a complete ONNX model.
    """
    graph = _graph(model)
    outputs = (item.payload for item in graph if item.number == _GRAPH_OUTPUT)
    return tuple(text(payload, _VALUE_NAME) for payload in outputs)


def metadata(model: bytes) -> dict[str, str]:
    """
    Return the key-value strings of a model file.

    :raises ValueError: if the bytes are not a complete ONNX model.
    """
    entries = (item for item in fields(memoryview(model)) if item.number == _MODEL_METADATA)
    return {text(item.payload, _ENTRY_KEY): text(item.payload, _ENTRY_VALUE) for item in entries}


def prune(model: bytes, outputs: Iterable[str]) -> bytes:
    """
    Return the model with only these outputs and the nodes and weights that they need.

    :raises ValueError: if the bytes are not a complete ONNX model.
    """
    keep = frozenset(outputs)
    graph = _graph(model)
    needed = _needed_values(graph, keep)
    kept = b''.join(item.whole for item in graph if _is_needed(item, needed, keep))
    parts = []
    for item in fields(memoryview(model)):
        is_graph = item.number == _MODEL_GRAPH
        parts.append(with_length(_MODEL_GRAPH, kept) if is_graph else item.whole)
    return b''.join(parts)


def _graph(model: bytes) -> list[Field]:
    graphs = [item for item in fields(memoryview(model)) if item.number == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise ValueError(f'it has {len(graphs)} graphs; an ONNX model has one')
    return list(fields(graphs[0].payload))


def _needed_values(graph: list[Field], outputs: frozenset[str]) -> set[str]:
    """Walk back from the outputs; ONNX stores nodes in execution order."""
    needed = set(outputs)
    for item in reversed(graph):
        if item.number == _GRAPH_NODE and needed.intersection(texts(item.payload, _NODE_OUTPUT)):
            needed.update(_values_read(item.payload))
    return needed


def _values_read(node: memoryview) -> set[str]:
    """Return the inputs of a node and everything that its subgraphs read."""
    found = set(texts(node, _NODE_INPUT))
    for attribute in fields(node):
        if attribute.number == _NODE_ATTRIBUTE:
            for inner in fields(attribute.payload):
                if inner.number in _ATTRIBUTE_GRAPHS:
                    found |= _graph_reads(inner.payload)
    return found


def _graph_reads(graph: memoryview) -> set[str]:
    found = set()
    for item in fields(graph):
        if item.number == _GRAPH_NODE:
            found |= _values_read(item.payload)
        elif item.number == _GRAPH_OUTPUT:
            found.add(text(item.payload, _VALUE_NAME))
    return found


def _is_needed(item: Field, needed: set[str], outputs: frozenset[str]) -> bool:
    if item.number == _GRAPH_NODE:
        return bool(needed.intersection(texts(item.payload, _NODE_OUTPUT)))
    if item.number == _GRAPH_INITIALIZER:
        return text(item.payload, _TENSOR_NAME) in needed
    if item.number == _GRAPH_OUTPUT:
        return text(item.payload, _VALUE_NAME) in outputs
    return True
