"""Sessions of ONNX Runtime: loaded, placed on a device, or one clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_factory import expected_depth, expected_labels, make_model

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.onnx_session import (
    RUNTIME_NAMES,
    OnnxSession,
    available,
    create_session,
    first_line,
    open_any,
)
from hydranet_ros.model_files.resolve import find_model

CPU = [(RUNTIME_NAMES['cpu'], {})]


@pytest.fixture(scope='module')
def model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp('models') / 'tiny.onnx')


def test_a_session_writes_the_outputs_into_the_given_arrays(model: Path):
    session = OnnxSession(create_session(model.read_bytes(), model, CPU), 'float32')
    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    arrays = {'labels': np.zeros((1, 20, 30), np.uint8), 'depth': np.zeros((1, 20, 30), 'f4')}
    session.run(image[None], arrays)
    np.testing.assert_array_equal(arrays['labels'][0], expected_labels(image))
    np.testing.assert_allclose(arrays['depth'][0], expected_depth(image), rtol=1e-6)
    session.close()


def test_the_cpu_is_always_available():
    assert available('cpu')


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('/src/a/b.cc:729 void f(const X&) Please install TensorRT.\nmore', 'Please install '
         'TensorRT'),
        ('[ONNXRuntimeError] : 7 : INVALID', '[ONNXRuntimeError] : 7 : INVALID'),
        ('', 'RuntimeError'),
    ],
)  # fmt: skip
def test_an_onnxruntime_error_is_shown_without_its_source_location(text: str, line: str):
    assert first_line(RuntimeError(text)) == line


def test_a_session_for_one_size_has_fixed_shapes():
    """With free shapes, shape nodes run on the CPU and no CUDA graph can be captured."""
    path = find_model('street.onnx')
    session = create_session(path.read_bytes(), path, CPU, size=(96, 128))
    assert [item.shape for item in session.get_inputs()] == [[1, 96, 128, 3]]
    assert {tuple(item.shape[1:]) for item in session.get_outputs()} == {(96, 128)}


def test_a_provider_whose_libraries_do_not_load_is_an_error(model: Path):
    """ONNX Runtime leaves out an unknown provider with a warning, as it does a broken one."""
    providers = [('CUDAExecutionProvider', {}), *CPU]
    if available('cuda'):
        pytest.skip('this ONNX Runtime has the CUDA provider')
    with pytest.warns(UserWarning), pytest.raises(ProviderError, match='libraries did not load'):
        create_session(model.read_bytes(), model, providers)


def test_a_damaged_model_is_named_with_its_size():
    with pytest.raises(ModelError, match=r'bad\.onnx \(3 bytes\) cannot be loaded'):
        create_session(b'bad', Path('bad.onnx'), CPU)


def test_any_model_is_opened_without_metadata(tmp_path: Path):
    path = make_model(tmp_path / 'bare.onnx', metadata=False)
    session, warnings = open_any(path.read_bytes(), path)
    assert [item.name for item in session.get_inputs()] == ['image'] and not warnings
    session, _ = open_any(path.read_bytes(), path, 'cpu')
    assert session.get_providers() == ['CPUExecutionProvider']


@pytest.mark.parametrize('name', ['cuda', 'tensorrt'])
def test_a_requested_provider_that_is_not_installed_is_an_error(name: str, model: Path):
    if available(name):
        pytest.skip(f'this ONNX Runtime has {name}')
    with pytest.raises(ProviderError, match=f"'{name}' is not installed.*pip install"):
        open_any(model.read_bytes(), model, name)
