"""An engine whose images and outputs are on a device in host memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from host_device import HostDevice, make_host_device
from model_factory import make_model

from hydranet_ros.inference.engine import Engine, EngineOptions


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = ('segmentation', 'depth', 'normals')
    return make_model(tmp_path_factory.mktemp('models') / 'all.onnx', tasks=tasks)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> HostDevice:
    return make_host_device(monkeypatch)


@pytest.fixture
def engine(model: Path, device: HostDevice) -> Engine:
    return Engine(model, EngineOptions(provider='cpu'), device=device)
