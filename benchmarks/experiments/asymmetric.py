"""
Effect of distillation on asymmetric annotations.

Three networks with the same recipe and number of steps, evaluated on unseen streets: (a) labels
and depth for every training image; (b) labels for one half of the streets, depth for the other;
(c) as b, with the missing annotations pseudo-labeled by a teacher::

    python -m benchmarks.experiments.asymmetric -o runs/asymmetric

Scenes are rendered unless ``--scenes TRAIN HELD_OUT`` names two sets of ``hydranet scenes``. An
interrupted run continues when it is started again with the same arguments.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.experiments.common import (
    argument_parser,
    exit_on_error,
    markdown_table,
    write_json,
)
from hydranet_ros.errors import TrainingError
from hydranet_ros.files import write_atomically
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.resources import config_file
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.plain import open_scenes
from hydranet_ros.training.data.reader import FrameReader, Reader
from hydranet_ros.training.data.source import DataSource
from hydranet_ros.training.distil import DistilOptions, distil
from hydranet_ros.training.evaluation.predictors import load_model
from hydranet_ros.training.folder_writer import FolderWriter
from hydranet_ros.training.metric_table import METRICS
from hydranet_ros.training.metrics import ConfusionMatrix, DepthErrors
from hydranet_ros.training.sample import Sample
from hydranet_ros.training.teachers import open_teacher
from hydranet_ros.training.test_time_augmentation import TestTimeAugmentation
from hydranet_ros.training.train import train
from hydranet_ros.training.validation import measure

NAME = 'asymmetric'
RECIPE = config_file('train/asymmetric.yaml')
DEPTH_SCALE = 256.0
# Preset with the classes and the camera of the recipe's checkpoints.
PRESET = 'street'
MAX_MIOU_LOSS, MAX_RMSE_GAIN = 2.0, 0.05
SHOWN_METRICS = ('miou', 'rmse', 'abs_rel', 'delta1')


@dataclass(frozen=True)
class Settings:
    """
    Settings of a run; a folder of another run with other settings is refused.

    :param scenes: (training, held-out) sets of ``hydranet scenes``; empty to render them.
    :param train_images: number of training images to render; ``held_out_images`` likewise.
    :param steps: steps of every training, teachers included; 0 for those of the recipe.
    :param teachers: ``joint``: network b is the teacher of both tasks. ``single``: one network
        per task, trained on the half with its annotations, as in the paper.
    :param rounds: rounds of distillation; each student is the teacher of the next round.
    """

    scenes: tuple[str, ...]
    train_images: int
    held_out_images: int
    size: str
    steps: int
    seed: int
    teachers: str
    rounds: int
    confidence: float
    flip: bool
    scales: tuple[float, ...]


class Experiment:
    """All stages in one folder; a stage whose result exists is skipped."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / 'settings.json'
        now = json.loads(json.dumps(asdict(settings)))
        earlier = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else now
        different = [f'{key} was {earlier.get(key)!r}, is {now[key]!r}'
                     for key in now if earlier.get(key) != now[key]]  # fmt: skip
        if different:
            raise TrainingError(
                f'{folder} was created with other arguments ({"; ".join(different)}). Use those, '
                'or another folder.'
            )
        write_atomically(path, json.dumps(now, indent=1).encode())

    def run(self) -> dict[str, Any]:
        """Return all metrics; ``table`` maps the networks to theirs."""
        scenes, held_out = self._scenes()
        self._write_sets(scenes)
        rows = {
            'a': self._evaluate(self._train('a', ['complete']), held_out),
            'b': self._evaluate(self._train('b', ['labels', 'depth']), held_out),
        }
        teachers = self._teachers()
        found: dict[str, Any] = {}
        for number in range(1, self.settings.rounds + 1):
            name = 'c' if number == 1 else f'c{number}'
            sets = self._distil(teachers, '' if number == 1 else str(number))
            found[name] = teacher_metrics(scenes, *(self._open(item) for item in sets))
            student = self._train(name, sets)
            rows[name] = self._evaluate(student, held_out)
            teachers = {'labels': student, 'depth': student}
        return {'settings': asdict(self.settings), 'table': rows, 'teachers': found,
                'verdict': verdict(rows['a'], rows[name])}  # fmt: skip

    def _scenes(self) -> tuple[FrameReader, FrameReader]:
        folders = [Path(item) for item in self.settings.scenes]
        if not folders:
            counts = (self.settings.train_images, self.settings.held_out_images)
            folders = [self.folder / 'scenes', self.folder / 'held_out']
            for seed, (folder, count) in enumerate(zip(folders, counts), self.settings.seed):
                if not (folder / 'manifest.json').is_file():
                    render(folder, count, seed, self.settings.size)
        train_set, held_out = (open_scenes(DataSource('scenes', str(item))) for item in folders)
        return train_set, held_out

    def _write_sets(self, scenes: FrameReader) -> None:
        """Write the complete set, and two halves without a common street, as folders."""
        first = halves([frame.name for frame in scenes.frames])
        everything = list(range(len(scenes)))
        self._write_set('complete', scenes, everything, lambda sample: sample)
        self._write_set('labels', scenes, [i for i in everything if first[i]],
                        lambda sample: replace(sample, depth=None))  # fmt: skip
        self._write_set('depth', scenes, [i for i in everything if not first[i]],
                        lambda sample: replace(sample, labels=None))  # fmt: skip

    def _write_set(
        self, name: str, scenes: Reader, indices: Sequence[int], keep: Callable[[Sample], Sample]
    ) -> None:
        writer = FolderWriter(
            self.folder / name, {'set': name, 'images': len(indices)},
            {'depth_scale': DEPTH_SCALE},
        )  # fmt: skip
        with writer:
            for index in sorted(set(indices) - set(writer.done)):
                writer.write(index, keep(scenes[index]), scenes.image_path(index), {})

    def _open(self, name: str) -> Reader:
        return open_dataset(DataSource('folder', str(self.folder / name)))

    def _train(self, name: str, sets: Sequence[str], tasks: Sequence[str] = ()) -> Path:
        """Train on folders of this experiment; return the checkpoint."""
        output = self.folder / f'run_{name}'
        final = output / 'final.ckpt'
        if final.is_file():
            return final
        raw = yaml.safe_load(RECIPE.read_text(encoding='utf-8'))
        raw['data'] = [{'kind': 'folder', 'root': str((self.folder / item).resolve()),
                        'cache': True} for item in sets]  # fmt: skip
        raw['seed'] = self.settings.seed
        if self.settings.steps:
            share = self.settings.steps / sum(stage['steps'] for stage in raw['stages'])
            for stage in raw['stages']:
                stage['steps'] = max(1, round(stage['steps'] * share))
        if tasks:
            raw['network']['tasks'] = list(tasks)
        output.mkdir(exist_ok=True)
        recipe = output / 'recipe.yaml'
        write_atomically(recipe, yaml.safe_dump(raw).encode())
        print(f'-- training {name} on {", ".join(sets)}', flush=True)
        found = train(recipe, output, resume=(output / 'last.ckpt').is_file())
        if found != final:
            raise TrainingError(
                f'The training of {name} was interrupted. Run the same command again to continue.'
            )
        return final

    def _teachers(self) -> dict[str, Path]:
        """Return the checkpoints of the teachers by task."""
        if self.settings.teachers == 'joint':
            joint = self._train('b', ['labels', 'depth'])
            return {'labels': joint, 'depth': joint}
        return {
            'labels': self._train('labels_teacher', ['labels'], ['segmentation']),
            'depth': self._train('depth_teacher', ['depth'], ['depth']),
        }

    def _distil(self, teachers: dict[str, Path], suffix: str) -> tuple[str, str]:
        """Add the missing annotations of both halves; return their names, real labels first."""
        names = (f'distilled_labels{suffix}', f'distilled_depth{suffix}')
        for source, missing, name in (
            ('labels', 'depth', names[0]),
            ('depth', 'labels', names[1]),
        ):
            teacher = open_teacher(teachers[missing], preset=PRESET)
            options = DistilOptions(
                task=missing, confidence=self.settings.confidence,
                augmentation=TestTimeAugmentation(self.settings.flip, self.settings.scales),
                depth_scale=DEPTH_SCALE,
            )  # fmt: skip
            print(distil(teacher, self._open(source), self.folder / name, options, data=source))
        return names

    def _evaluate(self, checkpoint: Path, held_out: Reader) -> dict[str, float]:
        path = checkpoint.parent / 'metrics.json'
        if not path.is_file():
            model = load_model(str(checkpoint), preset=PRESET)
            found = measure(
                model.predict, held_out, num_classes=len(model.classes),
                focal_length=model.focal_length,
            )  # fmt: skip
            model.close()
            write_atomically(path, json.dumps(found, indent=1).encode())
        return json.loads(path.read_text(encoding='utf-8'))


