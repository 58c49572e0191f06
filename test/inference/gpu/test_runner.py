"""Frames on a device in host memory: in order, two in flight, results in their own arrays."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.errors import ImageError, MissingDependencyError, ModelError, ProviderError
from hydranet_ros.inference.engine import Engine, EngineOptions
from hydranet_ros.inference.gpu.cuda import CudaDevice
from hydranet_ros.inference.gpu.device import Queue
from hydranet_ros.inference.gpu.session import DeviceSession

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
