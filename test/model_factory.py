"""
Small real ONNX files with the inputs, outputs and metadata of an exported model.

Their predictions follow from the image: the label is 0 (sky) where blue is above 127 and above
red, else 2 (road) where red is above 127, else 1; the confidence is the green channel; depth is
``red / 255 * 10 + 1`` meters; normals point at the camera.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hydranet_ros.model_files.metadata import METADATA_KEY, ClassInfo, ModelInfo
from hydranet_ros.model_files.selftest import SelfTest, self_test_image, self_test_size

CLASSES = (
    ClassInfo(0, 'sky', (128, 128, 128), False),
    ClassInfo(1, 'building', (128, 0, 0)),
    ClassInfo(2, 'road', (128, 64, 128)),
)
NATIVE_SIZE = (48, 64)
FOCAL_LENGTH = 100.0


def model_info(tasks: Sequence[str] = ('segmentation', 'depth'), **changes: Any) -> ModelInfo:
    """Return the metadata of a test model."""
    facts: dict[str, Any] = {
        'preset': 'street', 'encoder': 'mobilenet_v2', 'tasks': tuple(tasks),
        'classes': CLASSES if 'segmentation' in tasks else (), 'depth_range': (0.0, 80.0),
        'training_focal_length': FOCAL_LENGTH, 'training_image_size': NATIVE_SIZE,
        'native_size': NATIVE_SIZE, 'license': 'none', 'training_data': 'none',
        'weights_sha256': '0' * 64,
    }  # fmt: skip
    return ModelInfo(**{**facts, **changes})


def make_model(
    path: Path,
    *,
    tasks: Sequence[str] = ('segmentation', 'depth'),
    metadata: bool = True,
    self_test: bool | SelfTest = True,
    heavy_confidence: bool = False,
    **changes: Any,
) -> Path:
    """
    Write a model file and return its path.

    :param self_test: ``False`` writes metadata of format 1, which have none; a self-test replaces
        the right one.
    :param heavy_confidence: let the confidence branch alone take much longer than the rest.
    :param changes: fields of :class:`~hydranet_ros.model_files.metadata.ModelInfo`.
    """
    nodes, constants = _split_channels()
    outputs = []
    for task in tasks:
        more_nodes, more_constants, more_outputs = _PARTS[task]()
        nodes += more_nodes
        constants += more_constants
        outputs += more_outputs
    if heavy_confidence:
        _slow_down(nodes, constants)
    image = helper.make_tensor_value_info('image', TensorProto.UINT8, [1, 'H', 'W', 3])
    graph = helper.make_graph(nodes, 'test', [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    if metadata:
        helper.set_model_props(model, _metadata(tasks, self_test, changes))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def make_truncated_model(path: Path, share: float = 0.5) -> Path:
    """Write a truncated model file."""
    whole = make_model(path).read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def _metadata(
    tasks: Sequence[str], self_test: bool | SelfTest, changes: dict[str, Any]
) -> dict[str, str]:
    if not self_test:
        texts = model_info(tasks, **changes, format_version=1).to_metadata()
        values = json.loads(texts[METADATA_KEY])
        old = {k: v for k, v in values.items() if k not in ('form', 'self_test', 'digest')}
        return {METADATA_KEY: json.dumps(old)}
    if self_test is True:
        size = self_test_size(changes.get('native_size', NATIVE_SIZE))
        self_test = SelfTest.from_outputs(size, expected_outputs(self_test_image(*size), tasks))
    return model_info(tasks, **changes, self_test=self_test).to_metadata()


def expected_outputs(
    image: NDArray[np.uint8], tasks: Sequence[str] = ('segmentation', 'depth')
) -> dict[str, NDArray]:
    """Return the outputs of the test model for an image (H, W, 3), by name."""
    found: dict[str, NDArray] = {}
    if 'segmentation' in tasks:
        found |= {'labels': expected_labels(image), 'confidence': image[..., 1]}
    if 'depth' in tasks:
        found['depth'] = expected_depth(image)
    if 'normals' in tasks:
        found['normals'] = np.broadcast_to(np.array([0, 0, -1], np.float32), image.shape)
    return found


def expected_labels(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the labels that the test model predicts, (H, W)."""
    red, _, blue = np.moveaxis(image.astype(np.int32), -1, 0)
    ground = np.where(red > 127, 2, 1)
    return np.where((blue > 127) & (blue > red), 0, ground).astype(np.uint8)


