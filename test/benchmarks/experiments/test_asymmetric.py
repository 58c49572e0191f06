"""The experiment ``asymmetric``: its halves, its verdict, and a small run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT

from benchmarks.experiments import asymmetric
from hydranet_ros.errors import TrainingError
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.source import DataSource


def scenes(folder: Path, streets: int, views: int = 2) -> Path:
    """Write a set as ``hydranet scenes`` does: a road below a building below the sky."""
    folder.mkdir()
    frames = []
    labels = np.repeat(np.array([0, 1, 2], np.uint8), 32)[:, None].repeat(128, 1)
    depth = np.where(labels == 0, 0, np.linspace(40, 4, 96)[:, None] * 256).astype(np.uint16)
    rng = np.random.default_rng(len(folder.name))
    for index in range(streets * views):
        name = f'{index // views:09d}_{index % views}'
        image = labels[..., None] * 90 + rng.integers(0, 40, (96, 128, 3), np.uint8)
        cv2.imwrite(str(folder / f'{name}.jpg'), image)
        cv2.imwrite(str(folder / f'{name}.labels.png'), labels)
        cv2.imwrite(str(folder / f'{name}.depth.png'), depth)
        frames.append({'name': name, 'fx': 80.0})
    (folder / 'manifest.json').write_text(json.dumps({'depth_scale': 256, 'frames': frames}))
    return folder


def settings(root: Path, **changes: object):
    folders = (scenes(root / 'train', 4), scenes(root / 'held', 1))
    plain = asymmetric.Settings(
        tuple(str(item) for item in folders), 0, 0, '', 1, 1, 'joint', 1, 0.0, True, (1.0,)
    )
    return replace(plain, **changes)


def test_all_views_of_a_street_are_in_the_same_half() -> None:
    names = [f'{street:09d}_{view}' for street in range(5) for view in range(8)]
    first = asymmetric.halves(names)
    assert [sum(first[8 * i : 8 * i + 8]) for i in range(5)] == [8, 0, 8, 0, 8]


def test_each_half_misses_one_annotation_and_the_complete_set_none(tmp_path: Path) -> None:
    experiment = asymmetric.Experiment(tmp_path / 'out', settings(tmp_path))
    original, _ = experiment._scenes()
    experiment._write_sets(original)
    sets = {name: open_dataset(DataSource('folder', str(tmp_path / 'out' / name)))
            for name in ('complete', 'labels', 'depth')}  # fmt: skip
    assert [len(sets[name]) for name in ('complete', 'labels', 'depth')] == [8, 4, 4]
    assert all(item.labels is not None and item.depth is None for item in sets['labels'])
    assert all(item.labels is None and item.depth is not None for item in sets['depth'])
    assert not {i.name for i in sets['labels']} & {i.name for i in sets['depth']}
    for one, other in zip(original, sets['complete']):
        assert (one.image == other.image).all() and (one.labels == other.labels).all()
        assert (one.depth == other.depth).all() and one.focal_length == other.focal_length


def test_the_verdict_compares_points_of_miou_and_percent_of_rmse() -> None:
    whole = {'miou': 0.80, 'rmse': 4.0}
    assert asymmetric.verdict(whole, {'miou': 0.781, 'rmse': 4.19})['passed']
    assert not asymmetric.verdict(whole, {'miou': 0.779, 'rmse': 4.0})['passed']
    assert not asymmetric.verdict(whole, {'miou': 0.90, 'rmse': 4.21})['passed']


def test_pseudo_labels_are_compared_with_the_hidden_annotations(tmp_path: Path) -> None:
    """A correct teacher has no error; one that is off by one meter has an RMSE of one meter."""
    truth = open_dataset(DataSource('scenes', str(scenes(tmp_path / 'train', 2))))
    unsure = [sample.labels.copy() for sample in truth]
    for labels in unsure:
        labels[:24] = 255
    with_depth = [replace(s, labels=taught) for s, taught in zip(truth, unsure)]
    farther = [replace(s, depth=np.where(s.depth > 0, s.depth + 1, 0)) for s in truth]
    found = asymmetric.teacher_metrics(truth, farther, with_depth)
    assert found['labels_miou'] == 1
    assert found['labels_kept'] == pytest.approx(0.75)
    assert found['depth_rmse'] == pytest.approx(1, abs=1e-3)


def test_a_folder_of_a_run_with_other_arguments_is_an_error(tmp_path: Path) -> None:
    made = settings(tmp_path)
    asymmetric.Experiment(tmp_path / 'out', made)
    asymmetric.Experiment(tmp_path / 'out', made)
    with pytest.raises(TrainingError, match='rounds was 1, is 2'):
        asymmetric.Experiment(tmp_path / 'out', replace(made, rounds=2))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('teachers', ['joint', 'single'])
def test_the_command_prints_the_table_and_skips_finished_stages(
    tmp_path: Path, teachers: str
) -> None:
    made = settings(tmp_path)
    command = [
        sys.executable, '-m', 'benchmarks.experiments.asymmetric', '-o', str(tmp_path / 'out'),
        '--scenes', *made.scenes, '--steps', '1', '--confidence', '0', '--teachers', teachers,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert '| c | as b, with distillation |' in done.stdout
    found = json.loads((tmp_path / 'out/asymmetric.json').read_text())
    assert set(found['table']) == {'a', 'b', 'c'}
    assert found['teachers']['c']['labels_kept'] == 1
    final = tmp_path / 'out/run_c/final.ckpt'
    written = final.stat().st_mtime_ns
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert again.stdout.splitlines()[-7:] == done.stdout.splitlines()[-7:]
    assert final.stat().st_mtime_ns == written
