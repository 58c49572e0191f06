"""
Pseudo-labels of a teacher with test-time augmentation: mirrored, resized, merged.

Probabilities are averaged; a teacher that only predicts labels votes with its confidence. Classes
are mapped to those of the target. Depth is scaled to the image's own camera: an object in an
image enlarged s times looks s times nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.data.class_map import ClassMap
from hydranet_ros.training.resizing import resize_image
from hydranet_ros.training.teachers import Teacher, TeacherFacts, TeacherPrediction

DEPTH_MERGES = ('median', 'mean')
_NOT_IN_MAP = -1


@dataclass(frozen=True)
class TestTimeAugmentation:
    """
    The versions of an image that a teacher predicts.

    :param flip: also predict the mirror image.
    :param scales: sizes relative to the image.
    :param depth_merge: ``median`` or ``mean`` of the depths.
    :raises TrainingError: if a value is not allowed.
    """

    __test__ = False  # not a test class of pytest

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    depth_merge: str = 'median'

    def __post_init__(self) -> None:
        if not self.scales or not all(0.1 <= scale <= 10 for scale in self.scales):
            raise TrainingError(f'scales are {self.scales}; allowed: one or more of 0.1..10.')
        if len(set(self.scales)) != len(self.scales):
            raise TrainingError(f'scales are {self.scales}; name each scale once.')
        if self.depth_merge not in DEPTH_MERGES:
            raise TrainingError(
                f'depth_merge is {self.depth_merge!r}; allowed: {", ".join(DEPTH_MERGES)}.'
            )


@dataclass(frozen=True, eq=False)
class ClassMapping:
    """
    A mapping from a teacher's class ids to those of the target.

    :param count: number of target classes.
    :param ids: (256,) int16 target ids; 255 for a class without a target, -1 for an id that the
        class map does not contain.
    :param source: where the mapping comes from, for messages.
    """

    count: int
    ids: NDArray[np.int16]
    source: str

    def check(self, mapped: NDArray[np.int16], ids: NDArray) -> None:
        """
        Refuse ids that the class map does not contain.

        :param mapped: target ids of ``ids``.
        :raises TrainingError: naming the ids.
        """
        if (mapped == _NOT_IN_MAP).any():
            unknown = np.unique(ids[mapped == _NOT_IN_MAP]).tolist()
            raise TrainingError(
                f'The teacher predicts the class ids {unknown[:8]}, which {self.source} does not '
                'contain. Choose the class map that fits the teacher: --classes MAP.'
            )


def class_mapping(facts: TeacherFacts, class_map: ClassMap | None) -> ClassMapping:
    """
    Return the mapping of a teacher's classes.

    :param class_map: a map from the teacher's ids; ``None`` keeps the teacher's own class table.
    :raises TrainingError: if there is neither a class table nor a map, or the map does not
        contain all classes of the teacher.
    """
    if class_map is None:
        if not facts.table:
            raise TrainingError(
                f'{facts.file} has no class table. Name a class map, for example --classes '
                'cityscapes19_kitti6.'
            )
        ids = np.full(256, UNLABELED, np.int16)
        ids[: len(facts.table)] = np.arange(len(facts.table))
        return ClassMapping(len(facts.table), ids, facts.file)
    mapping = ClassMapping(
        len(class_map.classes), class_map.table[:256], f'the class map {class_map.name}'
    )
    own = np.arange(len(facts.classes))
    mapping.check(mapping.ids[own], own)
    return mapping


@dataclass(frozen=True)
class PseudoLabels:
    """
    The merged predictions for one image.

    :param labels: (H, W) uint8 target ids, 255 where none of them is predicted.
    :param confidence: (H, W) float32, 0..1.
    :param depth: (H, W) float32 meters of the image's own camera, 0 if unknown.
    """

    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    depth: NDArray[np.float32] | None = None


def pseudo_label(
    teacher: Teacher,
    image: NDArray[np.uint8],
    tasks: Set[str],
    augmentation: TestTimeAugmentation,
    *,
    classes: ClassMapping | None = None,
    focal_length: float = 0.0,
) -> PseudoLabels:
    """
    Predict one image with test-time augmentation and merge the predictions.

    :param image: (H, W, 3) uint8 RGB.
    :param classes: required for labels.
    :param focal_length: pixels, of the image's camera; 0 for the teacher's training camera.
    """
    size = image.shape[:2]
    votes = ClassVotes(classes, size) if 'labels' in tasks and classes is not None else None
    depths = []
    for view, mirrored, scale in _views(image, augmentation):
        prediction = teacher.predict(view, size, tasks)
        if mirrored:
            prediction = _mirror(prediction)
        if votes is not None:
            votes.add(prediction)
        if prediction.depth is not None:
            factor = _depth_factor(teacher, view.shape[:2], size, scale, focal_length)
            depths.append(prediction.depth * np.float32(factor))
    labels, confidence = (None, None) if votes is None else votes.result()
    depth = merge_depths(depths, augmentation.depth_merge) if depths else None
    return PseudoLabels(labels, confidence, depth)


def _views(
    image: NDArray[np.uint8], augmentation: TestTimeAugmentation
) -> Iterator[tuple[NDArray[np.uint8], bool, float]]:
    """Yield each version of the image, whether it is mirrored, and its scale."""
    height, width = image.shape[:2]
    for scale in augmentation.scales:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        view = resize_image(image, size)
        exact = (size[0] * size[1] / (height * width)) ** 0.5
        yield view, False, exact
        if augmentation.flip:
            yield np.ascontiguousarray(view[:, ::-1]), True, exact


def _mirror(prediction: TeacherPrediction) -> TeacherPrediction:
    def mirrored(array: NDArray | None) -> NDArray | None:
        return None if array is None else array[..., ::-1]

    return TeacherPrediction(*(mirrored(part) for part in (
        prediction.probabilities, prediction.labels, prediction.confidence, prediction.depth,
    )))  # fmt: skip


def _depth_factor(
    teacher: Teacher, view: tuple[int, int], image: tuple[int, int], scale: float,
    focal_length: float,
) -> float:  # fmt: skip
    """Return the factor from the depth of a view to that of the image's camera."""
    enlarged = scale * teacher.input_scale(view)
    trained = teacher.facts.focal_length
    if trained <= 0:
        return enlarged / teacher.input_scale(image)
    return enlarged * (focal_length or trained) / trained


