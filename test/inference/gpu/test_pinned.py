"""Page-locked arrays: which pages are locked, and for how long."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from hydranet_ros.camera.model import CameraModel
from hydranet_ros.errors import ModelError
from hydranet_ros.inference.engine import Engine
from hydranet_ros.perception.outputs import Output
from hydranet_ros.perception.pipeline import Perception

LARGE = (256, 300)
CAMERA = CameraModel(37, 23, 130.0, 100.0, 17.0, 11.0)
ALL = frozenset(Output)
USUAL = frozenset({Output.MASK, Output.DEPTH, Output.POINTS})


def random_image(seed: int = 0, height: int = 23, width: int = 37) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_locked_pages_belong_to_one_array_and_are_released(device, engine):
    perception = Perception(engine)
    for size in (LARGE, LARGE, LARGE[::-1], LARGE[::-1]):
        message = perception.process(random_image(0, *size), CAMERA, wanted=ALL).cloud.data
    locked = [
        (start // mmap.PAGESIZE, (start + size - 1) // mmap.PAGESIZE)
        for start, size in sorted(device.pinned.items())
    ]
    assert locked and all(one[1] < other[0] for one, other in zip(locked, locked[1:]))
    engine.close()
    del perception
    assert set(device.pinned) == {message.ctypes.data}, 'a message still refers to its memory'
    del message
    assert device.pinned == {}
    with pytest.raises(ModelError, match='closed'):
        engine.infer(random_image())


def test_pages_that_cannot_be_locked_are_logged_once_and_results_stay_equal(
    model, device, engine, caplog
):
    device.pages_can_be_locked = False
    image = random_image(0, *LARGE)
    want = Perception(Engine(model)).process(image, CAMERA, wanted=USUAL)
    found = Perception(engine).process(image, CAMERA, wanted=USUAL)
    assert found.labels.tobytes() == want.labels.tobytes()
    assert found.cloud.data.tobytes() == want.cloud.data.tobytes()
    assert len([r for r in caplog.records if 'cannot be locked' in r.message]) == 1


def test_pages_that_cannot_be_unlocked_are_not_an_error(device, engine, monkeypatch, capsys):
    def fail(address: int) -> None:
        raise RuntimeError('an illegal address')

    Perception(engine).process(random_image(0, *LARGE), CAMERA, wanted=USUAL)
    assert device.pinned
    monkeypatch.setattr(device, 'unpin', fail)
    engine.close()
    assert capsys.readouterr().err == ''
