"""
Post-processing on a device: the same bytes as on the CPU, one upload and one download.

Without a GPU the tests use a device in host memory, with the kernel compiled for the CPU; see
``host_device.py``. With a GPU, ``pytest -m gpu`` runs the shipped model on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from host_device import HostDevice, make_host_device
from model_factory import FOCAL_LENGTH, make_model

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import ImageError, ModelError, ProviderError
from hydranet_ros.inference.buffers import backing_array
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.gpu.device import Queue
from hydranet_ros.inference.providers import PROVIDERS
from hydranet_ros.model_files.resolve import find_model
from hydranet_ros.model_files.selftest import self_test_image
from hydranet_ros.perception.pipeline import (
    Output,
    Perception,
    PerceptionResult,
    PerceptionSettings,
    create_postprocessor,
)
from hydranet_ros.perception.postprocess import CpuPostprocessor
from hydranet_ros.perception.postprocess_cuda import KERNEL_SOURCE, CudaPostprocessor

HEIGHT, WIDTH = 23, 37
LARGE = (256, 300)
CAMERA = CameraModel(
    WIDTH, HEIGHT, 1.3 * FOCAL_LENGTH, FOCAL_LENGTH, 17.0, 11.0, 'plumb_bob',
    (-0.1, 0.02, 0.001, 0, 0),
)  # fmt: skip
MIN_EQUAL_LABELS = {'float32': 0.995, 'float16': 0.985}
MAX_DEPTH_ERROR = {'float32': 1e-3, 'float16': 1e-2}
ALL = frozenset(Output)
USUAL = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})
TASKS = ('segmentation', 'depth', 'normals')
FIELDS = ('labels', 'confidence', 'depth', 'normals', 'color', 'overlay', 'depth_color')


def random_image(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    found = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    found[: height // 4] = (20, 30, 250)
    return found


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp('models') / 'all.onnx', tasks=TASKS)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> HostDevice:
    return make_host_device(monkeypatch)


@pytest.fixture
def engine(model: Path, device: HostDevice) -> Engine:
    return Engine(model, EngineOptions(provider='cpu'), device=device)


def contents(result: PerceptionResult) -> dict[str, np.ndarray | None]:
    """Return copies of a result's arrays, which a later frame overwrites."""
    found = {name: getattr(result, name) for name in FIELDS}
    found['cloud'] = result.cloud.data if result.cloud else None
    return {name: None if value is None else value.copy() for name, value in found.items()}


def assert_same(got: dict, want: dict) -> None:
    for name, value in want.items():
        assert (got[name] is None) == (value is None), name
        if value is not None and value.dtype.names is None:
            np.testing.assert_array_equal(got[name], value, err_msg=name)
        elif value is not None:
            for field in value.dtype.names:
                np.testing.assert_array_equal(got[name][field], value[field], err_msg=field)


@pytest.mark.parametrize(
    'settings',
    [PerceptionSettings(), PerceptionSettings(cloud_stride=3),
     PerceptionSettings(min_confidence=0.5, max_depth=6.0), PerceptionSettings(min_confidence=0.9),
     PerceptionSettings(scale_by_focal_length=False, cloud_stride=2)],
    ids=['plain', 'stride', 'limits', 'uncertain sky', 'unscaled'],
)  # fmt: skip
@pytest.mark.parametrize('tasks', [TASKS, ('depth',), ('segmentation',)], ids='+'.join)
def test_a_device_and_the_cpu_give_equal_bytes(tmp_path, device, tasks, settings):
    path = make_model(tmp_path / 'model.onnx', tasks=tasks)
    here = Perception(Engine(path, EngineOptions(provider='cpu')), settings)
    there = Perception(Engine(path, EngineOptions(provider='cpu'), device=device), settings)
    assert there.engine.device is device and here.engine.device is None
    for wanted in (ALL, USUAL, frozenset({Output.POINTS}), frozenset({Output.MASK})):
        for camera in (CAMERA, CAMERA.scaled(2 * WIDTH, 2 * HEIGHT), None):
            image = random_image(len(wanted))
            want = contents(here.process(image, camera, wanted=wanted))
            assert_same(contents(there.process(image, camera, wanted=wanted)), want)
    assert all(block.intact for block in device.blocks)


def test_two_frames_overlap_and_keep_their_own_results(model, engine):
    here = Perception(Engine(model, EngineOptions(provider='cpu')))
    images = [random_image(seed) for seed in range(6)]
    want = [contents(here.process(image, CAMERA, wanted=USUAL)) for image in images]
    taken = []

    def frames():
        for number, image in enumerate(images):
            taken.append(number)
            shown = image.copy()
            yield shown, CAMERA, number
            shown[:] = 0  # a camera driver overwrites its buffer

    given = []
    for number, result in Perception(engine).stream(frames(), wanted=USUAL):
        assert number == len(given)
        assert len(taken) == min(number + 2, len(images)), 'the next frame has started'
        given.append(contents(result))
    for got, expected in zip(given, want, strict=True):
        assert_same(got, expected)


