"""
Hard distillation (section III-C of the paper): a teacher annotates what a data set lacks.

The result is a data set of the kind ``folder`` in which what was annotated stays as it was, and
what was not is the teacher's: ``images/``, ``labels/NAME.png`` (class ids, 255 where the teacher
is unsure), ``depth/NAME.png`` (uint16) and ``manifest.json``. Training then needs no teacher.

A run that is stopped goes on when started again with the same options: every file is written
whole or not at all, and ``journal.jsonl`` keeps what is done until the manifest has it.
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
from hydranet_ros.model_files.metadata import UNLABELLED, ClassInfo
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.class_map import load_class_map
from hydranet_ros.training.data.reader import Reader
from hydranet_ros.training.data.source import parse_source
from hydranet_ros.training.folder_writer import FolderWriter
from hydranet_ros.training.sample import Sample, Samples
from hydranet_ros.training.teachers import TASKS, Teacher, TeacherFacts
from hydranet_ros.training.test_time_augmentation import (
    Answer,
    Looks,
    Translation,
    consult,
    translate,
)

ASKED = {'labels': ('labels',), 'depth': ('depth',), 'both': TASKS}


@dataclass(frozen=True)
class DistilOptions:
    """
    What is written, and how.

    :param task: ``labels``, ``depth`` or ``both``.
    :param confidence: labels of less are 255; for several looks, of less on average.
    :param classes: class map of ``config/class_maps``, or a path to one, from the teacher's ids
        to the target's; empty where the teacher's own classes are the target.
    :param merge: options of the class map.
    :param depth_scale: steps of a metre in the depth files.
    :param max_depth: metres; the teacher's depth beyond is unknown. 0: what 16 bits hold.
    :raises TrainingError: if a value is outside what is allowed.
    """

    task: str = 'both'
    confidence: float = 0.5
    looks: Looks = field(default_factory=Looks)
    classes: str = ''
    merge: tuple[str, ...] = ()
    depth_scale: float = 256.0
    max_depth: float = 0.0

    def __post_init__(self) -> None:
        if self.task not in ASKED:
            raise TrainingError(f'task is {self.task!r}; allowed: {", ".join(ASKED)}.')
        if not 0 <= self.confidence <= 1:
            raise TrainingError(f'confidence is {self.confidence}; allowed: 0..1.')
        if self.depth_scale <= 0 or self.max_depth < 0:
            raise TrainingError(
                f'depth_scale is {self.depth_scale}, max_depth {self.max_depth}; the one must be '
                'above 0, the other 0 or more.'
            )


@dataclass(frozen=True)
class DistilReport:
    """
    What a folder holds in the end.

    :param real: images whose labels, or depth, the data set had.
    :param taught: images whose labels, or depth, are the teacher's.
    :param kept: share of the pixels of taught labels that are above the threshold.
    """

    folder: Path
    images: int
    real: dict[str, int]
    taught: dict[str, int]
    kept: float

    def __str__(self) -> str:
        parts = [f'{name}: {self.real[name]} real, {self.taught[name]} taught' for name in TASKS]
        if self.taught['labels']:
            parts[0] += f' ({self.kept:.1%} of the pixels labelled)'
        return f'{self.folder}: {self.images} images; {"; ".join(parts)}'


def distil(
    teacher: Teacher, samples: Samples, output: Path, options: DistilOptions, *, data: str = ''
) -> DistilReport:
    """
    Write the data set with what the teacher adds.

    :param data: what the samples are called, kept in the manifest.
    :raises TrainingError: if the teacher lacks the task, the class map does not fit, or the
        folder was made with other options.
    :raises DatasetError: if the samples cannot be used.
    """
    if not len(samples):
        raise DatasetError(f'{data or "The data set"} holds no images.')
    job = _Job.plan(teacher, options)
    writer = FolderWriter(
        output, _made_with(teacher.facts, options, data, len(samples)),
        {'depth_scale': options.depth_scale, 'teacher': teacher.facts.file,
         'class_names': [item.name for item in job.table]},
    )  # fmt: skip
    with writer, Progress() as progress:
        todo = progress.add_task('distil', total=len(samples), completed=len(writer.done))
        for index in range(len(samples)):
            if index in writer.done:
                continue
            job.write(index, samples, writer)
            progress.advance(todo)
    return _summary(output, list(writer.done.values()))


def _made_with(
    facts: TeacherFacts, options: DistilOptions, data: str, count: int
) -> dict[str, Any]:
    """Return all that decides what is written, in JSON's own types."""
    teacher = {**asdict(facts), 'tasks': sorted(facts.tasks)}
    del teacher['table'], teacher['file']
    return json.loads(
        json.dumps({'teacher': teacher, **asdict(options), 'data': data, 'images': count})
    )


