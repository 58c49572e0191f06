"""Small ONNX models as others export them, and their descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

NORMALIZATION = {'mean': [0.1, 0.2, 0.3], 'std': [0.5, 0.4, 0.25]}


def make_onnx(
    path: Path, *, layout: str = 'NCHW', channels: str = 'RGB',
    size: tuple[int, int] | None = None,
) -> Path:  # fmt: skip
    """
    Write a model at stride 4 and return its path.

    Its three logits are ten times the mean color of each 4x4 block: the strongest channel is the
    class. ``probabilities`` are their softmax, ``ids`` their argmax, ``disparity`` is
    1 / (10 * mean red + 1), ``away`` its inverse.
    """
    node = helper.make_node
    shape = [1, 3, *(size or ('H', 'W'))] if layout == 'NCHW' else [1, *(size or ('H', 'W')), 3]
    image = helper.make_tensor_value_info('pixels', TensorProto.FLOAT, shape)
    order = [0, 1, 2] if channels == 'RGB' else [2, 1, 0]
    nodes = []
    source = 'pixels'
    if layout == 'NHWC':
        nodes.append(node('Transpose', ['pixels'], ['planes'], perm=[0, 3, 1, 2]))
        source = 'planes'
    nodes += [
        node('Gather', [source, 'order'], ['ordered'], axis=1),
        node('Mul', ['ordered', 'std'], ['scaled']),
        node('Add', ['scaled', 'mean'], ['unit']),
        node('AveragePool', ['unit'], ['small'], kernel_shape=[4, 4], strides=[4, 4]),
        node('Mul', ['small', 'ten'], ['planar']),
        node('Softmax', ['planar'], ['likely'], axis=1),
        node('Slice', ['planar', 'zero', 'one', 'one'], ['red']),
        node('Add', ['red', 'bias'], ['away']),
        node('Reciprocal', ['away'], ['disparity']),
        node('ArgMax', ['planar'], ['ids'], axis=1, keepdims=0),
    ]
    last = {'perm': [0, 2, 3, 1]} if layout == 'NHWC' else {'perm': [0, 1, 2, 3]}
    nodes += [
        node('Transpose', ['planar'], ['logits'], **last),
        node('Transpose', ['likely'], ['probabilities'], **last),
    ]
    constants = [
        numpy_helper.from_array(np.array(values, kind), name)
        for name, values, kind in (
            ('std', np.reshape(NORMALIZATION['std'], (1, 3, 1, 1)), np.float32),
            ('mean', np.reshape(NORMALIZATION['mean'], (1, 3, 1, 1)), np.float32),
            ('order', order, np.int64), ('ten', 10, np.float32), ('bias', 1, np.float32),
            ('zero', [0], np.int64), ('one', [1], np.int64),
        )
    ]  # fmt: skip
    outputs = [
        helper.make_tensor_value_info(name, kind, None)
        for name, kind in (
            ('logits', TensorProto.FLOAT), ('probabilities', TensorProto.FLOAT),
            ('disparity', TensorProto.FLOAT), ('away', TensorProto.FLOAT),
            ('ids', TensorProto.INT64),
        )
    ]  # fmt: skip
    graph = helper.make_graph(nodes, 'other', [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def make_uint8_onnx(path: Path) -> Path:
    """Write a model with one output: the red channel of a uint8 NHWC image as class ids."""
    node = helper.make_node
    image = helper.make_tensor_value_info('pixels', TensorProto.UINT8, [1, 'H', 'W', 3])
    index = numpy_helper.from_array(np.array(0, np.int64), 'index')
    nodes = [node('Gather', ['pixels', 'index'], ['ids'], axis=3)]
    ids = helper.make_tensor_value_info('ids', TensorProto.UINT8, None)
    graph = helper.make_graph(nodes, 'other', [image], [ids], [index])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def describe(path: Path, **changes: Any) -> Path:
    """Write the description of such a model; ``None`` removes a part."""
    raw: dict[str, Any] = {
        'input': {**NORMALIZATION, 'multiple': 4},
        'labels': {'output': 'logits', 'kind': 'logits', 'classes': ['rouge', 'vert', 'bleu']},
        'depth': {'output': 'disparity', 'kind': 'inverse'},
    }
    for key, values in changes.items():
        raw[key] = {**raw[key], **values} if values is not None else None
    path.write_text(yaml.safe_dump({key: value for key, value in raw.items() if value}))
    return path


def write_color_map(path: Path, **changes: Any) -> Path:
    """Write a class map: red is road, green is vegetation, blue has no class."""
    raw = {
        'description': 'colors', 'classes': 'kitti6',
        'ids': {0: 'rouge', 1: 'vert', 2: 'bleu'}, 'map': {'rouge': 'road', 'vert': 'vegetation'},
        **changes,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(raw))
    return path


def strongest(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return road, vegetation or 255 for the lower right 4x4 pixels of each 8x8 block."""
    height, width = image.shape[:2]
    blocks = image.reshape(height // 8, 8, width // 8, 8, 3)[:, 4:, :, 4:]
    return np.array([2, 4, 255], np.uint8)[blocks.mean((1, 3)).argmax(-1)]