def test_without_a_device_a_stream_runs_frame_by_frame(model):
    plain = Perception(Engine(model, EngineOptions(provider='cpu')))
    taken = []
    frames = ((taken.append(seed) or random_image(seed), None, seed) for seed in range(3))
    for number, _ in plain.stream(frames, wanted=USUAL):
        assert taken[-1] == number
    with pytest.raises(ModelError, match='without a device'):
        plain.engine.start(random_image(), frozenset({'labels'}))


def test_the_frame_before_a_bad_one_is_still_returned(engine):
    frames = [(random_image(0), CAMERA, 'good'), (np.zeros((2, 2)), CAMERA, 'bad')]
    given = []
    with pytest.raises(ImageError):
        for item, _ in Perception(engine).stream(iter(frames), wanted=USUAL):
            given.append(item)
    assert given == ['good']


def test_a_frame_is_uploaded_once_and_only_wanted_results_are_downloaded(device, engine):
    perception = Perception(engine)
    pixels = HEIGHT * WIDTH
    sizes = {
        Output.MASK: pixels, Output.DEPTH: 4 * pixels, Output.POINTS: 16 * pixels,
        Output.CONFIDENCE: pixels, Output.NORMALS: 12 * pixels,
    }  # fmt: skip
    for wanted in (USUAL, *(frozenset({output}) for output in sizes)):
        perception.process(random_image(), CAMERA, wanted=wanted)
        device.up = device.down = 0
        perception.process(random_image(), CAMERA, wanted=wanted)
        assert device.up == 3 * pixels
        assert device.down == sum(sizes[output] for output in wanted)


def test_results_are_downloaded_into_message_buffers_without_new_allocations(device, engine):
    perception = Perception(engine)
    image = random_image(0, *LARGE)
    for _ in range(2):
        perception.process(image, CAMERA, wanted=USUAL)
    made, seen = len(device.blocks), set()
    for _ in range(2):
        result = perception.process(image, CAMERA, wanted=USUAL)
        for array in (result.labels, result.depth, result.cloud.data):
            assert backing_array(array) is not None
            assert array.ctypes.data in device.pinned
            seen.add(array.ctypes.data)
    assert len(device.blocks) == made
    assert len(seen) == 6, 'two frames may be in flight'


def test_the_rays_of_the_last_four_cameras_stay_on_the_device(device, engine):
    perception = Perception(engine)
    image, frame = random_image(), 3 * HEIGHT * WIDTH
    rays = 2 * 4 * HEIGHT * WIDTH
    perception.process(image, CAMERA, wanted=frozenset({Output.MASK}))
    uploads = []
    for fx in (21.0, 22.0, 23.0, 24.0, 21.0, 24.0, 25.0, 22.0):
        device.up = 0
        perception.process(image, replace(CAMERA, fx=fx), wanted=frozenset({Output.POINTS}))
        uploads.append(device.up - frame)
    assert uploads == [rays, rays, rays, rays, 0, 0, rays, rays]


def test_a_failing_device_raises_one_clear_error(device, engine):
    def fail() -> None:
        raise RuntimeError('an illegal address')

    perception = Perception(engine)
    perception.process(random_image(), CAMERA, wanted=USUAL)
    device.put(Queue.WORK, fail)
    with pytest.raises(ModelError, match='GPU failed while computing a frame: an illegal address'):
        perception.process(random_image(), CAMERA, wanted=USUAL)


@contextmanager
def failing_device() -> Iterator[None]:
    """Fail when the device is made current, as CUDA does after a failure."""
    raise RuntimeError('an illegal address')
    yield


def break_device(device: HostDevice, monkeypatch, operation: str, kind: type[Exception]) -> None:
    def fail(*arguments) -> None:
        raise kind('an illegal address')

    broken = failing_device if operation == 'current' else fail
    monkeypatch.setattr(device, operation, broken)


OPERATIONS = ('allocate', 'upload', 'copy', 'download', 'launch', 'order', 'record', 'current')
DEVICE_ERRORS = pytest.mark.parametrize('kind', [RuntimeError, MemoryError])
"""The base classes of CuPy's errors."""


@DEVICE_ERRORS
@pytest.mark.parametrize('operation', OPERATIONS)
def test_a_failure_of_any_operation_is_an_error_of_the_package(
    device, engine, monkeypatch, operation, kind
):
    perception = Perception(engine)
    perception.process(random_image(), CAMERA, wanted=ALL)
    break_device(device, monkeypatch, operation, kind)
    larger = random_image(0, 2 * HEIGHT, 2 * WIDTH)
    with pytest.raises(ModelError, match='an illegal address'):
        perception.process(larger, CAMERA, wanted=ALL)
    engine.close()


@DEVICE_ERRORS
@pytest.mark.parametrize('operation', OPERATIONS)
def test_a_device_that_fails_in_the_self_test_leaves_the_work_to_the_cpu(
    device, engine, monkeypatch, operation, kind
):
    engine.infer(random_image())
    break_device(device, monkeypatch, operation, kind)
    postprocessor, (warning,) = create_postprocessor(engine)
    assert isinstance(postprocessor, CpuPostprocessor)
    assert 'an illegal address' in warning


