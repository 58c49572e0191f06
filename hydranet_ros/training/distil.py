"""
Hard distillation (section III-C of the paper): a teacher pseudo-labels missing annotations.

The result is a data set of the kind ``folder``: existing annotations are kept, missing ones come
from the teacher. It holds ``images/``, ``labels/NAME.png`` (class ids, 255 where the teacher is
unsure), ``depth/NAME.png`` (uint16) and ``manifest.json``. Training then needs no teacher.

An interrupted run resumes when it is started again with the same options: every file is written
atomically, and ``journal.jsonl`` lists the finished images until the manifest does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.model_files.metadata import UNLABELED, ClassInfo
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.data.reader import Reader
from hydranet_ros.training.data.source import parse_source
from hydranet_ros.training.folder_writer import FolderWriter
from hydranet_ros.training.sample import Sample, Samples
from hydranet_ros.training.teachers import TASKS, Teacher, TeacherFacts
from hydranet_ros.training.test_time_augmentation import (
    ClassMapping,
    PseudoLabels,
    TestTimeAugmentation,
    class_mapping,
    pseudo_label,
)

REQUESTED = {'labels': ('labels',), 'depth': ('depth',), 'both': TASKS}
# Who made an annotation, in the manifest.
DATA, TEACHER = 'data', 'teacher'


@dataclass(frozen=True)
class DistilOptions:
    """
    Options of a distillation.

    :param task: ``labels``, ``depth`` or ``both``.
    :param confidence: pixels of lower confidence become 255; the confidence is the mean over the
        versions of the image.
    :param classes: class map of ``config/class_maps``, or a path to one, from the teacher's ids
        to the target's; empty to keep the teacher's own classes.
    :param merge: options of the class map.
    :param depth_scale: steps per meter in the depth files.
    :param max_depth: meters; pseudo-labeled depth beyond it is unknown. 0: what 16 bits hold.
    :raises TrainingError: if a value is not allowed.
    """

    task: str = 'both'
    confidence: float = 0.5
    augmentation: TestTimeAugmentation = field(default_factory=TestTimeAugmentation)
    classes: str = ''
    merge: tuple[str, ...] = ()
    depth_scale: float = 256.0
    max_depth: float = 0.0

    def __post_init__(self) -> None:
        if self.task not in REQUESTED:
            raise TrainingError(f'task is {self.task!r}; allowed: {", ".join(REQUESTED)}.')
        if not 0 <= self.confidence <= 1:
            raise TrainingError(f'confidence is {self.confidence}; allowed: 0..1.')
        if self.depth_scale <= 0 or self.max_depth < 0:
            raise TrainingError(
                f'depth_scale is {self.depth_scale}, max_depth {self.max_depth}; depth_scale must '
                'be above 0, max_depth 0 or more.'
            )


@dataclass(frozen=True)
class DistilReport:
    """
    The content of the finished folder.

    :param original: number of images with labels, or depth, from the data set.
    :param pseudo: number of images with labels, or depth, from the teacher.
    :param kept: fraction of the pixels of pseudo-labels above the confidence threshold.
    """

    folder: Path
    images: int
    original: dict[str, int]
    pseudo: dict[str, int]
    kept: float

    def __str__(self) -> str:
        parts = [f'{task}: {self.original[task]} original, {self.pseudo[task]} pseudo-labeled'
                 for task in TASKS]  # fmt: skip
        if self.pseudo['labels']:
            parts[0] += f' ({self.kept:.1%} of their pixels)'
        return f'{self.folder}: {self.images} images; {"; ".join(parts)}'


def distil(
    teacher: Teacher, samples: Samples, output: Path, options: DistilOptions, *, data: str = ''
) -> DistilReport:
    """
    Write a data set with the teacher's predictions where annotations are missing.

    :param data: name of the samples, recorded in the manifest.
    :raises TrainingError: if the teacher lacks the task, the class map does not fit, or the
        folder was made with other options.
    :raises DatasetError: if the samples cannot be used or the folder cannot be written.
    """
    if not len(samples):
        raise DatasetError(f'{data or "The data set"} contains no images.')
    annotator = _Annotator.create(teacher, options)
    writer = FolderWriter(
        output, _made_with(teacher.facts, options, data, len(samples)),
        {'depth_scale': options.depth_scale, 'teacher': teacher.facts.file,
         'class_names': [item.name for item in annotator.table]},
    )  # fmt: skip
    with writer, Progress() as progress:
        task = progress.add_task('distil', total=len(samples), completed=len(writer.done))
        for index in range(len(samples)):
            if index in writer.done:
                continue
            annotator.write(index, samples, writer)
            progress.advance(task)
    return _summary(output, list(writer.done.values()))


def _made_with(
    facts: TeacherFacts, options: DistilOptions, data: str, count: int
) -> dict[str, Any]:
    """Return all that determines the content of the folder, in JSON types."""
    teacher = {**asdict(facts), 'tasks': sorted(facts.tasks)}
    del teacher['table'], teacher['file']
    return json.loads(
        json.dumps({'teacher': teacher, **asdict(options), 'data': data, 'images': count})
    )


@dataclass(frozen=True)
class _Annotator:
    """
    Pseudo-labels samples with one teacher.

    :param table: the target classes; empty if unknown.
    :param mapping: from the teacher's classes to them; ``None`` if no labels are requested.
    """

    teacher: Teacher
    options: DistilOptions
    table: tuple[ClassInfo, ...]
    mapping: ClassMapping | None

    @classmethod
    def create(cls, teacher: Teacher, options: DistilOptions) -> _Annotator:
        """Check everything that can be checked before the first image."""
        facts, requested = teacher.facts, REQUESTED[options.task]
        missing = [task for task in requested if task not in facts.tasks]
        if missing:
            has = sorted(facts.tasks)
            raise TrainingError(
                f'{facts.file} predicts {", ".join(has) or "nothing"}, not {", ".join(missing)}. '
                f'Choose another teacher{f", or --task {has[0]}" if has else ""}.'
            )
        class_map = load_class_map(options.classes, options.merge) if options.classes else None
        table = facts.table if class_map is None else class_map.classes
        mapping = class_mapping(facts, class_map) if 'labels' in requested else None
        return cls(teacher, options, table, mapping)

    def write(self, index: int, samples: Samples, writer: FolderWriter) -> None:
        """Annotate one sample and write its files."""
        sample = samples[index]
        self._check(sample)
        has = {'labels': sample.labels is not None, 'depth': sample.depth is not None}
        tasks = frozenset(task for task in REQUESTED[self.options.task] if not has[task])
        focal, origin = self._focal_length(sample, 'depth' in tasks)
        pseudo = PseudoLabels()
        if tasks:
            pseudo = pseudo_label(
                self.teacher, sample.image, tasks, self.options.augmentation,
                classes=self.mapping, focal_length=focal,
            )  # fmt: skip
        labels = sample.labels if has['labels'] else self._labels(pseudo)
        depth = sample.depth if has['depth'] else self._depth(pseudo, labels)
        facts: dict[str, Any] = {
            'focal_length_from': origin,
            **{task: DATA if has[task] else TEACHER if task in tasks else None for task in TASKS},
        }
        if 'labels' in tasks and labels is not None:
            facts['labeled'] = round(float((labels != UNLABELED).mean()), 4)
        annotated = Sample(sample.name, sample.image, labels, depth, sample.normals, focal)
        writer.write(index, annotated, _original(samples, index), facts)

    def _check(self, sample: Sample) -> None:
        if sample.labels is None or not self.table:
            return
        highest = int(np.where(sample.labels == UNLABELED, 0, sample.labels).max())
        if highest >= len(self.table):
            raise DatasetError(
                f'{sample.name} has the label {highest}; the classes are 0..'
                f'{len(self.table) - 1} ({self.table[0].name} .. {self.table[-1].name}) and 255. '
                'Open the data with a class map: ?classes=NAME.'
            )

    def _focal_length(self, sample: Sample, depth_requested: bool) -> tuple[float, str]:
        """
        Return the focal length of an image in pixels, and where it comes from.

        For an image of an unknown camera, the teacher predicts the depth that its own training
        camera would see. That camera's focal length makes image and depth consistent.
        """
        if sample.focal_length > 0:
            return sample.focal_length, DATA
        trained = self.teacher.facts.focal_length
        return (trained, TEACHER) if depth_requested and trained > 0 else (0.0, 'unknown')

    def _labels(self, pseudo: PseudoLabels) -> NDArray[np.uint8] | None:
        if pseudo.labels is None or pseudo.confidence is None:
            return None
        sure = pseudo.confidence >= np.float32(self.options.confidence)
        return np.where(sure, pseudo.labels, UNLABELED).astype(np.uint8)

    def _depth(
        self, pseudo: PseudoLabels, labels: NDArray[np.uint8] | None
    ) -> NDArray[np.float32] | None:
        """Return the depth within the limit, 0 for classes without a surface."""
        if pseudo.depth is None:
            return None
        known = pseudo.depth > 0
        if self.options.max_depth:
            known &= pseudo.depth <= self.options.max_depth
        if labels is not None:
            known &= ~np.isin(labels, [item.id for item in self.table if not item.surface])
        return np.where(known, pseudo.depth, 0).astype(np.float32)


def _original(samples: Samples, index: int) -> Path | None:
    """Return the file an image was read from, if the data set has one for each image."""
    return samples.image_path(index) if isinstance(samples, Reader) else None


def _summary(folder: Path, rows: list[dict[str, Any]]) -> DistilReport:
    def count(origin: str) -> dict[str, int]:
        return {task: sum(row[task] == origin for row in rows) for task in TASKS}

    fractions = [row['labeled'] for row in rows if 'labeled' in row]
    return DistilReport(
        folder, len(rows), count(DATA), count(TEACHER), float(np.mean(fractions or [0.0]))
    )


def open_data(text: str, roots: Mapping[str, Path]) -> Samples:
    """
    Open the data set that ``KIND:FOLDER[:SPLIT][?options]`` names.

    :param roots: folders by the names in capitals that FOLDER may begin with.
    :raises DatasetError: naming the missing file, or the unknown option.
    """
    return open_dataset(parse_source(text), roots)


def parse_scales(text: str) -> tuple[float, ...]:
    """
    Return the numbers of ``0.75,1,1.25``.

    :raises TrainingError: if a part is not a number.
    """
    try:
        return tuple(float(part) for part in text.split(','))
    except ValueError:
        raise TrainingError(f'scales are {text!r}; expected numbers like 0.75,1,1.25.') from None
