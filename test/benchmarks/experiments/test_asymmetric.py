"""The benchmark of asymmetric annotations: its halves, its verdict, and a whole tiny run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from conftest import ROOT, benchmark

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.data.source import DataSource

SCRIPT = ROOT / 'benchmarks' / 'asymmetric.py'


@pytest.fixture(scope='module')
def asymmetric() -> ModuleType:
    return benchmark('asymmetric')


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


def settings(module: ModuleType, root: Path, **changes: object):
    folders = (scenes(root / 'train', 4), scenes(root / 'held', 1))
    plain = module.Settings(
        tuple(str(item) for item in folders), 0, 0, '', 1, 1, 'joint', 1, 0.0, True, (1.0,)
    )
    return replace(plain, **changes)


def test_a_street_is_in_one_half_with_all_its_views(asymmetric: ModuleType) -> None:
    names = [f'{street:09d}_{view}' for street in range(5) for view in range(8)]
    first = asymmetric.halves(names)
    assert [sum(first[8 * i : 8 * i + 8]) for i in range(5)] == [8, 0, 8, 0, 8]


def test_each_half_lacks_one_annotation_and_the_whole_none(
    asymmetric: ModuleType, tmp_path: Path
) -> None:
    benchmark = asymmetric.Benchmark(tmp_path / 'out', settings(asymmetric, tmp_path))
    original, _ = benchmark._scenes()
    benchmark._write_sets(original)
    sets = {name: open_dataset(DataSource('folder', str(tmp_path / 'out' / name)))
            for name in ('whole', 'labels', 'depth')}  # fmt: skip
    assert [len(sets[name]) for name in ('whole', 'labels', 'depth')] == [8, 4, 4]
    assert all(item.labels is not None and item.depth is None for item in sets['labels'])
    assert all(item.labels is None and item.depth is not None for item in sets['depth'])
    assert not {i.name for i in sets['labels']} & {i.name for i in sets['depth']}
    for one, other in zip(original, sets['whole']):
        assert (one.image == other.image).all() and (one.labels == other.labels).all()
        assert (one.depth == other.depth).all() and one.focal_length == other.focal_length


def test_the_verdict_counts_points_and_percent(asymmetric: ModuleType) -> None:
    whole = {'miou': 0.80, 'rmse': 4.0}
    assert asymmetric.claim(whole, {'miou': 0.781, 'rmse': 4.19})['holds']
    assert not asymmetric.claim(whole, {'miou': 0.779, 'rmse': 4.0})['holds']
    assert not asymmetric.claim(whole, {'miou': 0.90, 'rmse': 4.21})['holds']


def test_what_a_teacher_says_is_compared_with_the_hidden_truth(
    asymmetric: ModuleType, tmp_path: Path
) -> None:
    """A teacher that is right everywhere has no error; one metre off everywhere has one metre."""
    truth = open_dataset(DataSource('scenes', str(scenes(tmp_path / 'train', 2))))
    unsure = [sample.labels.copy() for sample in truth]
    for labels in unsure:
        labels[:24] = 255
    with_depth = [replace(s, labels=taught) for s, taught in zip(truth, unsure)]
    farther = [replace(s, depth=np.where(s.depth > 0, s.depth + 1, 0)) for s in truth]
    found = asymmetric.pseudo_figures(truth, farther, with_depth)
    assert found['labels_miou'] == 1
    assert found['labels_kept'] == pytest.approx(0.75)
    assert found['depth_rmse'] == pytest.approx(1, abs=1e-3)


def test_a_folder_of_other_arguments_is_refused(asymmetric: ModuleType, tmp_path: Path) -> None:
    made = settings(asymmetric, tmp_path)
    asymmetric.Benchmark(tmp_path / 'out', made)
    asymmetric.Benchmark(tmp_path / 'out', made)
    with pytest.raises(TrainingError, match='rounds: 1 there, 2 now'):
        asymmetric.Benchmark(tmp_path / 'out', replace(made, rounds=2))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('teachers', ['joint', 'single'])
def test_one_command_prints_the_table(
    asymmetric: ModuleType, tmp_path: Path, teachers: str
) -> None:
    made = settings(asymmetric, tmp_path)
    command = [
        sys.executable, str(SCRIPT), '-o', str(tmp_path / 'out'), '--scenes', *made.scenes,
        '--steps', '1', '--confidence', '0', '--teachers', teachers,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert '| c | as b, with distillation |' in done.stdout
    figures = json.loads((tmp_path / 'out/asymmetric.json').read_text())
    assert set(figures['table']) == {'a', 'b', 'c'}
    assert figures['pseudo']['c']['labels_kept'] == 1
    final = tmp_path / 'out/run_c/final.ckpt'
    written = final.stat().st_mtime_ns
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.stdout.splitlines()[-7:] == done.stdout.splitlines()[-7:]
    assert final.stat().st_mtime_ns == written
