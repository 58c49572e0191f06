"""Write ``config/doctor/one_convolution.onnx``: run this file to renew it."""

from __future__ import annotations

import numpy as np
from conftest import ROOT
from onnx import TensorProto, helper, numpy_helper

from hydranet_ros.doctor.full.one_convolution import BIAS, kernel

PATH = ROOT / 'config' / 'doctor' / 'one_convolution.onnx'


def one_convolution() -> bytes:
    """Return a model of one convolution, with the input and the output of an exported one."""
    node = helper.make_node
    size = ['batch', 'height', 'width']
    graph = helper.make_graph(
        [
            node('Cast', ['image'], ['pixels'], to=TensorProto.FLOAT),
            node('Transpose', ['pixels'], ['planes'], perm=[0, 3, 1, 2]),
            node('Conv', ['planes', 'kernel', 'bias'], ['plane'], pads=[1, 1, 1, 1]),
            node('Squeeze', ['plane', 'axes'], ['depth']),
        ],
        'one_convolution',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [*size, 3])],
        [helper.make_tensor_value_info('depth', TensorProto.FLOAT, size)],
        [
            numpy_helper.from_array(kernel()[None], 'kernel'),
            numpy_helper.from_array(np.array([BIAS], np.float32), 'bias'),
            numpy_helper.from_array(np.array([1], np.int64), 'axes'),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    return model.SerializeToString(deterministic=True)


if __name__ == '__main__':
    PATH.write_bytes(one_convolution())
