"""Teachers: checkpoints, exported models, and other ONNX models behind one interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from distil_tools import rgb
from evaluation_tools import write_checkpoint
from model_factory import FOCAL_LENGTH, expected_depth, expected_labels, make_model
from onnx_factory import describe, make_onnx

from hydranet_ros.errors import CheckpointError, TrainingError
from hydranet_ros.files import sha256_of
from hydranet_ros.model_files.preset import Preset
from hydranet_ros.training.evaluation.predictors import load_model
from hydranet_ros.training.teachers import (
    CheckpointTeacher,
    EngineTeacher,
    OnnxTeacher,
    open_teacher,
)

BOTH = frozenset({'labels', 'depth'})


def test_a_checkpoint_has_the_classes_and_camera_of_the_preset(teacher_checkpoint: Path) -> None:
    teacher = open_teacher(teacher_checkpoint)
    facts = Preset.load('street').model().export
    assert isinstance(teacher, CheckpointTeacher)
    assert teacher.facts.table == facts.classes
    assert teacher.facts.focal_length == facts.focal_length
    assert teacher.facts.tasks == BOTH
    assert teacher.facts.sha256 == sha256_of(teacher_checkpoint)


def test_a_checkpoint_predicts_what_evaluation_measures(teacher_checkpoint: Path, unlabeled: Path):
    """Both resize logits before they decide."""
    image = rgb(unlabeled / 'images/000.jpg')
    found = open_teacher(teacher_checkpoint).predict(image, image.shape[:2], BOTH)
    expected = load_model(str(teacher_checkpoint), preset='street').predict(image)
    assert (found.probabilities.argmax(0) == expected['labels']).mean() > 0.999
    np.testing.assert_allclose(found.probabilities.sum(0), 1, rtol=1e-5)
    np.testing.assert_allclose(found.depth, expected['depth'], rtol=1e-3, atol=1e-3)


def test_a_joint_checkpoint_predicts_the_classes_of_its_domain(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / 'joint.ckpt', 46, ('segmentation', 'depth'), scale=40)
    teacher = open_teacher(path, preset='nyud_kitti', domain='nyud')
    found = teacher.predict(np.zeros((32, 32, 3), np.uint8), (32, 32), {'labels'})
    assert found.probabilities.shape == (40, 32, 32)
    assert teacher.facts.classes[:2] == ('wall', 'floor')


def test_a_checkpoint_of_other_classes_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / 'nyud.ckpt', 40, ['segmentation'])
    with pytest.raises(CheckpointError, match='40 classes.*--preset'):
        open_teacher(path)
    assert open_teacher(path, preset='nyud').facts.classes[:2] == ('wall', 'floor')


def test_an_exported_model_has_its_own_classes_and_camera(tiny_model: Path, unlabeled: Path):
    teacher = open_teacher(tiny_model)
    assert isinstance(teacher, EngineTeacher)
    assert teacher.facts.classes == ('sky', 'building', 'road')
    assert teacher.facts.focal_length == FOCAL_LENGTH
    image = rgb(unlabeled / 'images/000.jpg')
    found = teacher.predict(image, image.shape[:2], BOTH)
    teacher.close()
    assert (found.labels == expected_labels(image)).all()
    np.testing.assert_allclose(found.confidence, image[..., 1] / 255, rtol=1e-6)
    np.testing.assert_allclose(found.depth, expected_depth(image), rtol=1e-5)


def test_a_prediction_survives_the_next_one(tiny_model: Path, unlabeled: Path) -> None:
    """The engine reuses its buffers."""
    teacher = open_teacher(tiny_model)
    image = rgb(unlabeled / 'images/000.jpg')
    first = teacher.predict(image, image.shape[:2], BOTH)
    kept = [array.copy() for array in (first.labels, first.confidence, first.depth)]
    teacher.predict(255 - image, image.shape[:2], BOTH)
    for array, before in zip((first.labels, first.confidence, first.depth), kept):
        assert (array == before).all()


@pytest.mark.parametrize('tasks', [{'labels'}, {'depth'}])
def test_only_requested_tasks_are_predicted(
    teacher_checkpoint: Path, tiny_model: Path, tasks: set[str]
) -> None:
    image = np.zeros((32, 40, 3), np.uint8)
    for path in (teacher_checkpoint, tiny_model):
        found = open_teacher(path).predict(image, (16, 20), tasks)
        has_labels = found.probabilities is not None or found.labels is not None
        assert has_labels == ('labels' in tasks)
        assert (found.depth is not None) == ('depth' in tasks)


def test_another_onnx_model_is_opened_with_the_description_beside_it(tmp_path: Path) -> None:
    model = make_onnx(tmp_path / 'other.onnx')
    with pytest.raises(TrainingError, match=r'other\.yaml does not exist.*--describe FILE'):
        open_teacher(model)
    describe(tmp_path / 'other.yaml', labels=None)
    teacher = open_teacher(model)
    assert isinstance(teacher, OnnxTeacher)
    assert teacher.facts.tasks == {'depth'}
    assert teacher.facts.details['depth']['kind'] == 'inverse'


def test_a_named_description_has_priority_over_metadata(tmp_path: Path) -> None:
    model = make_model(tmp_path / 'model.onnx', tasks=('segmentation',))
    description = tmp_path / 'named.yaml'
    description.write_text('labels: {output: labels, kind: ids}\ninput: {layout: NHWC}')
    teacher = open_teacher(model, description=description)
    assert isinstance(teacher, OnnxTeacher)
    image = np.full((32, 40, 3), 200, np.uint8)
    assert (teacher.predict(image, (32, 40), {'labels'}).labels == expected_labels(image)).all()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r'a\.ckpt does not exist'):
        open_teacher(tmp_path / 'a.ckpt')
