"""
One answer from several looks: mirrored, zoomed, averaged, in the target's classes.

Probabilities are averaged; a teacher that only gives labels votes with its confidence. Depth is
first brought back to the image's own camera: what is enlarged s times looks s times nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import TrainingError
from hydranet_ros.model_files.metadata import UNLABELLED
from hydranet_ros.training.data.class_map import ClassMap
from hydranet_ros.training.onnx_teacher import resize_image
from hydranet_ros.training.teachers import Opinion, Teacher, TeacherFacts

DEPTH_MERGES = ('median', 'mean')
_NOT_IN_MAP = -1


@dataclass(frozen=True)
class Looks:
    """
    How often a teacher looks at an image.

    :param flip: also at its mirror image.
    :param scales: at these sizes relative to the image.
    :param depth_merge: ``median`` or ``mean`` of the depths.
    :raises TrainingError: if a value is outside what is allowed.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    depth_merge: str = 'median'

    def __post_init__(self) -> None:
        if not self.scales or not all(0.1 <= scale <= 10 for scale in self.scales):
            raise TrainingError(f'scales are {self.scales}; expected any number of 0.1..10.')
        if len(set(self.scales)) != len(self.scales):
            raise TrainingError(f'scales are {self.scales}; name each once.')
        if self.depth_merge not in DEPTH_MERGES:
            raise TrainingError(
                f'depth_merge is {self.depth_merge!r}; allowed: {", ".join(DEPTH_MERGES)}.'
            )


@dataclass(frozen=True, eq=False)
class Translation:
    """
    From a teacher's class ids to the target's.

    :param count: number of target classes.
    :param ids: (256,) int16 target ids; 255 where a teacher's class is none of them, -1 where
        the class map does not know the id.
    """

    count: int
    ids: NDArray[np.int16]
    source: str

    def check(self, known: NDArray[np.int16], ids: NDArray) -> None:
        """
        Refuse ids that the map does not know.

        :raises TrainingError: naming them.
        """
        if (known == _NOT_IN_MAP).any():
            strange = np.unique(ids[known == _NOT_IN_MAP]).tolist()
            raise TrainingError(
                f'The teacher gives the class ids {strange[:8]}, which {self.source} does not '
                'know. Choose the class map that fits the teacher: --classes MAP.'
            )


def translate(facts: TeacherFacts, class_map: ClassMap | None) -> Translation:
    """
    Return how a teacher's classes become the target's.

    :param class_map: its stored ids are the teacher's; ``None``: the teacher's own table stays.
    :raises TrainingError: if the teacher has no table and no map is given, or has classes that
        the map does not know.
    """
    if class_map is None:
        if not facts.table:
            raise TrainingError(
                f'{facts.file} does not say what its classes are here; name a class map, for '
                'example --classes cityscapes19_kitti6.'
            )
        ids = np.full(256, UNLABELLED, np.int16)
        ids[: len(facts.table)] = np.arange(len(facts.table))
        return Translation(len(facts.table), ids, facts.file)
    found = Translation(
        len(class_map.classes), class_map.table[:256], f'the class map {class_map.name}'
    )
    own = np.arange(len(facts.classes))
    found.check(found.ids[own], own)
    return found


@dataclass(frozen=True)
class Answer:
    """
    What a teacher says of an image in the end.

    :param labels: (H, W) uint8 target ids, 255 where it sees none of them.
    :param confidence: (H, W) float32, 0..1.
    :param depth: (H, W) float32 metres of the image's own camera, 0 unknown.
    """

    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    depth: NDArray[np.float32] | None = None


def consult(
    teacher: Teacher,
    image: NDArray[np.uint8],
    tasks: Set[str],
    looks: Looks,
    *,
    classes: Translation | None = None,
    focal_length: float = 0.0,
) -> Answer:
    """
    Ask a teacher about one image.

    :param image: (H, W, 3) uint8 RGB.
    :param classes: needed for labels.
    :param focal_length: pixels, of the image's camera; 0 for that the teacher was trained with.
    """
    size = image.shape[:2]
    votes = Votes(classes, size) if 'labels' in tasks and classes is not None else None
    depths = []
    for view, mirrored, zoom in _views(image, looks):
        opinion = teacher.look(view, size, tasks)
        if mirrored:
            opinion = _mirror(opinion)
        if votes is not None:
            votes.add(opinion)
        if opinion.depth is not None:
            factor = _camera_factor(teacher, view.shape[:2], size, zoom, focal_length)
            depths.append(opinion.depth * np.float32(factor))
    labels, confidence = (None, None) if votes is None else votes.decide()
    return Answer(labels, confidence, _merge(depths, looks.depth_merge) if depths else None)


