"""
Portable model files give the same results in every runtime.

The runtimes are ONNX Runtime, OpenVINO and the reference implementation of onnx. The expected
outputs are those of PyTorch in float64: in the self-test of a shipped file, and computed here for
a fresh export.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')

from conftest import ROOT
from model_factory import model_info
from network_tools import official_network, random_resnet

from hydranet_ros.inference.model_file import read_model
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.inference.proving import run_once
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.model_files.forms import FORM_SUFFIXES, sibling
from hydranet_ros.model_files.selftest import SelfTest, self_test_image
from hydranet_ros.network.export import write_graph
from hydranet_ros.network.export_comparison import reference_outputs
from hydranet_ros.network.export_module import ExportModule

SHIPPED = sorted(
    path for path in (ROOT / 'models').glob('*/*.onnx')
    if path.name.count('.') == FORM_SUFFIXES['portable'].count('.')
)  # fmt: skip
SMALL = (48, 64)
Outputs = Mapping[str, np.ndarray]


def on_provider(name: str) -> Callable[[Path, np.ndarray], Outputs]:
    def run(path: Path, image: np.ndarray) -> Outputs:
        provider = PROVIDERS[name]
        if provider.missing():
            pytest.skip(f'{name} is not installed')
        model = read_model(path)
        session = provider.open(
            SessionRequest(model.content, path, EngineOptions(name, 'float32'), 'float32')
        )
        return run_once(session, image, model.outputs)

    return run


def in_reference(path: Path, image: np.ndarray) -> Outputs:
    """
    Run the implementation of the specification itself; it is slow.

    Its MaxPool fails for kernels that are not square (onnx 1.23), so a correct one replaces it.
    """
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    class MaxPool(OpRun):
        op_domain = ''

        def _run(self, x, ceil_mode, dilations, kernel_shape, pads, strides, **_):
            assert ceil_mode == 0 and set(dilations) == {1}
            top, left, bottom, right = pads
            border = ((0, 0), (0, 0), (top, bottom), (left, right))
            padded = np.pad(x, border, constant_values=-np.inf)
            windows = np.lib.stride_tricks.sliding_window_view(padded, kernel_shape, (2, 3))
            return (windows[:, :, :: strides[0], :: strides[1]].max((4, 5)),)

    evaluator = ReferenceEvaluator(str(path), new_ops=[MaxPool])
    names = evaluator.output_names
    return {name: x[0] for name, x in zip(names, evaluator.run(names, {'image': image[None]}))}


RUNTIMES = {'cpu': on_provider('cpu'), 'openvino': on_provider('openvino')}


@pytest.mark.parametrize('runtime', list(RUNTIMES))
@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_gives_the_expected_outputs_in_every_runtime(path: Path, runtime: str):
    test = read_model(path).info.self_test
    deviation = test.compare(RUNTIMES[runtime](path, test.image()), 'float32')
    assert len(deviation.metrics) >= 3 and deviation.accepted, str(deviation)


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_gives_the_same_outputs_by_the_specification(path: Path):
    image = self_test_image(*SMALL)
    expected = SelfTest.from_outputs(SMALL, on_provider('cpu')(path, image))
    deviation = expected.compare(in_reference(path, image), 'float32')
    assert len(deviation.metrics) >= 3 and deviation.accepted, str(deviation)


@pytest.mark.parametrize('place', ['first', 'last'])
@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.name)
def test_one_changed_weight_fails_the_self_test(path: Path, tmp_path: Path, place: str):
    """The weight is the largest of the first or the last convolution, with its sign inverted."""
    model = onnx.load(str(path))
    convolutions = [node for node in model.graph.node if node.op_type == 'Conv']
    name = convolutions[0 if place == 'first' else -1].input[1]
    (weight,) = (item for item in model.graph.initializer if item.name == name)
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[np.abs(values).argmax()] *= -1
    weight.CopyFrom(onnx.numpy_helper.from_array(values, name))
    onnx.save(model, str(tmp_path / 'changed.onnx'))
    test = read_model(path).info.self_test
    deviation = test.compare(RUNTIMES['cpu'](tmp_path / 'changed.onnx', test.image()), 'float32')
    assert not deviation.accepted, str(deviation)


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_has_its_form_for_the_cpu_beside_it(path: Path):
    portable, rewritten = read_model(path).info, read_model(sibling(path, 'cpu')).info
    assert (portable.form, rewritten.form) == ('portable', 'cpu')
    assert portable.weights_sha256 == rewritten.weights_sha256
    assert portable.self_test == rewritten.self_test


def official() -> ExportModule:
    return ExportModule(official_network())


def resnet() -> ExportModule:
    return ExportModule(random_resnet(('segmentation', 'depth', 'normals')))


@pytest.fixture(scope='module', params=[official, resnet])
def fresh(request, tmp_path_factory) -> tuple[Path, SelfTest]:
    """Return a new portable file and what PyTorch expects of it."""
    module = request.param().eval()
    path = tmp_path_factory.mktemp('portable') / 'model.onnx'
    write_graph(module, path, SMALL, model_info(module.network.config.tasks))
    reference = reference_outputs(module, self_test_image(*SMALL))
    return path, SelfTest.from_outputs(SMALL, reference.exact, reference.rounded)


@pytest.mark.parametrize('runtime', [*RUNTIMES, 'reference'])
def test_a_new_file_gives_the_outputs_of_pytorch_in_every_runtime(fresh, runtime: str):
    path, test = fresh
    run = {**RUNTIMES, 'reference': in_reference}[runtime]
    deviation = test.compare(run(path, test.image()), 'float32')
    assert len(deviation.metrics) == len(test.expected) + 1 and deviation.accepted, str(deviation)


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_uses_only_what_every_runtime_reads_alike(path: Path):
    graph = onnx.load(str(path)).graph
    kinds = {node.op_type for node in graph.node}
    assert 'HardSigmoid' not in kinds, 'OpenVINO reads beta 0 as 0.5'
    assert all(not node.domain for node in graph.node), 'only operators of the standard'
    readers = {node.op_type for node in graph.node if 'image' in node.input}
    assert readers <= {'Cast', 'Shape'}, 'TensorRT moves no uint8'
    producers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == 'Resize':
            source = producers[node.input[0]].op_type
            assert source != 'Transpose', 'CUDA resizes the last two dimensions only'
