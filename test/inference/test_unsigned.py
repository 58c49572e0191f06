"""Signed activations become unsigned ones, and no result changes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hydranet_ros.inference.unsigned import unsigned_activations


def quantized_model(raw: bool) -> bytes:
    """Return a convolution between quantized activations, with per-channel int8 weights."""
    node = helper.make_node
    rng = np.random.default_rng(3)

    def array(name: str, values: np.ndarray) -> TensorProto:
        if raw or values.dtype == np.float32:
            return numpy_helper.from_array(values, name)
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        return helper.make_tensor(name, kind, values.shape, values.ravel().tolist())

    zero = np.array(0, np.int8)
    constants = [
        array('x_scale', np.array(0.05, np.float32)), array('x_zero', zero),
        array('w', rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)),
        array('w_scale', np.array([0.01, 0.02, 0.03, 0.04], np.float32)),
        array('w_zero', np.zeros(4, np.int8)),
        array('y_scale', np.array(0.4, np.float32)), array('y_zero', zero),
    ]  # fmt: skip
    graph = helper.make_graph(
        [
            node('QuantizeLinear', ['x', 'x_scale', 'x_zero'], ['x_q']),
            node('DequantizeLinear', ['x_q', 'x_scale', 'x_zero'], ['x_f']),
            node('DequantizeLinear', ['w', 'w_scale', 'w_zero'], ['w_f'], axis=0),
            node('Conv', ['x_f', 'w_f'], ['y_f'], pads=[1, 1, 1, 1]),
            node('QuantizeLinear', ['y_f', 'y_scale', 'y_zero'], ['y_q']),
            node('DequantizeLinear', ['y_q', 'y_scale', 'y_zero'], ['y']),
        ],
        'quantized',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 3, 8, 9])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 4, 8, 9])],
        constants,
        value_info=[helper.make_tensor_value_info('x_q', TensorProto.INT8, [1, 3, 8, 9])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return model.SerializeToString()


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    return session.run(['y'], {'x': x})[0]


@pytest.mark.parametrize('raw', [True, False], ids=['raw bytes', 'numbers'])
def test_the_results_are_equal_and_the_activations_unsigned(raw: bool):
    model = quantized_model(raw)
    changed = unsigned_activations(model)
    x = np.random.default_rng(4).uniform(-9, 9, (1, 3, 8, 9)).astype(np.float32)
    want = run(model, x)
    assert np.abs(want).max() > 10, 'the comparison would prove nothing'
    np.testing.assert_array_equal(run(changed, x), want)
    found = onnx.load_model_from_string(changed)
    onnx.checker.check_model(found, full_check=True)
    values = {item.name: numpy_helper.to_array(item) for item in found.graph.initializer}
    assert values['x_zero'].dtype == values['y_zero'].dtype == np.uint8
    assert values['x_zero'] == values['y_zero'] == 128
    assert values['w'].dtype == values['w_zero'].dtype == np.int8


def test_a_model_without_quantization_is_unchanged():
    node = helper.make_node('Abs', ['x'], ['y'])
    graph = helper.make_graph(
        [node], 'plain', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [2])],
    )  # fmt: skip
    model = helper.make_model(graph).SerializeToString()
    assert onnx.load_model_from_string(unsigned_activations(model)).graph == graph


def test_a_truncated_model_is_an_error():
    model = quantized_model(True)
    with pytest.raises(ValueError):
        unsigned_activations(model[: len(model) // 2])
