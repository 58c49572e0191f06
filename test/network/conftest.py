"""Checkpoints and model files that the tests of ``network`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hydranet_ros.network.export import ExportReport


@pytest.fixture(scope='session')
def official_checkpoint(tmp_path_factory) -> Path:
    """Return a checkpoint of the official layout with six classes and depth."""
    pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')
    from network_tools import save_official

    return save_official(tmp_path_factory.mktemp('official') / 'official.ckpt')


@pytest.fixture(scope='session')
def exported(official_checkpoint: Path, tmp_path_factory) -> ExportReport:
    """Return the report of that checkpoint's export."""
    pytest.importorskip('onnx', reason='onnx is not installed (extra: train)')
    from network_tools import small_preset

    from hydranet_ros.network.export import export_checkpoint

    folder = tmp_path_factory.mktemp('exported')
    preset = small_preset(folder, 'street')
    return export_checkpoint(
        official_checkpoint, preset, folder / 'model.onnx', log=lambda text: None
    )
