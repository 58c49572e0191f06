"""The small models of the tests compute what their self-tests expect."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_factory import make_model

from hydranet_ros.inference.engine import Engine, EngineOptions

TASKS = ('segmentation', 'depth', 'normals')


@pytest.mark.parametrize('native_size', [(48, 64), (480, 640)])
def test_a_test_model_passes_its_own_self_test(tmp_path: Path, native_size):
    path = make_model(tmp_path / 'all.onnx', tasks=TASKS, native_size=native_size)
    engine = Engine(path, EngineOptions(provider='cpu'))
    test = engine.info.self_test
    assert test is not None
    names = frozenset(('labels', 'confidence', 'depth', 'normals'))
    found = {k: v for k, v in vars(engine.infer(test.image(), names)).items() if v is not None}
    assert set(found) == names
    deviation = test.compare(found, 'float32')
    assert deviation.accepted and max(deviation.metrics.values()) < 1e-6, str(deviation)


def test_a_model_without_self_test_has_metadata_of_format_1(tmp_path: Path):
    info = Engine(make_model(tmp_path / 'old.onnx', self_test=False)).info
    assert (info.format_version, info.form, info.self_test) == (1, 'portable', None)
