"""Opening of models for evaluation and distillation."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluation_tools import write_checkpoint

from hydranet_ros.errors import CheckpointError, ModelError, PresetError
from hydranet_ros.model_files.preset import Preset, load_classes
from hydranet_ros.training.open_model import is_exported, open_checkpoint, open_engine


@pytest.fixture(scope='module')
def joint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('joint')
    return write_checkpoint(folder / 'joint.ckpt', 46, ('segmentation', 'depth'))


def test_the_file_name_decides_between_exported_models_and_checkpoints() -> None:
    assert is_exported('street.onnx') and is_exported(Path('a/STREET.ONNX'))
    assert not is_exported('street.ckpt') and not is_exported('onnx')


@pytest.mark.parametrize(('classes', 'domain'), [
    ('kitti6', 'kitti'), ('nyud40', 'nyud'), (None, Preset.load('nyud_kitti').domain),
])  # fmt: skip
def test_the_domain_follows_the_classes_of_the_data(joint: Path, classes, domain: str) -> None:
    opened = open_checkpoint(joint, classes=load_classes(classes) if classes else ())
    assert (opened.preset, opened.domain) == ('nyud_kitti', domain)
    assert opened.facts == Preset.load('nyud_kitti').model(domain).export
    first, end = opened.channels
    assert end - first == len(opened.facts.classes)


def test_the_preset_follows_the_number_of_classes(teacher_checkpoint: Path) -> None:
    opened = open_checkpoint(teacher_checkpoint)
    assert (opened.preset, opened.channels) == ('kitti', (0, 6))
    assert opened.tasks == ('segmentation', 'depth')
    assert not opened.network.training
    assert open_checkpoint(teacher_checkpoint, 'street').preset == 'street'


def test_a_number_of_classes_without_a_preset_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / 'odd.ckpt', 5, ['segmentation'])
    with pytest.raises(ModelError, match='5 classes; the presets of the paper have 6, 40, 46'):
        open_checkpoint(path)


def test_a_preset_that_does_not_fit_is_refused(joint: Path, teacher_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="46 classes; preset 'kitti' needs 6 classes"):
        open_checkpoint(joint, 'kitti')
    with pytest.raises(CheckpointError, match='needs at least 46 classes'):
        open_checkpoint(teacher_checkpoint, 'nyud_kitti', 'kitti')
    with pytest.raises(PresetError, match='no domain'):
        open_checkpoint(joint, 'nyud_kitti', 'mars')


def test_an_engine_reports_why_a_better_provider_is_not_used(tiny_model: Path, caplog) -> None:
    engine = open_engine(tiny_model, 'cpu', 1)
    assert (engine.provider, engine.options.threads) == ('cpu', 1)
    assert [record.getMessage() for record in caplog.records] == list(engine.warnings)
    engine.close()