class ClassVotes:
    """
    The sum of several predictions of each pixel's class.

    :param size: (H, W) of the predictions.
    """

    def __init__(self, classes: ClassMapping, size: tuple[int, int]) -> None:
        self._classes = classes
        # The last row collects all classes without a target.
        self._sums = np.zeros((classes.count + 1, *size), np.float32)
        self._predictions = 0

    def add(self, prediction: TeacherPrediction) -> None:
        """Add one prediction."""
        self._predictions += 1
        if prediction.probabilities is not None:
            self._add_probabilities(prediction.probabilities)
        elif prediction.labels is not None and prediction.confidence is not None:
            self._add_labels(prediction.labels, prediction.confidence)

    def _add_probabilities(self, probabilities: NDArray[np.float32]) -> None:
        """
        Sum the classes of each target; of those without a target, count the strongest.

        A pixel is left out only if one single class without a target beats every target class.
        Where no classes are merged, this is the teacher's argmax.
        """
        ids = self._classes.ids[: len(probabilities)]
        self._classes.check(ids, np.arange(len(ids)))
        strongest = np.zeros(probabilities.shape[1:], np.float32)
        for channel, target in zip(probabilities, ids):
            if target == UNLABELED:
                np.maximum(strongest, channel, out=strongest)
            else:
                self._sums[target] += channel
        self._sums[-1] += strongest

    def _add_labels(self, labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        targets = self._classes.ids[labels]
        self._classes.check(targets, labels)
        rows = np.where(targets == UNLABELED, len(self._sums) - 1, targets)
        for row, total in enumerate(self._sums):
            np.add(total, confidence, out=total, where=rows == row)

    def result(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return (H, W) target ids, 255 for none, and the mean support of each, 0..1."""
        winner = self._sums.argmax(0)
        support = np.take_along_axis(self._sums, winner[None], 0)[0] / self._predictions
        none = len(self._sums) - 1
        return np.where(winner == none, UNLABELED, winner).astype(np.uint8), support


def merge_depths(depths: list[NDArray[np.float32]], method: str) -> NDArray[np.float32]:
    """
    Return the median or mean of the known depths of each pixel; 0 where none is known.

    :param depths: (H, W) float32 meters; NaN, infinite or not positive where unknown.
    """
    stack = np.stack(depths)
    known = np.isfinite(stack) & (stack > 0)
    if method == 'mean' or len(stack) <= 2:
        count = known.sum(0)
        total = np.where(known, stack, 0).sum(0)
        return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    # Unknown depths sort to the end, so that the count of known ones locates their middle.
    ordered = np.sort(np.where(known, stack, np.inf), axis=0)
    count = known.sum(0)
    lower = np.take_along_axis(ordered, (np.maximum(count - 1, 0) // 2)[None], 0)[0]
    upper = np.take_along_axis(ordered, (np.maximum(count, 1) // 2)[None], 0)[0]
    return np.where(count > 0, (lower + upper) / 2, 0).astype(np.float32)
