"""Test-time augmentation: versions of an image, merged into one prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from distil_tools import HEIGHT, WIDTH, rgb, write_images

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.teachers import TeacherFacts, TeacherPrediction, open_teacher
from hydranet_ros.training.test_time_augmentation import (
    ClassVotes,
    TestTimeAugmentation,
    class_mapping,
    merge_depths,
    pseudo_label,
)


@pytest.fixture(scope='module')
def image(tmp_path_factory) -> np.ndarray:
    """Return an image that equals its mirror image."""
    folder = write_images(tmp_path_factory.mktemp('set') / 'data', 1, symmetric=True)
    found = rgb(folder / 'images/000.jpg')
    return np.concatenate([found[:, : WIDTH // 2], found[:, WIDTH // 2 - 1 :: -1]], 1)


def test_a_symmetric_image_gets_symmetric_predictions_with_flip(teacher_checkpoint: Path, image):
    teacher = open_teacher(teacher_checkpoint)
    classes = class_mapping(teacher.facts, None)

    def predict(flip: bool):
        augmentation = TestTimeAugmentation(flip=flip, scales=(1, 1.5))
        return pseudo_label(teacher, image, {'labels', 'depth'}, augmentation, classes=classes)

    both, once = predict(True), predict(False)
    assert len(np.unique(both.labels)) > 1
    assert (both.labels == both.labels[:, ::-1]).all()
    np.testing.assert_allclose(both.depth, both.depth[:, ::-1], rtol=1e-4, atol=1e-4)
    assert (once.labels != once.labels[:, ::-1]).any(), 'the network itself is not symmetric'
    assert np.abs(once.depth - once.depth[:, ::-1]).max() > 1e-2


def test_probabilities_are_averaged(teacher_checkpoint: Path, image) -> None:
    teacher = open_teacher(teacher_checkpoint)
    image = np.roll(image, 9, 1)
    one = teacher.predict(image, (HEIGHT, WIDTH), {'labels'}).probabilities
    other = teacher.predict(np.ascontiguousarray(image[:, ::-1]), (HEIGHT, WIDTH), {'labels'})
    mean = (one + other.probabilities[..., ::-1]) / 2
    found = pseudo_label(teacher, image, {'labels'}, TestTimeAugmentation(flip=True),
                         classes=class_mapping(teacher.facts, None))  # fmt: skip
    assert (found.labels == mean.argmax(0)).all()
    np.testing.assert_allclose(found.confidence, mean.max(0), rtol=1e-4)
    assert found.depth is None


def test_labels_vote_with_their_confidence() -> None:
    facts = TeacherFacts('t', '', frozenset({'labels'}), ('a', 'b'), ('a', 'b'))
    votes = ClassVotes(class_mapping(facts, None), (1, 3))
    votes.add(labels([[0, 0, 1]], [[0.5, 0.9, 0.2]]))
    votes.add(labels([[1, 1, 1]], [[0.6, 0.3, 0.4]]))
    found, support = votes.result()
    assert found.tolist() == [[1, 0, 1]]
    np.testing.assert_allclose(support, [[0.3, 0.45, 0.3]], rtol=1e-6)


def labels(ids: list, confidence: list) -> TeacherPrediction:
    return TeacherPrediction(
        labels=np.array(ids, np.uint8), confidence=np.array(confidence, np.float32)
    )


# --- depth ---------------------------------------------------------------------------------------


class ConstantTeacher:
    """A teacher that predicts one distance, nearer the more the image is enlarged."""

    def __init__(self, meters: float, width: int, focal_length: float, scale: float = 1.0) -> None:
        self.facts = TeacherFacts('camera', '', frozenset({'depth'}), focal_length=focal_length)
        self._meters, self._width, self._scale = meters, width, scale

    def input_scale(self, size: tuple[int, int]) -> float:
        return self._scale

    def predict(
        self, image: np.ndarray, size: tuple[int, int], tasks: object
    ) -> TeacherPrediction:
        nearer = self._width / image.shape[1]
        return TeacherPrediction(depth=np.full(size, self._meters * nearer, np.float32))


@pytest.mark.parametrize('merge', ['median', 'mean'])
@pytest.mark.parametrize(('focal_length', 'meters'), [(100, 7), (250, 17.5), (0, 7)])
def test_depth_is_scaled_to_the_images_camera(merge: str, focal_length: float, meters: float):
    image = np.zeros((40, 80, 3), np.uint8)
    augmentation = TestTimeAugmentation(True, (0.5, 1, 2), merge)
    teacher = ConstantTeacher(7, 80, 100)
    found = pseudo_label(teacher, image, {'depth'}, augmentation, focal_length=focal_length)
    np.testing.assert_allclose(found.depth, meters, rtol=1e-6)


@pytest.mark.parametrize(('trained', 'meters'), [(100, 14), (0, 7)])
def test_a_fixed_input_size_counts_only_for_a_known_camera(trained: float, meters: float):
    """The network sees the image at twice its size."""
    image = np.zeros((40, 80, 3), np.uint8)
    teacher = ConstantTeacher(7, 80, trained, scale=2.0)
    found = pseudo_label(teacher, image, {'depth'}, TestTimeAugmentation(), focal_length=100)
    np.testing.assert_allclose(found.depth, meters, rtol=1e-6)


@pytest.mark.parametrize(('method', 'expected'), [('median', 6.0), ('mean', 10.0)])
def test_unknown_depths_are_left_out_of_the_merge(method: str, expected: float) -> None:
    depths = [np.full((1, 1), value, np.float32) for value in (np.nan, 4, 0, 6, np.inf, 20)]
    assert merge_depths(depths, method) == expected


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two() -> None:
    depths = [np.full((1, 1), value, np.float32) for value in (9, 1, 3, 5)]
    assert merge_depths(depths, 'median') == 4


@pytest.mark.parametrize('method', ['median', 'mean'])
@pytest.mark.parametrize('count', [1, 2, 5])
def test_a_pixel_without_any_known_depth_is_0(method: str, count: int) -> None:
    depths = [np.array([[np.nan, 2.0]], np.float32)] * count
    assert merge_depths(depths, method).tolist() == [[0, 2]]


# --- classes -------------------------------------------------------------------------------------


def test_a_class_without_a_target_wins_only_alone() -> None:
    """Merged classes add up; each class without a target stands for itself."""
    facts = TeacherFacts('t', '', frozenset({'labels'}), tuple('abcde'))
    votes = ClassVotes(class_mapping(facts, load_class_map('camvid_kitti6')), (1, 3))
    # CamVid: 0 sky, 1 building, 2 pole, 3 road, 4 pavement; the pole has no target.
    probabilities = np.zeros((12, 1, 3), np.float32)
    probabilities[[2, 6, 3], 0, 0] = (0.35, 0.25, 0.4)
    probabilities[[2, 3], 0, 1] = (0.6, 0.4)
    probabilities[[1, 0], 0, 2] = (0.7, 0.3)
    votes.add(TeacherPrediction(probabilities))
    found, support = votes.result()
    assert found.tolist() == [[2, 255, 1]]
    np.testing.assert_allclose(support, [[0.4, 0.6, 0.7]])


def test_merged_classes_add_up() -> None:
    facts = TeacherFacts('t', '', frozenset({'labels'}), ())
    mapping = class_mapping(facts, load_class_map('cityscapes19_kitti6', ('terrain',)))
    votes = ClassVotes(mapping, (1, 1))
    probabilities = np.zeros((19, 1, 1), np.float32)
    probabilities[[0, 8, 9], 0, 0] = (0.4, 0.3, 0.3)
    votes.add(TeacherPrediction(probabilities))
    found, support = votes.result()
    assert found.tolist() == [[4]]
    assert support[0, 0] == pytest.approx(0.6)


def test_a_teacher_without_a_class_table_needs_a_class_map() -> None:
    facts = TeacherFacts('t.onnx', '', frozenset({'labels'}), ('a',))
    with pytest.raises(TrainingError, match=r't\.onnx has no class table.*--classes'):
        class_mapping(facts, None)


@pytest.mark.parametrize(('augmentation', 'message'), [
    ({'scales': (0,)}, r'0\.1\.\.10'),
    ({'scales': ()}, r'0\.1\.\.10'),
    ({'scales': (1, 1)}, 'each scale once'),
    ({'depth_merge': 'max'}, 'allowed: median, mean'),
])  # fmt: skip
def test_options_that_are_not_allowed_are_refused(augmentation: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        TestTimeAugmentation(**augmentation)