def render(folder: Path, count: int, seed: int, size: str) -> None:
    """Render streets with ``hydranet scenes``; an interrupted call continues."""
    print(f'-- rendering {count} images into {folder}', flush=True)
    subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', 'scenes', str(folder), '--count', str(count),
         '--seed', str(seed), '--size', size, '--workers', '2'],
        check=True,
    )  # fmt: skip


def halves(names: Sequence[str]) -> list[bool]:
    """
    Return which images belong to the first half: every other street, with all its views.

    :param names: STREET_VIEW, as ``hydranet scenes`` names images.
    """
    streets = sorted({name.rpartition('_')[0] or name for name in names})
    first = set(streets[::2])
    return [(name.rpartition('_')[0] or name) in first for name in names]


def teacher_metrics(
    scenes: FrameReader, with_labels: Reader, with_depth: Reader
) -> dict[str, float]:
    """
    Return the metrics of the teacher's pseudo-labels against the hidden annotations.

    :param with_labels: half with real labels and pseudo-labeled depth.
    :param with_depth: half with real depth and pseudo-labels.
    """
    index = {frame.name: number for number, frame in enumerate(scenes.frames)}
    assert scenes.classes is not None
    confusion, errors, kept = ConfusionMatrix(len(scenes.classes.classes)), DepthErrors(), []
    for sample in with_depth:
        true = scenes[index[sample.name]].labels
        if true is not None and sample.labels is not None:
            confident = sample.labels != UNLABELED
            kept.append(float(confident.mean()))
            confusion.add(np.where(confident, true, UNLABELED), sample.labels)
    for sample in with_labels:
        meters = scenes[index[sample.name]].depth
        if meters is not None and sample.depth is not None and (sample.depth > 0).any():
            errors.add(np.where(sample.depth > 0, meters, 0), sample.depth)
    return {
        'labels_miou': confusion.mean_iou, 'labels_kept': float(np.mean(kept)),
        'depth_rmse': errors.summary()['rmse'], 'depth_abs_rel': errors.summary()['abs_rel'],
    }  # fmt: skip


