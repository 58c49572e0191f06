"""Frames on a device in host memory: in order, two in flight, results in their own arrays."""

from __future__ import annotations

import numpy as np
import pytest
from host_device import make_host_device

from hydranet_ros.errors import ImageError, MissingDependencyError, ModelError, ProviderError
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.gpu.cuda import CudaDevice, import_problem
from hydranet_ros.inference.gpu.device import Queue
from hydranet_ros.inference.gpu.session import DeviceSession
from hydranet_ros.inference.onnx_providers import OnnxProvider

HEIGHT, WIDTH = 23, 37
LABELS = frozenset({'labels'})


def random_image(seed: int = 0, height: int = 23, width: int = 37) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_infer_on_a_device_returns_the_raw_outputs_of_the_cpu(model, engine):
    plain = Engine(model, EngineOptions(provider='cpu'))
    for size in ((HEIGHT, WIDTH), (1, 1), (40, 9)):
        image = random_image(3, *size)
        want, got = plain.infer(image, plain.outputs), engine.infer(image, engine.outputs)
        for name in sorted(plain.outputs):
            np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    assert engine.infer(random_image(), frozenset()).labels is None
    with pytest.raises(ImageError, match='expected'):
        engine.infer(np.zeros((4, 5), np.uint8))


def test_a_network_without_a_cuda_graph_still_runs(model, device, monkeypatch):
    told: list[str] = []
    warm_up = DeviceSession.warm_up
    calls = []

    def refuse_once(session, device):
        calls.append(session)
        if len(calls) == 1:
            raise RuntimeError('a node is not on the GPU')
        warm_up(session, device)

    monkeypatch.setattr(DeviceSession, 'warm_up', refuse_once)
    engine = Engine(model, EngineOptions(provider='cpu'), report=told.append, device=device)
    assert engine.infer(random_image()).labels is not None
    assert told == ['all.onnx runs without a CUDA graph: a node is not on the GPU.']
    assert engine.infer(random_image(0, 8, 8)).labels is not None
    assert len(told) == 1 and len(calls) == 4, 'one at the start, refused and repeated'
    assert device.work == 1, 'a failed capture leaves the stream capturing'


def test_a_session_without_a_graph_gets_the_new_stream(model, device, monkeypatch):
    streams = []
    opened = OnnxProvider.runtime_session
    warm_up = DeviceSession.warm_up

    def record(provider, request, placement=None):
        if placement is not None:
            streams.append((placement.stream, placement.graph))
        return opened(provider, request, placement)

    def refuse_a_graph(session, device):
        if streams[-1][1]:
            raise RuntimeError('a node is not on the GPU')
        warm_up(session, device)

    monkeypatch.setattr(OnnxProvider, 'runtime_session', record)
    monkeypatch.setattr(DeviceSession, 'warm_up', refuse_a_graph)
    Engine(model, EngineOptions(provider='cpu'), report=print, device=device)
    assert streams == [(0, True), (1, False)]


def test_a_gpu_that_cupy_cannot_use_gives_a_warning_and_the_cpu_is_used(model):
    try:
        CudaDevice()
    except (MissingDependencyError, ProviderError) as err:
        reason = str(err)
    else:
        pytest.skip('there is a GPU that CuPy can use')
    engine = Engine(model, EngineOptions(provider='cpu'))
    assert engine._find_device() is None
    assert reason in engine.warnings[-1] and 'computed on the CPU' in engine.warnings[-1]


def fetch(engine: Engine, image: np.ndarray):
    frame = engine.start(image, LABELS)
    frame.take('labels')
    return frame.fetch()


def test_two_frames_in_flight_have_arrays_of_their_own(engine, model):
    plain = Engine(model, EngineOptions(provider='cpu'))
    images = [random_image(seed) for seed in range(2)]
    pending = [fetch(engine, image) for image in images]
    for image, results in zip(images, pending):
        want = plain.infer(image, LABELS).labels
        np.testing.assert_array_equal(results.wait()['labels'], want)


