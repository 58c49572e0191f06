"""A model file on ONNX Runtime: correct arrays, no unnecessary work, one clear error each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_factory import (
    NATIVE_SIZE,
    expected_depth,
    expected_labels,
    make_model,
    make_truncated_model,
)

from hydranet_ros.errors import ImageError, ModelError, ModelNotFoundError, ProviderError
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.inference.engine import PROVIDERS, Engine, EngineOptions, build_engine

ALL_TASKS = ('segmentation', 'depth', 'normals')
LABELS = frozenset({'labels'})


def random_image(height: int = 33, width: int = 47, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp('models') / 'all.onnx', tasks=ALL_TASKS)


@pytest.fixture(scope='module')
def engine(model: Path) -> Engine:
    return Engine(model, EngineOptions(provider='cpu', threads=1))


@pytest.mark.parametrize('size', [(33, 47), (48, 64), (1, 1), (7, 200)])
def test_every_output_equals_the_network_at_any_image_size(engine: Engine, size):
    image = random_image(*size)
    got = engine.infer(image, engine.outputs)
    np.testing.assert_array_equal(got.labels, expected_labels(image))
    np.testing.assert_array_equal(got.confidence, image[..., 1])
    np.testing.assert_allclose(got.depth, expected_depth(image), rtol=1e-6)
    assert got.normals.shape == (*size, 3) and (got.normals == (0, 0, -1)).all()


def test_only_requested_outputs_are_returned(engine: Engine):
    got = engine.infer(random_image(), LABELS)
    assert got.labels is not None
    assert (got.depth, got.confidence, got.normals) == (None, None, None)
    assert engine.infer(random_image(), frozenset()).labels is None


def test_an_output_the_model_lacks_stays_none(tmp_path: Path):
    small = Engine(make_model(tmp_path / 'depth.onnx', tasks=('depth',)))
    assert small.outputs == {'depth'}
    got = small.infer(random_image(), frozenset({'labels', 'depth'}))
    assert got.labels is None and got.depth is not None


def test_arrays_are_reused_and_can_be_messages(engine: Engine):
    first = engine.infer(random_image(seed=1), engine.outputs)
    second = engine.infer(random_image(seed=2), engine.outputs)
    for name in ('labels', 'depth', 'confidence', 'normals'):
        assert getattr(first, name) is getattr(second, name)
        assert backing_array(getattr(first, name)) is not None


def test_read_only_and_strided_images_are_accepted(engine: Engine):
    image = random_image()
    frozen = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    want = expected_labels(image)
    np.testing.assert_array_equal(engine.infer(frozen, LABELS).labels, want)
    np.testing.assert_array_equal(engine.infer(image[:, ::-1], LABELS).labels, want[:, ::-1])


@pytest.mark.parametrize(
    'image',
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3), np.float32),
     np.zeros((0, 5, 3), np.uint8)],
    ids=['gray', 'four channels', 'float', 'empty'],
)  # fmt: skip
def test_an_array_that_is_not_an_image_is_refused(engine: Engine, image: np.ndarray):
    with pytest.raises(ImageError, match=r'expected \(H, W, 3\) uint8'):
        engine.infer(image, LABELS)


def test_a_session_has_only_the_requested_outputs(tmp_path: Path):
    """The nodes of other outputs are removed from its graph; see test_subgraph.py."""
    engine = Engine(make_model(tmp_path / 'model.onnx'), EngineOptions('cpu', threads=1))
    requested = frozenset({'depth'})
    engine.infer(random_image(), requested)
    session = engine._session(requested, (33, 47)).session
    assert [item.name for item in session.get_outputs()] == ['depth']


def test_the_engine_reports_its_provider_and_the_metadata_of_the_file(engine: Engine, model: Path):
    assert engine.provider == 'cpu'
    assert engine.path == model
    assert engine.info.native_size == NATIVE_SIZE
    assert engine.info.tasks == ALL_TASKS


def test_a_warm_up_returns_its_seconds(engine: Engine):
    assert 0 < engine.warm_up(*NATIVE_SIZE) < 60


@pytest.mark.parametrize('provider', ['cuda', 'tensorrt'])
def test_a_requested_provider_that_is_missing_is_an_error_with_the_remedy(
    model: Path, provider: str, tmp_path: Path
):
    options = EngineOptions(provider=provider, cache_directory=tmp_path)
    try:
        engine = Engine(model, options)
    except ProviderError as err:
        assert f"'{provider}'" in str(err) and 'pip install' in str(err)
    else:
        assert engine.provider == provider, 'never another provider than the requested one'


def test_building_engines_needs_tensorrt(model: Path, tmp_path: Path):
    try:
        took = build_engine(model, EngineOptions(cache_directory=tmp_path), [(48, 64), (24, 32)])
    except ProviderError as err:
        assert 'tensorrt' in str(err)
    else:
        assert len(took) == 2


@pytest.mark.parametrize(
    ('options', 'message'),
    [({'provider': 'gpu'}, "'gpu' is unknown; allowed: auto, tensorrt, cuda"),
     ({'provider': 'cpu', 'precision': 'float16'}, 'computes in float32, int8, not in the')],
)  # fmt: skip
def test_options_that_no_provider_takes_are_refused(model: Path, options: dict, message: str):
    with pytest.raises(ProviderError, match=message):
        Engine(model, EngineOptions(**options))


def test_a_missing_file_is_named_with_the_commands_that_create_it(tmp_path: Path):
    with pytest.raises(ModelNotFoundError, match=r'nothing\.onnx does not exist.*weights pull'):
        Engine(tmp_path / 'nothing.onnx')


@pytest.mark.parametrize('share', [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, share: float):
    path = make_truncated_model(tmp_path / 'cut.onnx', share)
    with pytest.raises(ModelError, match=r'cut\.onnx'):
        Engine(path)


@pytest.mark.parametrize(
    'content', [b'', b'not a model', bytes(100), b'\x08\x08', b'PK\x03\x04' + bytes(50)]
)
def test_a_file_that_is_not_a_model_is_refused_by_name(tmp_path: Path, content: bytes):
    path = tmp_path / 'bad.onnx'
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r'bad\.onnx.*hydranet export'):
        Engine(path)


def test_a_model_without_metadata_is_refused_with_the_command_that_adds_it(tmp_path: Path):
    with pytest.raises(ModelError, match=r'bare\.onnx carries no hydranet_ros metadata.*export'):
        Engine(make_model(tmp_path / 'bare.onnx', metadata=False))


def test_a_closed_engine_raises(model: Path):
    engine = Engine(model)
    engine.close()
    with pytest.raises(ModelError, match='closed'):
        engine.infer(random_image(), LABELS)


def test_loading_and_running_prints_nothing(model: Path):
    code = (
        'import sys, numpy; from hydranet_ros.inference.engine import Engine, EngineOptions;'
        "e = Engine(sys.argv[1], EngineOptions('cpu')); e.warm_up(20, 30);"
        'e.infer(numpy.zeros((40, 50, 3), "u1"), e.outputs)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(model)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_building_an_engine_for_a_size_is_reported_once_before_and_after(
    model: Path, monkeypatch: pytest.MonkeyPatch
):
    """Tests the report only: without TensorRT the session is one of the CPU."""
    monkeypatch.setattr(PROVIDERS['cpu'], 'compiles', True, raising=False)
    told: list[str] = []
    engine = Engine(model, EngineOptions(provider='cpu'), report=told.append)
    assert len(told) == 2 and '64x48 ready after' in told[1], 'the native size is prepared'
    for _ in range(2):
        assert engine.infer(random_image(), LABELS).labels is not None
    assert len(told) == 4
    assert 'all.onnx: cpu loads or builds its engine for 47x33' in told[2]
    assert '47x33 ready after' in told[3]


def test_a_batch_equals_its_images_one_by_one(engine: Engine):
    images = np.stack([random_image(seed=seed) for seed in range(3)])
    found = engine.infer_batch(images, engine.outputs)
    for image, got in zip(images, found):
        np.testing.assert_array_equal(got.labels, expected_labels(image))
        np.testing.assert_array_equal(got.confidence, image[..., 1])
        np.testing.assert_allclose(got.depth, expected_depth(image), rtol=1e-6)
        assert got.normals.shape == (33, 47, 3)
    assert [item.labels for item in engine.infer_batch(images, frozenset())] == [None] * 3


@pytest.mark.parametrize('shape', [(33, 47, 3), (0, 33, 47, 3), (2, 33, 47, 4)])
def test_an_array_that_is_not_a_batch_is_refused(engine: Engine, shape):
    with pytest.raises(ImageError, match='expected'):
        engine.infer_batch(np.zeros(shape, np.uint8))