def _views(
    image: NDArray[np.uint8], looks: Looks
) -> Iterator[tuple[NDArray[np.uint8], bool, float]]:
    """Yield the image as looked at, whether it is mirrored, and how much it is enlarged."""
    height, width = image.shape[:2]
    for scale in looks.scales:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        view = resize_image(image, size)
        zoom = (size[0] * size[1] / (height * width)) ** 0.5
        yield view, False, zoom
        if looks.flip:
            yield np.ascontiguousarray(view[:, ::-1]), True, zoom


def _mirror(opinion: Opinion) -> Opinion:
    def turned(array: NDArray | None) -> NDArray | None:
        return None if array is None else array[..., ::-1]

    return Opinion(*(turned(part) for part in (
        opinion.probabilities, opinion.labels, opinion.confidence, opinion.depth)))  # fmt: skip


def _camera_factor(
    teacher: Teacher, view: tuple[int, int], image: tuple[int, int], zoom: float,
    focal_length: float,
) -> float:  # fmt: skip
    """Return what a view's depth is multiplied by to be that of the image's camera."""
    enlarged = zoom * teacher.zoom(view)
    trained = teacher.facts.focal_length
    if trained <= 0:
        return enlarged / teacher.zoom(image)
    return enlarged * (focal_length or trained) / trained


class Votes:
    """Sums what several looks say of each pixel's class."""

    def __init__(self, classes: Translation, size: tuple[int, int]) -> None:
        self._classes = classes
        # The last row stands for all that is no target class.
        self._sums = np.zeros((classes.count + 1, *size), np.float32)
        self._looks = 0

    def add(self, opinion: Opinion) -> None:
        """Count one look."""
        self._looks += 1
        if opinion.probabilities is not None:
            self._add_probabilities(opinion.probabilities)
        elif opinion.labels is not None and opinion.confidence is not None:
            self._add_labels(opinion.labels, opinion.confidence)

    def _add_probabilities(self, probabilities: NDArray[np.float32]) -> None:
        """
        Add up the classes that become one; of those that become none, count the strongest.

        So a pixel is left out only if one single other class beats every target class: where no
        classes are merged this is just the teacher's argmax.
        """
        ids = self._classes.ids[: len(probabilities)]
        self._classes.check(ids, np.arange(len(ids)))
        rival = np.zeros(probabilities.shape[1:], np.float32)
        for channel, target in zip(probabilities, ids):
            if target == UNLABELLED:
                np.maximum(rival, channel, out=rival)
            else:
                self._sums[target] += channel
        self._sums[-1] += rival

    def _add_labels(self, labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        found = self._classes.ids[labels]
        self._classes.check(found, labels)
        rows = np.where(found == UNLABELLED, len(self._sums) - 1, found)
        for row, total in enumerate(self._sums):
            np.add(total, confidence, out=total, where=rows == row)

    def decide(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return (H, W) target ids, 255 for none, and the mean support of each, 0..1."""
        winner = self._sums.argmax(0)
        support = np.take_along_axis(self._sums, winner[None], 0)[0] / self._looks
        none = len(self._sums) - 1
        return np.where(winner == none, UNLABELLED, winner).astype(np.uint8), support


def _merge(depths: list[NDArray[np.float32]], how: str) -> NDArray[np.float32]:
    """Return the median or mean of the depths that are known; 0 where none is."""
    stack = np.stack(depths)
    known = np.isfinite(stack) & (stack > 0)
    if how == 'mean' or len(stack) <= 2:
        count = known.sum(0)
        total = np.where(known, stack, 0).sum(0)
        return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    # Unknown ones sort to the end, so the middle of the known ones is found by counting.
    ordered = np.sort(np.where(known, stack, np.inf), axis=0)
    count = known.sum(0)
    lower = np.take_along_axis(ordered, (np.maximum(count - 1, 0) // 2)[None], 0)[0]
    upper = np.take_along_axis(ordered, (np.maximum(count, 1) // 2)[None], 0)[0]
    return np.where(count > 0, (lower + upper) / 2, 0).astype(np.float32)
