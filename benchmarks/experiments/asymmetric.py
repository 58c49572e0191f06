"""
The claim of asymmetric annotations, as one table.

Three networks of one recipe and one number of steps, measured on streets none has seen: (a)
labels and depth on every training image; (b) labels on one half of the streets, depth on the
other; (c) as b, after a teacher has put depth on the one half and labels on the other::

    python -m benchmarks.experiments.asymmetric -o runs/asymmetric

Scenes are rendered unless ``--scenes TRAIN HELD_OUT`` names two sets of ``hydranet scenes``. A
run that was stopped goes on, stage by stage, when started again with the same arguments.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hydranet_ros.errors import HydranetError, TrainingError
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

RECIPE = config_file('train/asymmetric.yaml')
DEPTH_SCALE = 256.0
# The preset that says whose classes and camera a checkpoint of the recipe has.
PRESET = 'street'
CLAIM_POINTS, CLAIM_RMSE = 2.0, 0.05
FIGURES = ('miou', 'rmse', 'abs_rel', 'delta1')


@dataclass(frozen=True)
class Settings:
    """
    What decides the outcome; a folder made with others is refused.

    :param scenes: (training, held-out) sets of ``hydranet scenes``; empty: rendered here.
    :param train_images, held_out_images: how many are rendered.
    :param steps: of every training, teachers included; 0 for the recipe's.
    :param teachers: ``joint``: network b is the teacher of both tasks. ``single``: one network
        for each task, trained on the half that has it, as in the paper.
    :param rounds: how often a student teaches the next one.
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


