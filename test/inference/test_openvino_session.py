"""Sessions of the real OpenVINO, on the shipped model and on small ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT
from model_factory import NATIVE_SIZE, expected_depth, expected_labels, make_model
from onnx import helper

from hydranet_ros.errors import ModelError, ProviderError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.inference.openvino_provider import OpenvinoProvider
from hydranet_ros.inference.openvino_session import OpenvinoSession, reason
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.processor import processor_flags
from hydranet_ros.inference.proving import output_shape
from hydranet_ros.inference.session import SessionRequest
from hydranet_ros.model_files.metadata import METADATA_KEY, ModelInfo
from hydranet_ros.model_files.selftest import SelfTest, self_test_image

pytest.importorskip('openvino', reason='OpenVINO is not installed (extra: openvino)')
STREET = ROOT / 'models/street/street.onnx'
TYPES = {'labels': np.uint8, 'confidence': np.uint8, 'depth': np.float32}
SIZE = (120, 160)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_model(tmp_path / 'small.onnx')


def open_small(path: Path, precision: str = 'float32', size=None, **options) -> OpenvinoSession:
    options.setdefault('cache_directory', path.parent / 'cache')
    given = EngineOptions('openvino', **options)
    request = SessionRequest(path.read_bytes(), path, given, precision, size)
    return OpenvinoProvider().open(request)


def arrays(count: int, size: tuple[int, int], names=tuple(TYPES)) -> dict[str, np.ndarray]:
    return {name: np.full(output_shape(name, count, size), 77, TYPES[name]) for name in names}


def check(session: OpenvinoSession, size: tuple[int, int] = NATIVE_SIZE, seed: int = 0) -> None:
    """Run the factory's model on a random image and compare all outputs with its definition."""
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    outputs = arrays(1, size)
    session.run(image[None], outputs)
    np.testing.assert_array_equal(outputs['labels'][0], expected_labels(image))
    np.testing.assert_array_equal(outputs['confidence'][0], image[..., 1])
    np.testing.assert_allclose(outputs['depth'][0], expected_depth(image), rtol=1e-5)


def test_outputs_are_written_into_the_given_arrays_at_odd_and_alternating_sizes(small):
    session = open_small(small)
    for seed, size in enumerate([(48, 64), (47, 63), (1, 1), (48, 64), (7, 200), (47, 63)]):
        check(session, size, seed)


def test_an_image_that_cannot_be_written_to_is_accepted(small):
    image = self_test_image(20, 30)[None]
    image.setflags(write=False)
    outputs = arrays(1, (20, 30))
    open_small(small).run(image, outputs)
    np.testing.assert_array_equal(outputs['labels'][0], expected_labels(image[0]))


def test_outputs_that_are_not_requested_leave_the_arrays_of_earlier_runs_alone(small):
    session, size = open_small(small), (20, 30)
    first, second = arrays(1, size), arrays(1, size, ('labels',))
    session.run(self_test_image(*size)[None], first)
    kept = {name: values.copy() for name, values in first.items()}
    other = np.full((1, *size, 3), 200, np.uint8)
    session.run(other, second)
    np.testing.assert_array_equal(second['labels'][0], expected_labels(other[0]))
    for name, values in kept.items():
        np.testing.assert_array_equal(first[name], values)


def test_a_session_still_works_after_an_image_that_it_refuses(small):
    session = open_small(small)
    for bad in ((1, 20, 30, 4), (2, 20, 30, 3)):
        with pytest.raises(ModelError, match=r"OpenVINO: Can't set the input tensor .*30"):
            session.run(np.zeros(bad, np.uint8), arrays(bad[0], (20, 30)))
        check(session)


@pytest.mark.parametrize('size', [(20, 31), (20, 29), (21, 30), (30, 20)])
def test_an_array_of_another_shape_than_the_output_is_refused(small, size):
    session = open_small(small)
    expected = r'has the shape \(1, 20, 30\); expected|Could set new shape'
    with pytest.raises(ModelError, match=f'OpenVINO: .*({expected})'):
        session.run(np.zeros((1, 20, 30, 3), np.uint8), arrays(1, size))
    check(session)


def test_a_closed_session_says_so(small):
    session = open_small(small)
    session.close()
    session.close()
    with pytest.raises(ModelError, match='closed'):
        session.run(np.zeros((1, 20, 30, 3), np.uint8), arrays(1, (20, 30)))


def test_the_number_of_threads_is_used(small):
    session = open_small(small, threads=1)
    assert session._compiled.get_property('INFERENCE_NUM_THREADS') == 1
    check(session)
    check(open_small(small, threads=1))


def test_a_session_for_one_size_runs_that_size(small):
    session = open_small(small, size=(24, 32))
    check(session, (24, 32))
    with pytest.raises(ModelError, match='OpenVINO: '):
        check(session, (25, 32))


