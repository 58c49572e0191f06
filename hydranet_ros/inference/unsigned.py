"""
Turn the signed activations of a quantized model into unsigned ones.

The quantized form of a model has symmetric int8 activations, because TensorRT accepts nothing
else. ONNX Runtime's CPU provider has fast kernels for uint8 activations only. A zero point of 128
in place of 0 shifts every value by 128 and changes no result.
"""

from __future__ import annotations

from hydranet_ros.inference.wire_format import Field, encoded, fields, text, texts, with_length

_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_VALUE_INFO = 1, 5, 13
_NODE_INPUT, _NODE_OPERATOR = 1, 4
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_UINT8 = 2
_ZERO_POINT = 2  # index among the inputs of QuantizeLinear
_ZERO = b'\x80'


def unsigned_activations(model: bytes) -> bytes:
    """
    Return the model with uint8 activations of zero point 128.

    :param model: bytes of an ONNX file whose activations are int8 of zero point 0, each with a
        zero point of its own type, as ``hydranet export --int8`` writes it.
    :raises ValueError: if the bytes are not a complete ONNX model.
    """
    parts = []
    for item in fields(memoryview(model)):
        if item.number == _MODEL_GRAPH:
            parts.append(with_length(_MODEL_GRAPH, _graph(list(fields(item.payload)))))
        else:
            parts.append(bytes(item.whole))
    return b''.join(parts)


def _graph(graph: list[Field]) -> bytes:
    names = {
        inputs[_ZERO_POINT]
        for item in graph
        if item.number == _GRAPH_NODE and text(item.payload, _NODE_OPERATOR) == 'QuantizeLinear'
        for inputs in [texts(item.payload, _NODE_INPUT)]
        if len(inputs) > _ZERO_POINT
    }
    parts = []
    for item in graph:
        if item.number == _GRAPH_INITIALIZER and text(item.payload, _TENSOR_NAME) in names:
            parts.append(with_length(_GRAPH_INITIALIZER, _zero_point(item.payload)))
        elif item.number != _GRAPH_VALUE_INFO:  # it states the types of activations
            parts.append(bytes(item.whole))
    return b''.join(parts)


def _zero_point(tensor: memoryview) -> bytes:
    kept = [item.whole for item in fields(tensor) if item.number in (_TENSOR_DIMS, _TENSOR_NAME)]
    kind = encoded(_TENSOR_TYPE << 3) + encoded(_UINT8)
    return b''.join([*kept, kind, with_length(_TENSOR_RAW, _ZERO)])