def verdict(complete: dict[str, float], distilled: dict[str, float]) -> dict[str, Any]:
    """Return the loss of c against a, and whether it is within 2 points of mIoU and 5 % RMSE."""
    points = 100 * (complete['miou'] - distilled['miou'])
    rmse = distilled['rmse'] / complete['rmse'] - 1
    return {'miou_points_lost': points, 'rmse_share_gained': rmse,
            'passed': points <= MAX_MIOU_LOSS and rmse <= MAX_RMSE_GAIN}  # fmt: skip


def report(found: dict[str, Any]) -> str:
    """Return the table of the networks as Markdown, and sentences about teachers and verdict."""
    lines = [networks_table(found['table']), '']
    for name, row in found['teachers'].items():
        lines.append(
            f'Teacher of {name} against the hidden annotations: mIoU '
            f'{100 * row["labels_miou"]:.1f} % of the confident pixels '
            f'({100 * row["labels_kept"]:.1f} % of all), depth RMSE {row["depth_rmse"]:.2f} m.'
        )
    got = found['verdict']
    lines.append(
        f'The last network against a: mIoU {-got["miou_points_lost"]:+.1f} points, RMSE '
        f'{100 * got["rmse_share_gained"]:+.1f} %. Allowed: {-MAX_MIOU_LOSS:g} points, '
        f'+{100 * MAX_RMSE_GAIN:g} %: {"passed" if got["passed"] else "not passed"}.'
    )
    return '\n'.join(lines)


def networks_table(found: dict[str, dict[str, float]]) -> str:
    """Return the metrics of all networks as Markdown."""
    annotations = {
        'a': 'labels and depth for all images', 'b': 'labels for one half, depth for the other',
        'c': 'as b, with distillation',
    }  # fmt: skip
    shown = [METRICS[key] for key in SHOWN_METRICS]
    rows = [
        (name, annotations.get(name, 'as b, distilled by the previous network'),
         *(metric.format(row[metric.key]) for metric in shown))
        for name, row in found.items()
    ]  # fmt: skip
    return markdown_table(('', 'annotations', *(metric.title for metric in shown)), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages that are not done yet and print the report."""
    parser = argument_parser(__doc__, NAME)
    add = parser.add_argument
    add('-o', '--output', type=Path, default=Path('runs/asymmetric'), help='folder of all stages')
    add('--scenes', nargs=2, default=(), metavar=('TRAIN', 'HELD_OUT'), help='rendered sets')
    add('--train-images', type=int, default=1200, help='training images to render')
    add('--held-out-images', type=int, default=96, help='held-out images to render')
    add('--size', default='480x288', metavar='WIDTHxHEIGHT', help='size of rendered images')
    add('--steps', type=int, default=0, help="steps of each training; 0: the recipe's")
    add('--seed', type=int, default=1, help='seed of scenes and training')
    add('--teachers', choices=('joint', 'single'), default='joint', help='one teacher, or two')
    add('--rounds', type=int, default=1, help='rounds of distillation')
    add('--confidence', type=float, default=0.5, help='threshold of pseudo-labels')
    add('--no-flip', action='store_true', help='no mirrored images in test-time augmentation')
    add('--scales', type=float, nargs='+', default=[1.0, 1.25], help='scales of the same')
    given = parser.parse_args(arguments)
    settings = Settings(
        tuple(given.scenes), given.train_images, given.held_out_images, given.size, given.steps,
        given.seed, given.teachers, given.rounds, given.confidence, not given.no_flip,
        tuple(given.scales),
    )  # fmt: skip
    with exit_on_error(NAME):
        found = Experiment(given.output, settings).run()
    for path in (given.output / f'{NAME}.json', given.json):
        write_json(found, path)
    print(report(found))


if __name__ == '__main__':
    main()
