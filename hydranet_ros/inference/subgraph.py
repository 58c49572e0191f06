"""
Remove the parts of an ONNX graph that the requested outputs do not need.

ONNX Runtime computes every branch of a graph, whatever outputs are requested (its run option
``only_execute_path_to_fetches`` has no effect in 1.31, and a node whose result is unused still
runs). So nodes are removed from the file's bytes before the session is created. The module reads
the wire format of protocol buffers itself, because the package ``onnx`` would add half a second
to the start of the node and 30 MB to its memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPHS = (6, 11)
_VALUE_NAME, _TENSOR_NAME = 1, 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


class _Field(NamedTuple):
    """One field: its number, its bytes with the tag, and its payload if it has a length."""

    number: int
    whole: memoryview
    payload: memoryview


def output_names(model: bytes) -> tuple[str, ...]:
    """
    Return the names of a model file's outputs.

    :raises ValueError: if the bytes are not a complete ONNX model.
    """
    graph = _graph(model)
    outputs = (item.payload for item in graph if item.number == _GRAPH_OUTPUT)
    return tuple(_text(payload, _VALUE_NAME) for payload in outputs)


def metadata(model: bytes) -> dict[str, str]:
    """
    Return the key-value strings of a model file.

    :raises ValueError: if the bytes are not a complete ONNX model.
    """
    entries = (item for item in _fields(memoryview(model)) if item.number == _MODEL_METADATA)
    return {_text(item.payload, _ENTRY_KEY): _text(item.payload, _ENTRY_VALUE) for item in entries}


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
    for item in _fields(memoryview(model)):
        is_graph = item.number == _MODEL_GRAPH
        parts.append(_with_length(_MODEL_GRAPH, kept) if is_graph else item.whole)
    return b''.join(parts)


def _graph(model: bytes) -> list[_Field]:
    graphs = [item for item in _fields(memoryview(model)) if item.number == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise ValueError(f'it has {len(graphs)} graphs; an ONNX model has one')
    return list(_fields(graphs[0].payload))


def _needed_values(graph: list[_Field], outputs: frozenset[str]) -> set[str]:
    """Walk back from the outputs; ONNX stores nodes in execution order."""
    needed = set(outputs)
    for item in reversed(graph):
        if item.number == _GRAPH_NODE and needed.intersection(_texts(item.payload, _NODE_OUTPUT)):
            needed.update(_values_read(item.payload))
    return needed


def _values_read(node: memoryview) -> set[str]:
    """Return the inputs of a node and everything that its subgraphs read."""
    found = set(_texts(node, _NODE_INPUT))
    for attribute in _fields(node):
        if attribute.number == _NODE_ATTRIBUTE:
            for inner in _fields(attribute.payload):
                if inner.number in _ATTRIBUTE_GRAPHS:
                    found |= _graph_reads(inner.payload)
    return found


def _graph_reads(graph: memoryview) -> set[str]:
    found = set()
    for item in _fields(graph):
        if item.number == _GRAPH_NODE:
            found |= _values_read(item.payload)
        elif item.number == _GRAPH_OUTPUT:
            found.add(_text(item.payload, _VALUE_NAME))
    return found


def _is_needed(item: _Field, needed: set[str], outputs: frozenset[str]) -> bool:
    if item.number == _GRAPH_NODE:
        return bool(needed.intersection(_texts(item.payload, _NODE_OUTPUT)))
    if item.number == _GRAPH_INITIALIZER:
        return _text(item.payload, _TENSOR_NAME) in needed
    if item.number == _GRAPH_OUTPUT:
        return _text(item.payload, _VALUE_NAME) in outputs
    return True


def _texts(message: memoryview, number: int) -> list[str]:
    found = (item.payload for item in _fields(message) if item.number == number)
    return [bytes(payload).decode('utf-8', 'surrogateescape') for payload in found]


def _text(message: memoryview, number: int) -> str:
    return next(iter(_texts(message, number)), '')


def _fields(message: memoryview) -> Iterator[_Field]:
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        kind, payload = tag & 7, message[:0]
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _BYTES:
            length, position = _varint(message, position)
            payload, position = message[position : position + length], position + length
        elif kind in _FIXED_SIZES:
            position += _FIXED_SIZES[kind]
        else:
            raise ValueError(f'byte {start} is not the start of a protocol buffer field')
        if position > len(message):
            raise ValueError('the file is truncated')
        yield _Field(tag >> 3, message[start:position], payload)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    raise ValueError('the file is truncated')


def _with_length(number: int, payload: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(payload)) + payload


def _encoded(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