@dataclass(frozen=True)
class _Job:
    """One run: who is asked what, and in whose classes."""

    teacher: Teacher
    options: DistilOptions
    table: tuple[ClassInfo, ...]
    translation: Translation | None

    @classmethod
    def plan(cls, teacher: Teacher, options: DistilOptions) -> _Job:
        """Check everything that can be checked before the first image."""
        facts = teacher.facts
        missing = [task for task in ASKED[options.task] if task not in facts.tasks]
        if missing:
            raise TrainingError(
                f'{facts.file} gives {", ".join(sorted(facts.tasks)) or "nothing"}, not '
                f'{", ".join(missing)}. Choose another teacher, or --task '
                f'{" or ".join(sorted(facts.tasks)) or "of another"}.'
            )
        class_map = load_class_map(options.classes, options.merge) if options.classes else None
        table = facts.table if class_map is None else class_map.classes
        wanted = 'labels' in ASKED[options.task]
        return cls(teacher, options, table, translate(facts, class_map) if wanted else None)

    def write(self, index: int, samples: Samples, writer: FolderWriter) -> None:
        """Annotate one sample and put it into the folder."""
        sample = samples[index]
        self._check(sample)
        has = {'labels': sample.labels is not None, 'depth': sample.depth is not None}
        asked = frozenset(task for task in ASKED[self.options.task] if not has[task])
        focal, origin = self._focal_length(sample, 'depth' in asked)
        answer = Answer()
        if asked:
            answer = consult(
                self.teacher, sample.image, asked, self.options.looks, classes=self.translation,
                focal_length=focal,
            )  # fmt: skip
        labels = sample.labels if has['labels'] else self._labels(answer)
        depth = sample.depth if has['depth'] else self._depth(answer, labels)
        facts: dict[str, Any] = {
            'focal_length_from': origin,
            **{task: 'real' if has[task] else 'teacher' if task in asked else None
               for task in TASKS},
        }  # fmt: skip
        if 'labels' in asked and labels is not None:
            facts['labelled'] = round(float((labels != UNLABELLED).mean()), 4)
        writer.write(index, Sample(
            sample.name, sample.image, labels, depth, sample.normals, focal), _original(
                samples, index), facts)  # fmt: skip

    def _check(self, sample: Sample) -> None:
        if sample.labels is None or not self.table:
            return
        highest = int(np.where(sample.labels == UNLABELLED, 0, sample.labels).max())
        if highest >= len(self.table):
            raise DatasetError(
                f'{sample.name} has the label {highest}; the classes are 0..'
                f'{len(self.table) - 1} ({self.table[0].name} .. {self.table[-1].name}) and 255. '
                'Open the data with a class map: ?classes=NAME.'
            )

    def _focal_length(self, sample: Sample, taught: bool) -> tuple[float, str]:
        """
        Return the focal length of an image, in pixels, and who says it.

        Depth that the teacher gives for an image of an unknown camera is what the teacher's own
        camera would see; with that camera's focal length beside it, the pair is true.
        """
        if sample.focal_length > 0:
            return sample.focal_length, 'data'
        trained = self.teacher.facts.focal_length
        return (trained, 'teacher') if taught and trained > 0 else (0.0, 'unknown')

    def _labels(self, answer: Answer) -> NDArray[np.uint8] | None:
        if answer.labels is None or answer.confidence is None:
            return None
        sure = answer.confidence >= np.float32(self.options.confidence)
        return np.where(sure, answer.labels, UNLABELLED).astype(np.uint8)

    def _depth(
        self, answer: Answer, labels: NDArray[np.uint8] | None
    ) -> NDArray[np.float32] | None:
        """Return the teacher's depth without what is too far, and without the sky's."""
        if answer.depth is None:
            return None
        known = answer.depth > 0
        if self.options.max_depth:
            known &= answer.depth <= self.options.max_depth
        if labels is not None:
            empty = [item.id for item in self.table if not item.surface]
            known &= ~np.isin(labels, empty)
        return np.where(known, answer.depth, 0).astype(np.float32)


def _original(samples: Samples, index: int) -> Path | None:
    """Return the file an image was read from, where the data set has one for each."""
    return samples.image_path(index) if isinstance(samples, Reader) else None


def _summary(folder: Path, frames: list[dict[str, Any]]) -> DistilReport:
    def count(task: str, who: str) -> int:
        return sum(frame[task] == who for frame in frames)

    shares = [frame['labelled'] for frame in frames if 'labelled' in frame]
    return DistilReport(
        folder, len(frames), {task: count(task, 'real') for task in TASKS},
        {task: count(task, 'teacher') for task in TASKS}, float(np.mean(shares or [0.0])),
    )  # fmt: skip


def open_data(text: str, roots: Mapping[str, Path]) -> Samples:
    """
    Open the data set that ``KIND:FOLDER[:SPLIT][?options]`` names.

    :param roots: folders by the names in capitals that FOLDER may begin with.
    :raises DatasetError: naming what is missing where, or the option that is unknown.
    """
    return open_dataset(parse_source(text), roots)


def parse_scales(text: str) -> tuple[float, ...]:
    """
    Return the numbers of ``0.75,1,1.25``.

    :raises TrainingError: if a part is no number.
    """
    try:
        return tuple(float(part) for part in text.split(','))
    except ValueError:
        raise TrainingError(f'scales are {text!r}; expected numbers like 0.75,1,1.25.') from None