def test_the_third_frame_waits_for_the_first_and_reuses_its_arrays(engine):
    first = fetch(engine, random_image(0)).wait()['labels']
    fetch(engine, random_image(1))
    third = fetch(engine, random_image(2)).wait()['labels']
    assert np.shares_memory(first, third)


def test_the_image_may_change_after_the_start(engine, model):
    image = random_image(5)
    want = Engine(model, EngineOptions(provider='cpu')).infer(image.copy(), LABELS).labels
    pending = fetch(engine, image)
    image[:] = 0
    np.testing.assert_array_equal(pending.wait()['labels'], want)


def test_only_reserved_results_are_downloaded(device, engine):
    fetch(engine, random_image()).wait()
    device.up = device.down = 0
    fetch(engine, random_image()).wait()
    assert (device.up, device.down) == (3 * HEIGHT * WIDTH, HEIGHT * WIDTH)


def test_an_unreserved_result_has_no_block(engine):
    frame = engine.start(random_image(), LABELS)
    assert frame.reserved('labels') is None
    block = frame.reserve('labels', (HEIGHT, WIDTH), np.uint8)
    assert frame.reserved('labels') is block
    assert frame.size == (HEIGHT, WIDTH)


def test_a_failure_of_the_device_is_reported_by_wait(device, engine):
    def fail() -> None:
        raise RuntimeError('an illegal address')

    fetch(engine, random_image()).wait()
    device.put(Queue.WORK, fail)
    with pytest.raises(ModelError, match='GPU failed while computing a frame: an illegal address'):
        fetch(engine, random_image()).wait()


def test_closing_waits_for_the_frames_in_flight(device, engine):
    done = []
    fetch(engine, random_image())
    device.put(Queue.DOWN, lambda: done.append(1))
    fetch(engine, random_image())
    engine.close()
    assert done == [1]


def test_a_refused_graph_of_a_second_size_leaves_no_session_on_the_old_stream(
    model, device, monkeypatch
):
    engine = Engine(model, EngineOptions(provider='cpu'), report=print, device=device)
    plain = Engine(model, EngineOptions(provider='cpu'))
    first, second = random_image(1), random_image(2, 9, 8)
    engine.infer(first)
    warm_up = DeviceSession.warm_up
    made = []

    def refuse_once(session, device):
        made.append(session)
        if len(made) == 1:
            raise RuntimeError('capture failed')
        warm_up(session, device)

    monkeypatch.setattr(DeviceSession, 'warm_up', refuse_once)
    for image in (second, first):
        got = engine.infer(image).labels.copy()
        np.testing.assert_array_equal(got, plain.infer(image).labels)
    assert len(made) == 3, 'the first size has a new session too'


def test_an_engine_can_be_closed_after_a_failure_of_the_device(
    device, engine, model, caplog, monkeypatch
):
    def fail() -> None:
        raise RuntimeError('an illegal address')

    fetch(engine, random_image())
    device.put(Queue.DOWN, fail)
    fetch(engine, random_image())
    engine.close()
    (record,) = caplog.records
    assert 'Frames in flight are lost: The GPU failed' in record.getMessage()
    monkeypatch.undo()  # the network runs in the queue of the new device
    again = Engine(model, EngineOptions(provider='cpu'), device=make_host_device(monkeypatch))
    assert again.infer(random_image()).labels is not None


def test_a_cupy_for_another_numpy_is_named_with_the_remedy():
    err = ImportError('numpy.core.multiarray failed to import')
    text = import_problem(err, '1.26.4', 'cupy-cuda12x', '14.0.1')
    assert text.startswith('CuPy 14.0.1 needs NumPy 2, and NumPy 1.26.4 is installed')
    assert "'cupy-cuda12x<14'" in text
    assert 'is not installed' in import_problem(err, '1.26.4', 'cupy', '')
    assert 'multiarray' in import_problem(err, '2.1.0', 'cupy', '14.0.1')