class Benchmark:
    """All stages in one folder; each is skipped when its result is there."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / 'settings.json'
        now = json.loads(json.dumps(asdict(settings)))
        there = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else now
        wrong = [f'{key}: {there.get(key)!r} there, {now[key]!r} now'
                 for key in now if there.get(key) != now[key]]  # fmt: skip
        if wrong:
            raise TrainingError(
                f'{folder} was made with other arguments ({"; ".join(wrong)}). Use those, or '
                'another folder.'
            )
        write_atomically(path, json.dumps(now, indent=1).encode())

    def run(self) -> dict[str, Any]:
        """Return all figures; ``table`` maps the rows to theirs."""
        scenes, held_out = self._scenes()
        self._write_sets(scenes)
        rows = {
            'a': self._figures(self._train('a', ['whole']), held_out),
            'b': self._figures(self._train('b', ['labels', 'depth']), held_out),
        }
        teachers = self._teachers()
        pseudo: dict[str, Any] = {}
        for number in range(1, self.settings.rounds + 1):
            name = 'c' if number == 1 else f'c{number}'
            sets = self._distil(teachers, '' if number == 1 else str(number))
            pseudo[name] = pseudo_figures(scenes, *(self._open(item) for item in sets))
            student = self._train(name, sets)
            rows[name] = self._figures(student, held_out)
            teachers = {'labels': student, 'depth': student}
        return {'settings': asdict(self.settings), 'table': rows, 'pseudo': pseudo,
                'claim': claim(rows['a'], rows[name])}  # fmt: skip

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
        """Write the whole set, and two halves that share no street, as folders of files."""
        first = halves([frame.name for frame in scenes.frames])
        every = list(range(len(scenes)))
        self._write_set('whole', scenes, every, lambda sample: sample)
        self._write_set('labels', scenes, [i for i in every if first[i]],
                        lambda sample: replace(sample, depth=None))  # fmt: skip
        self._write_set('depth', scenes, [i for i in every if not first[i]],
                        lambda sample: replace(sample, labels=None))  # fmt: skip

    def _write_set(
        self, name: str, scenes: Reader, indices: Sequence[int], keep: Callable[[Sample], Sample]
    ) -> None:
        writer = FolderWriter(
            self.folder / name, {'part': name, 'images': len(indices)},
            {'depth_scale': DEPTH_SCALE},
        )  # fmt: skip
        with writer:
            for index in sorted(set(indices) - set(writer.done)):
                writer.write(index, keep(scenes[index]), scenes.image_path(index), {})

    def _open(self, name: str) -> Reader:
        return open_dataset(DataSource('folder', str(self.folder / name)))

    def _train(self, name: str, sets: Sequence[str], tasks: Sequence[str] = ()) -> Path:
        """Train on folders of this benchmark and return the checkpoint."""
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
        experiment = output / 'experiment.yaml'
        write_atomically(experiment, yaml.safe_dump(raw).encode())
        print(f'-- training {name} on {", ".join(sets)}', flush=True)
        found = train(experiment, output, resume=(output / 'last.ckpt').is_file())
        if found != final:
            raise TrainingError(f'The training of {name} was stopped; the same command goes on.')
        return final

    def _teachers(self) -> dict[str, Path]:
        """Return the network that gives labels, and that which gives depth."""
        if self.settings.teachers == 'joint':
            joint = self._train('b', ['labels', 'depth'])
            return {'labels': joint, 'depth': joint}
        return {
            'labels': self._train('labels_teacher', ['labels'], ['segmentation']),
            'depth': self._train('depth_teacher', ['depth'], ['depth']),
        }

    def _distil(self, teachers: dict[str, Path], suffix: str) -> tuple[str, str]:
        """Return the names of the halves with what they lacked: real labels first."""
        names = (f'taught_labels{suffix}', f'taught_depth{suffix}')
        for source, lacking, name in (
            ('labels', 'depth', names[0]),
            ('depth', 'labels', names[1]),
        ):
            teacher = open_teacher(teachers[lacking], preset=PRESET)
            options = DistilOptions(
                task=lacking, confidence=self.settings.confidence,
                augmentation=TestTimeAugmentation(self.settings.flip, self.settings.scales),
                depth_scale=DEPTH_SCALE,
            )  # fmt: skip
            print(distil(teacher, self._open(source), self.folder / name, options, data=source))
        return names

    def _figures(self, checkpoint: Path, held_out: Reader) -> dict[str, float]:
        path = checkpoint.parent / 'figures.json'
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
    """Render streets with the command a user has; a stopped one goes on."""
    print(f'-- rendering {count} images into {folder}', flush=True)
    subprocess.run(
        [sys.executable, '-m', 'hydranet_ros', 'scenes', str(folder), '--count', str(count),
         '--seed', str(seed), '--size', size, '--workers', '2'],
        check=True,
    )  # fmt: skip


def halves(names: Sequence[str]) -> list[bool]:
    """
    Return which images are in the first half: every other street, with all its views.

    :param names: STREET_VIEW each, as ``hydranet scenes`` names them.
    """
    streets = sorted({name.rpartition('_')[0] or name for name in names})
    first = set(streets[::2])
    return [(name.rpartition('_')[0] or name) in first for name in names]


def pseudo_figures(
    scenes: FrameReader, with_labels: Reader, with_depth: Reader
) -> dict[str, float]:
    """
    Return how right the teacher is, which only scenes can tell: nobody learns from this.

    :param with_labels: the half with real labels, whose depth is the teacher's.
    :param with_depth: the half with real depth, whose labels are the teacher's.
    """
    index = {frame.name: number for number, frame in enumerate(scenes.frames)}
    assert scenes.classes is not None
    confusion, errors, kept = ConfusionMatrix(len(scenes.classes.classes)), DepthErrors(), []
    for taught in with_depth:
        true = scenes[index[taught.name]].labels
        if true is not None and taught.labels is not None:
            sure = taught.labels != UNLABELED
            kept.append(float(sure.mean()))
            confusion.add(np.where(sure, true, UNLABELED), taught.labels)
    for taught in with_labels:
        metres = scenes[index[taught.name]].depth
        if metres is not None and taught.depth is not None and (taught.depth > 0).any():
            errors.add(np.where(taught.depth > 0, metres, 0), taught.depth)
    return {
        'labels_miou': confusion.mean_iou, 'labels_kept': float(np.mean(kept)),
        'depth_rmse': errors.summary()['rmse'], 'depth_abs_rel': errors.summary()['abs_rel'],
    }  # fmt: skip


def claim(whole: dict[str, float], taught: dict[str, float]) -> dict[str, Any]:
    """Return how far c is behind a, and whether that is within 2 points and 5 %."""
    points = 100 * (whole['miou'] - taught['miou'])
    rmse = taught['rmse'] / whole['rmse'] - 1
    return {'miou_points_lost': points, 'rmse_share_gained': rmse,
            'holds': points <= CLAIM_POINTS and rmse <= CLAIM_RMSE}  # fmt: skip


def table(found: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    what = {
        'a': 'labels and depth on all images', 'b': 'labels on one half, depth on the other',
        'c': 'as b, with distillation',
    }  # fmt: skip
    shown = [METRICS[key] for key in FIGURES]
    lines = [_row('', 'annotations', *(metric.title for metric in shown)), _row(*['---'] * 6)]
    for name, row in found['table'].items():
        text = what.get(
            name, f'as b, distilled from {"c" if name == "c2" else "the round before"}'
        )
        lines.append(_row(name, text, *(metric.format(row[metric.key]) for metric in shown)))
    lines.append('')
    for name, row in found['pseudo'].items():
        lines.append(
            f"What {name}'s teacher says, against the hidden truth: labels mIoU "
            f'{100 * row["labels_miou"]:.1f} % where it is sure ({100 * row["labels_kept"]:.1f} % '
            f'of the pixels), depth RMSE {row["depth_rmse"]:.2f} m.'
        )
    got = found['claim']
    lines.append(
        f'The last row is {got["miou_points_lost"]:+.1f} points of mIoU behind a, its RMSE '
        f'{100 * got["rmse_share_gained"]:+.1f} % above: within {CLAIM_POINTS:g} points and '
        f'{100 * CLAIM_RMSE:g} %: {"yes" if got["holds"] else "no"}.'
    )
    return '\n'.join(lines)


def _row(*cells: str) -> str:
    return f'| {" | ".join(cells)} |'


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is not yet done and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    add = parser.add_argument
    add('-o', '--output', type=Path, default=Path('runs/asymmetric'), help='folder of all stages')
    add('--scenes', nargs=2, default=(), metavar=('TRAIN', 'HELD_OUT'), help='rendered already')
    add('--train-images', type=int, default=1200)
    add('--held-out-images', type=int, default=96)
    add('--size', default='480x288', metavar='WIDTHxHEIGHT', help='of rendered images')
    add('--steps', type=int, default=0, help="of each training; 0: the recipe's")
    add('--seed', type=int, default=1)
    add('--teachers', choices=('joint', 'single'), default='joint')
    add('--rounds', type=int, default=1, help='students that teach the next one')
    add('--confidence', type=float, default=0.5)
    add('--no-flip', action='store_true', help='the teacher does not look at mirror images')
    add('--scales', type=float, nargs='+', default=[1.0, 1.25])
    add('--json', type=Path, help='also write it here; always in OUTPUT/asymmetric.json')
    given = parser.parse_args(arguments)
    settings = Settings(
        tuple(given.scenes), given.train_images, given.held_out_images, given.size, given.steps,
        given.seed, given.teachers, given.rounds, given.confidence, not given.no_flip,
        tuple(given.scales),
    )  # fmt: skip
    try:
        found = Benchmark(given.output, settings).run()
    except HydranetError as err:
        print(f'asymmetric: {err}', file=sys.stderr)
        sys.exit(2)
    data = json.dumps(found, indent=2).encode()
    for path in filter(None, (given.output / 'asymmetric.json', given.json)):
        write_atomically(path, data)
    print(table(found))


if __name__ == '__main__':
    main()