@pytest.mark.parametrize('content', [b'', b'\x08\x08', b'not a model' * 9])
def test_a_file_that_cannot_be_read_is_named_with_its_size(tmp_path, content):
    path = tmp_path / 'bad.onnx'
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf'bad\.onnx \({len(content)} bytes\) cannot be loaded'):
        open_small(path)


def test_the_reason_of_an_error_is_not_a_location_in_the_source():
    text = "Exception from src/a.cpp:1:\nCheck 'x > 0' failed at src/b.cpp:2:\nx is 0.\n\nmore\n"
    assert reason(RuntimeError(text)) == 'x is 0'
    assert reason(RuntimeError('Exception from src/a.cpp:1:')) == 'Exception from src/a.cpp:1:'
    assert reason(RuntimeError()) == 'RuntimeError'


# The precision


def precision_of(precision: str, path: Path) -> str:
    return open_small(path, precision).precision


def test_the_precision_is_what_the_processor_computes_in(small):
    assert precision_of('float32', small) == 'float32'
    assert precision_of('int8', small) == 'int8'
    native = bool({'amx_bf16', 'avx512_bf16'} & processor_flags())
    session = open_small(small, 'bfloat16')
    assert session.precision == ('bfloat16' if native else 'float32')
    assert bool(session.notes) is not native


def test_float16_is_refused_where_it_would_be_less_precise(small):
    try:
        session = open_small(small, 'float16')
    except ProviderError as err:
        assert 'CPU computes in bfloat16' in str(err) and 'set precision to' in str(err)
    else:
        assert session.precision in ('float16', 'float32')


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_the_street_model_agrees_with_the_cpu_within_the_tolerance(tmp_path, precision):
    test = SelfTest.from_outputs(SIZE, street_on_cpu(self_test_image(*SIZE)))
    request = SessionRequest(
        STREET.read_bytes(), STREET, EngineOptions(cache_directory=tmp_path), precision
    )
    for start in ('compiled', 'from the cache'):
        session = OpenvinoProvider().open(request)
        outputs = arrays(1, SIZE)
        session.run(test.image()[None], outputs)
        found = {name: values[0] for name, values in outputs.items()}
        deviation = test.compare(found, session.precision)
        assert deviation.accepted, f'{start}: {deviation}'


