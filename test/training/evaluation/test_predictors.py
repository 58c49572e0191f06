"""Models that evaluation measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation_tools import write_checkpoint, write_set
from model_factory import FOCAL_LENGTH, expected_depth, expected_labels, model_info

from hydranet_ros.errors import CheckpointError, ModelError
from hydranet_ros.files import sha256_of
from hydranet_ros.model_files.preset import load_classes
from hydranet_ros.network.checkpoints import load_checkpoint, weights_digest
from hydranet_ros.training.evaluation.predictors import load_model
from hydranet_ros.training.evaluation.run import CLEAR, EvalOptions, evaluate

BOTH = ('segmentation', 'depth')


def test_an_exported_model_has_its_own_classes_camera_and_facts(tiny_model: Path) -> None:
    model = load_model(str(tiny_model))
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    found = {name: value.copy() for name, value in model.predict(image).items()}
    model.close()
    assert (found['labels'] == expected_labels(image)).all()
    np.testing.assert_allclose(found['depth'], expected_depth(image), rtol=1e-6)
    assert set(found) == {'labels', 'depth'}
    assert [item.name for item in model.classes] == ['sky', 'building', 'road']
    assert (model.focal_length, model.depth_range) == (FOCAL_LENGTH, (0.0, 80.0))
    assert model.facts['kind'] == 'exported'
    assert model.facts['sha256'] == sha256_of(tiny_model)


def test_an_exported_model_takes_no_preset(tiny_model: Path) -> None:
    for options in ({'preset': 'kitti'}, {'domain': 'nyud'}):
        with pytest.raises(ModelError, match='contains its own classes'):
            load_model(str(tiny_model), **options)


def test_a_checkpoint_is_measured_with_the_classes_of_a_preset(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / 'a.ckpt', 6, BOTH)
    model = load_model(str(path))
    assert model.classes == load_classes('kitti6')
    assert model.tasks == BOTH
    assert model.facts['preset'] == 'kitti'
    assert model.facts['weights_sha256'] == weights_digest(load_checkpoint(path).network())
    assert load_model(str(path), preset='street').facts['preset'] == 'street'


def test_a_checkpoint_without_segmentation_has_no_classes(tmp_path: Path) -> None:
    model = load_model(str(write_checkpoint(tmp_path / 'depth.ckpt', 6, ['depth'])))
    assert model.classes == ()
    assert set(model.predict(np.zeros((32, 32, 3), np.uint8))) == {'depth'}


def test_a_joint_model_is_measured_on_the_domain_of_the_data(tmp_path: Path) -> None:
    """Its first class beats all others; it is not among the last six, KITTI's."""
    path = write_checkpoint(tmp_path / 'joint.ckpt', 46, BOTH, std=1.0, bias=1e4)
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    kitti, nyud = (
        load_model(str(path), classes=load_classes(name)) for name in ('kitti6', 'nyud40')
    )
    assert (kitti.facts['domain'], len(kitti.classes)) == ('kitti', 6)
    assert (nyud.facts['domain'], len(nyud.classes)) == ('nyud', 40)
    assert (kitti.focal_length, nyud.focal_length) == (721.5377, 518.8579)
    assert set(np.unique(nyud.predict(image)['labels'])) == {0}
    assert len(np.unique(kitti.predict(image)['labels'])) > 1
    assert kitti.predict(image)['labels'].max() < 6
    chosen = load_model(str(path), domain='nyud', classes=load_classes('kitti6'))
    assert chosen.facts['domain'] == 'nyud'


def test_a_checkpoint_that_fits_no_preset_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / 'odd.ckpt', 5, BOTH)
    with pytest.raises(ModelError, match='5 classes.*--preset'):
        load_model(str(path))
    with pytest.raises(CheckpointError, match="5 classes; preset 'kitti' needs 6 classes"):
        load_model(str(path), preset='kitti')


@pytest.mark.slow
def test_a_checkpoint_and_its_export_have_the_same_metrics(tmp_path: Path, images) -> None:
    """PyTorch and the node's engine agree to 0.1 % on the same images."""
    from hydranet_ros.network.export import write_graph
    from hydranet_ros.network.export_module import ExportModule

    checkpoint = write_checkpoint(tmp_path / 'model.ckpt', 6, BOTH, std=1.0, bias=1e4)
    exported = tmp_path / 'model.onnx'
    deployed = ExportModule(load_checkpoint(checkpoint).network()).eval()
    facts = model_info(classes=load_classes('kitti6'), training_focal_length=721.5377)
    write_graph(deployed, exported, (48, 64), facts)
    source = write_set(
        tmp_path / 'set', images[:3], labels=lambda i, x: expected_labels(x),
        depth=lambda i, x: expected_depth(x),
    )  # fmt: skip
    found = [
        evaluate(str(path), [source], EvalOptions()).results[0].metrics()[CLEAR]
        for path in (checkpoint, exported)
    ]
    for group in ('segmentation', 'depth_pooled', 'depth_per_image'):
        assert found[0][group] == pytest.approx(found[1][group], rel=1e-3)