def test_a_kernel_that_cannot_be_compiled_gives_a_warning_and_the_cpu_is_used(
    engine, device, monkeypatch
):
    def refuse(source: Path, name: str) -> None:
        raise ProviderError(f'The CUDA kernel {name} cannot be compiled: no compiler.')

    monkeypatch.setattr(device, 'compile', refuse)
    postprocessor, warnings = create_postprocessor(engine)
    assert isinstance(postprocessor, CpuPostprocessor)
    assert warnings == (
        'Depth and cloud are computed on the CPU: The CUDA kernel postprocess cannot be '
        'compiled: no compiler.',
    )


@pytest.mark.parametrize(
    ('right', 'wrong', 'named'),
    [
        ('if (labels) labels[pixel] = label;', 'if (labels) labels[pixel] = label ^ 1;', 'labels'),
        ('meters <= max_depth', 'true', 'depth'),
        ('y_ray[at] * meters', 'x_ray[at] * meters', 'cloud'),
        ('color[2], color[1], color[0]', 'color[0], color[1], color[2]', 'cloud'),
        ('confidence[pixel] < min_confidence', 'confidence[pixel] <= min_confidence', 'labels'),
    ],
)
def test_a_wrong_kernel_is_found_before_the_first_frame(
    tmp_path, device, monkeypatch, right, wrong, named
):
    path = make_model(tmp_path / 'model.onnx', tasks=TASKS)
    source = tmp_path / 'wrong.cu'
    text = KERNEL_SOURCE.read_text(encoding='utf-8')
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), encoding='utf-8')
    compile_source = device.compile
    monkeypatch.setattr(device, 'compile', lambda _, name: compile_source(source, name))
    there = Perception(Engine(path, EngineOptions(provider='cpu'), device=device))
    (warning,) = there.warnings
    assert warning.startswith('Depth and cloud are computed on the CPU: in its self-test the GPU')
    assert f'values of {named}' in warning
    here = Perception(Engine(path, EngineOptions(provider='cpu')))
    image = random_image()
    want = contents(here.process(image, CAMERA, wanted=ALL))
    assert_same(contents(there.process(image, CAMERA, wanted=ALL)), want)


def test_a_kernel_that_fails_gives_a_warning_and_the_cpu_is_used(engine, device, monkeypatch):
    def fail(*arguments) -> None:
        raise RuntimeError('no kernel image is available')

    monkeypatch.setattr(device, 'launch', fail)
    postprocessor, (warning,) = create_postprocessor(engine)
    assert isinstance(postprocessor, CpuPostprocessor)
    assert 'no kernel image is available' in warning


@pytest.mark.parametrize('tasks', [TASKS, ('depth',), ('segmentation',)], ids='+'.join)
def test_the_right_kernel_agrees_with_the_cpu(tmp_path, device, tasks):
    path = make_model(tmp_path / 'model.onnx', tasks=tasks)
    engine = Engine(path, EngineOptions(provider='cpu'), device=device)
    postprocessor, warnings = create_postprocessor(engine)
    assert isinstance(postprocessor, CudaPostprocessor) and warnings == ()


@pytest.mark.gpu
@pytest.mark.parametrize('precision', ['float32', 'float16'])
@pytest.mark.parametrize('provider', ['cuda', 'tensorrt'])
def test_the_street_model_on_a_real_gpu_agrees_with_the_cpu(provider, precision):
    path = find_model('street.onnx')
    if precision not in PROVIDERS[provider].precisions:
        pytest.skip(f'{provider} has no {precision}')
    reason = PROVIDERS[provider].missing()
    if reason:
        pytest.skip(f'no GPU for this: {reason}')
    # A provider that is installed and gives wrong results raises an error here.
    engine = Engine(path, EngineOptions(provider=provider, precision=precision))
    assert engine.device, engine.warnings
    settings = PerceptionSettings(cloud_stride=2, max_depth=60.0)
    here, there = (
        Perception(Engine(path, EngineOptions('cpu')), settings),
        Perception(engine, settings),
    )
    assert there.warnings == (), 'the kernel agrees with the CPU bit for bit'
    height, width = engine.info.native_size
    images = [self_test_image(height, width), random_image(1, height, width)]
    camera = CAMERA.scaled(width, height)
    want = [contents(here.process(image, camera, wanted=ALL)) for image in images]
    frames = ((image, camera, number) for number, image in enumerate(images))
    for number, result in there.stream(frames, wanted=ALL):
        got, expected = contents(result), want[number]
        equal = np.mean(got['labels'] == expected['labels'])
        assert equal >= MIN_EQUAL_LABELS[precision]
        known = np.isfinite(got['depth']) & np.isfinite(expected['depth'])
        assert known.mean() >= MIN_EQUAL_LABELS[precision] * np.isfinite(expected['depth']).mean()
        error = np.abs(got['depth'] - expected['depth'])[known] / expected['depth'][known]
        assert np.median(error) < MAX_DEPTH_ERROR[precision]
