"""A small data set, recipes and runs for the tests of training."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml

from hydranet_ros.training.batches import BatchSource
from hydranet_ros.training.config import load_config
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.learner import JointLearner
from hydranet_ros.training.train import Hardware, train

STEPS = 8
CPU = Hardware('cpu')


def write_sets(folder: Path) -> Path:
    """Write two images of each kind: CamVid has labels only, the scenes depth as well."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array([0, 1, 3, 4], np.uint8), 12)[:, None].repeat(64, 1)
    image = np.repeat(labels[..., None] * 50, 3, -1) + rng.integers(0, 20, (48, 64, 3), np.uint8)
    depth = np.repeat(np.linspace(60, 4, 48) * 256, 64).reshape(48, 64).astype(np.uint16)
    for kind in ('images', 'labels'):
        (folder / 'camvid/train' / kind).mkdir(parents=True)
    (folder / 'scenes').mkdir()
    for name in ('a', 'b'):
        cv2.imwrite(str(folder / f'camvid/train/images/{name}.jpg'), image)
        cv2.imwrite(str(folder / f'camvid/train/labels/{name}.png'), labels)
        cv2.imwrite(str(folder / f'scenes/{name}.jpg'), image)
        cv2.imwrite(str(folder / f'scenes/{name}.labels.png'), labels)
        cv2.imwrite(str(folder / f'scenes/{name}.depth.png'), depth)
    frames = [{'name': name, 'fx': 300.0} for name in ('a', 'b')]
    manifest = {'depth_scale': 256, 'frames': frames}
    (folder / 'scenes/manifest.json').write_text(json.dumps(manifest))
    return folder


def write_recipe(folder: Path, **changes: object) -> Path:
    """Write a recipe for both sets; its folders begin with the name ``DATA``."""
    raw = {
        'data': [{'kind': kind, 'root': f'DATA/{kind}'} for kind in ('camvid', 'scenes')],
        'validation': [{'kind': 'scenes', 'root': 'DATA/scenes'}],
        'optimizer': {'kind': 'muon', 'learning_rate': 0.001, 'encoder_factor': 2},
        'schedule': {'kind': 'cosine', 'warm_up': 1},
        'losses': {'depth_unit': 10, 'depth_start': 30},
        'stages': [{'steps': STEPS, 'batch': 4, 'augmentation': {
            'crop': [32, 48], 'scale': [0.8, 1.2], 'photometric': 0.2}}],
        'checkpoint_every': 4, 'validate_every': STEPS, 'log_every': 1, 'workers': 0,
        **changes,
    }  # fmt: skip
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump(raw))
    return path


def run(data: Path, output: Path, recipe: Path | None = None, **options: object) -> Path:
    """Train on the CPU with the sets in ``data``."""
    recipe = recipe or write_recipe(output.parent)
    return train(recipe, output, roots={'DATA': data}, hardware=CPU, **options)


def make_learner(sets: Path, folder: Path, **changes: object) -> tuple[JointLearner, BatchSource]:
    """Return a learner in training mode and its batches, as the changed recipe defines them."""
    config = load_config(write_recipe(folder, **changes))
    samples = [open_dataset(item, {'DATA': sets}) for item in config.data]
    torch.manual_seed(config.seed)
    return JointLearner(config).train(), BatchSource(samples, config)


def logged(output: Path, key: str) -> list[float]:
    """Return the values of a metric in the CSV logs of a run."""
    rows = []
    for path in sorted((output / 'logs').glob('version_*/metrics.csv')):
        with path.open(encoding='utf-8') as handle:
            rows += [row for row in csv.DictReader(handle) if row.get(key)]
    return [float(row[key]) for row in rows]