def expected_depth(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the depth that the test model predicts, (H, W) in meters."""
    return image[..., 0].astype(np.float32) * np.float32(10 / 255) + np.float32(1)


def _constant(name: str, values: Any, kind: Any) -> TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def _value(name: str, kind: int, channels: int = 0) -> onnx.ValueInfoProto:
    shape = [1, 'H', 'W', *([channels] if channels else [])]
    return helper.make_tensor_value_info(name, kind, shape)


def _split_channels() -> tuple[list, list]:
    node = helper.make_node
    nodes = [
        node('Cast', ['image'], ['pixels'], to=TensorProto.FLOAT),
        node('Split', ['pixels', 'ones'], ['red4', 'green4', 'blue4'], axis=3),
        *(node('Squeeze', [f'{c}4', 'last'], [c]) for c in ('red', 'green', 'blue')),
    ]
    return nodes, [_constant('ones', [1, 1, 1], np.int64), _constant('last', [3], np.int64)]


def _segmentation() -> tuple[list, list, list]:
    node = helper.make_node
    nodes = [
        node('Greater', ['red', 'half'], ['is_red']),
        node('Where', ['is_red', 'two', 'one'], ['ground']),
        node('Greater', ['blue', 'half'], ['is_blue']),
        node('Greater', ['blue', 'red'], ['is_bluer']),
        node('And', ['is_blue', 'is_bluer'], ['is_sky']),
        node('Where', ['is_sky', 'zero', 'ground'], ['label_value']),
        node('Cast', ['label_value'], ['labels'], to=TensorProto.UINT8),
        node('Identity', ['green'], ['confidence_value']),
        node('Cast', ['confidence_value'], ['confidence'], to=TensorProto.UINT8),
    ]
    constants = [
        _constant(name, value, np.float32)
        for name, value in (('half', 127.0), ('zero', 0.0), ('one', 1.0), ('two', 2.0))
    ]
    outputs = [_value('labels', TensorProto.UINT8), _value('confidence', TensorProto.UINT8)]
    return nodes, constants, outputs


def _depth() -> tuple[list, list, list]:
    node = helper.make_node
    nodes = [
        node('Mul', ['red', 'depth_scale'], ['scaled']),
        node('Add', ['scaled', 'nearest'], ['depth']),
    ]
    constants = [
        _constant('depth_scale', 10 / 255, np.float32), _constant('nearest', 1.0, np.float32)
    ]  # fmt: skip
    return nodes, constants, [_value('depth', TensorProto.FLOAT)]


def _normals() -> tuple[list, list, list]:
    node = helper.make_node
    nodes = [
        node('Mul', ['pixels', 'nothing'], ['flat']),
        node('Add', ['flat', 'backward'], ['normals']),
    ]
    constants = [
        _constant('nothing', 0.0, np.float32), _constant('backward', [0, 0, -1], np.float32)
    ]  # fmt: skip
    return nodes, constants, [_value('normals', TensorProto.FLOAT, 3)]


_PARTS = {'segmentation': _segmentation, 'depth': _depth, 'normals': _normals}


def _slow_down(nodes: list, constants: list) -> None:
    """Put work before the confidence that leaves it as it is: 40 sines and minus 40 sines."""
    index = next(i for i, item in enumerate(nodes) if item.output[0] == 'confidence_value')
    node = helper.make_node
    work = [node('Identity', ['green'], ['work0'])]
    for i in range(40):
        work.append(node('Sin', [f'work{i}'], [f'work{i + 1}']))
    work += [
        node('Mul', ['work40', 'no_work'], ['no_difference']),
        node('Add', ['green', 'no_difference'], ['confidence_value']),
    ]
    nodes[index : index + 1] = work
    constants.append(_constant('no_work', 0.0, np.float32))