def street_on_cpu(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the CPU provider computes, as copies."""
    engine = Engine(STREET, EngineOptions('cpu'))
    found = engine.infer(image, frozenset(TYPES))
    outputs = {name: getattr(found, name).copy() for name in TYPES}
    engine.close()
    return outputs


def test_every_image_of_a_batch_has_its_own_results(tmp_path):
    size = (65, 97)
    images = np.stack([self_test_image(*size), np.full((*size, 3), 90, np.uint8),
                       self_test_image(*size)[:, ::-1]])  # fmt: skip
    request = SessionRequest(STREET.read_bytes(), STREET, EngineOptions(cache_directory=tmp_path))
    session = OpenvinoProvider().open(request)
    together = arrays(3, size)
    session.run(images, together)
    for index, image in enumerate(images):
        alone = arrays(1, size)
        session.run(np.ascontiguousarray(image[None]), alone)
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][index], values[0], rtol=1e-4, atol=1)


# A model that OpenVINO gets wrong: it reads the attribute beta = 0 of HardSigmoid as 0.5.


@pytest.fixture(params=['with a self-test', 'without'])
def wrong_in_openvino(tmp_path: Path, request) -> Path:
    """Return the form for ONNX Runtime's CPU provider under the name of the portable form."""
    model = onnx.load(str(STREET.with_name('street.cpu.onnx')))
    values = {item.key: item.value for item in model.metadata_props}
    assert METADATA_KEY in values
    info = replace(ModelInfo.from_metadata(values, 'street'), form='portable')
    if request.param == 'without':
        info = replace(info, self_test=None)
    del model.metadata_props[:]
    helper.set_model_props(model, info.to_metadata())
    path = tmp_path / 'old.onnx'
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_that_openvino_computes_wrongly_is_refused(wrong_in_openvino, tmp_path):
    with pytest.raises(ProviderError, match='requested explicitly') as failed:
        Engine(wrong_in_openvino, EngineOptions('openvino', 'float32', cache_directory=tmp_path))
    for text in ('its results are wrong', 'labels differ by 0.', 'depth_p95 differ by'):
        assert text in str(failed.value)


def test_auto_leaves_openvino_for_the_cpu_and_warns(wrong_in_openvino, tmp_path):
    found = Engine(
        wrong_in_openvino, EngineOptions(cache_directory=tmp_path), report=lambda text: None
    )
    assert found.provider == 'cpu'
    warnings = [text for text in found.warnings if "'openvino' (OpenVINO 20" in text]
    assert warnings and all('Running on cpu float32 instead' in text for text in warnings)
    assert 'its results are wrong' in warnings[-1]


# The cache of compiled models


def blobs(folder: Path) -> list[Path]:
    return sorted((folder / 'openvino').glob('*.blob'))


def test_the_second_session_loads_what_the_first_one_compiled(small, tmp_path):
    check(open_small(small))
    (blob,) = blobs(tmp_path / 'cache')
    written = blob.stat().st_mtime_ns
    session = open_small(small)
    assert (session.precision, blob.stat().st_mtime_ns) == ('float32', written)
    check(session)


def test_every_precision_model_and_thread_count_has_a_compiled_model_of_its_own(small, tmp_path):
    open_small(small)
    open_small(small, 'bfloat16')
    open_small(small, threads=1)
    open_small(small, size=(8, 8))
    other = make_model(tmp_path / 'other.onnx', tasks=('depth',))
    open_small(other)
    assert len(blobs(tmp_path / 'cache')) == 5


@pytest.mark.parametrize(
    'damage',
    [
        lambda blob: b'',
        lambda blob: blob[:20],
        lambda blob: blob[: len(blob) // 2],
        lambda blob: os.urandom(50_000),
        lambda blob: blob[:-2000] + bytes(byte ^ 1 for byte in blob[-2000:]),
    ],
    ids=['empty', 'short', 'truncated', 'garbage', 'changed bytes'],
)
def test_a_damaged_cache_costs_no_correctness_and_is_renewed(small, tmp_path, damage):
    open_small(small)
    (blob,) = blobs(tmp_path / 'cache')
    whole = blob.read_bytes()
    blob.write_bytes(damage(whole))
    check(open_small(small))
    assert blobs(tmp_path / 'cache') == [blob] and len(blob.read_bytes()) == len(whole)
    renewed = blob.stat().st_mtime_ns
    check(open_small(small))
    assert blob.stat().st_mtime_ns == renewed


def test_a_file_of_the_cache_that_openvino_refuses_is_compiled_anew(small, tmp_path):
    """The digest is right, but another version or driver wrote the content."""
    open_small(small)
    (blob,) = blobs(tmp_path / 'cache')
    content = b'compiled by something else'
    blob.write_bytes(hashlib.sha256(content).digest() + content)
    check(open_small(small))


@pytest.mark.parametrize('name', ['cache', 'cache/openvino'])
def test_a_cache_that_cannot_be_written_costs_no_correctness(small, tmp_path, name):
    """A file in place of the folder: no user, not even root, can write into it."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('not a folder')
    check(open_small(small))
    check(open_small(small))


# The process


QUIET = """
import os, signal, sys, threading
from pathlib import Path
def state():
    numbers = [item for item in signal.valid_signals() if item not in (9, 19)]
    return [signal.getsignal(item) for item in numbers], threading.enumerate(), os.environ.copy()
before = state()
import numpy as np
from hydranet_ros.inference.openvino_provider import OpenvinoProvider
from hydranet_ros.inference.options import EngineOptions
from hydranet_ros.inference.session import SessionRequest
path = Path(sys.argv[1])
options = EngineOptions('openvino', device='AUTO', cache_directory=path.parent)
assert OpenvinoProvider().missing() is None and OpenvinoProvider().version()
assert 'openvino' not in sys.modules
assert OpenvinoProvider().automatic_precisions(options)
session = OpenvinoProvider().open(SessionRequest(path.read_bytes(), path, options))
outputs = {'labels': np.zeros((1, 8, 8), np.uint8)}
session.run(np.zeros((1, 8, 8, 3), np.uint8), outputs)
assert state() == before, [old for old, new in zip(before, state()) if old != new]
assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]
assert os.listdir(os.environ['HOME']) == []
try:
    os.kill(os.getpid(), signal.SIGINT)
    session.run(np.zeros((1, 8, 8, 3), np.uint8), outputs)
except KeyboardInterrupt:
    session.run(np.zeros((1, 8, 8, 3), np.uint8), outputs)
    os._exit(3)
"""


def test_openvino_sends_nothing_prints_nothing_and_changes_no_signal(small, tmp_path):
    """Its import would report itself from a thread, and create a folder in the user's home."""
    home = tmp_path / 'home'
    home.mkdir()
    environment = {key: value for key, value in os.environ.items()
                   if key not in ('CI', 'TF_BUILD', 'JENKINS_URL')}  # fmt: skip
    done = subprocess.run(
        [sys.executable, '-c', QUIET, str(small)], cwd=ROOT, capture_output=True, text=True,
        timeout=100, env={**environment, 'HOME': str(home)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (3, '', '')
