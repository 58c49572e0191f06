"""Overfitting: network, losses, optimizer and training loop together memorize a few images."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from train_tools import logged

from hydranet_ros.errors import HydranetError
from hydranet_ros.model_files.metadata import UNLABELED
from hydranet_ros.training.train import Hardware, train

IMAGES, CLASSES, SEED = 8, 6, 5
RENDERED, HEIGHT, WIDTH = (768, 1280), 96, 160
# The output has a quarter of the size of the image and cannot resolve the thin objects of a whole
# street at 160x96, so the images are windows of larger ones.
LATTICE, EDGE_STEP = 16, 1.1


@dataclass(frozen=True)
class Window:
    """A part of an image; ``edges`` is the share of its pixels at an edge or unlabeled."""

    edges: float
    top: int
    left: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + HEIGHT), slice(self.left, self.left + WIDTH)


def window(labels: np.ndarray, depth: np.ndarray, preferred: int) -> Window:
    """Return the window of three classes, one of them preferred, with the fewest edges."""
    square = np.ones((5, 5), np.uint8)
    meters = np.where(depth > 0, depth, 1e3).astype(np.float32)
    steep = cv2.dilate(meters, square) / cv2.erode(meters, square) > EDGE_STEP
    edge = (cv2.dilate(labels, square) != cv2.erode(labels, square)) | steep
    edge |= labels == UNLABELED
    for offset in range(CLASSES):
        found = []
        for top in range(0, labels.shape[0] - HEIGHT + 1, LATTICE):
            for left in range(0, labels.shape[1] - WIDTH + 1, LATTICE):
                here = Window(0.0, top, left).slices
                ids = labels[here]
                shares = np.bincount(ids[ids < CLASSES], minlength=CLASSES) / ids.size
                if shares[(preferred + offset) % CLASSES] > 0.12 and (shares > 0.05).sum() >= 3:
                    found.append((float(edge[here].mean()), top, left))
        if found:
            return Window(*min(found))
    raise AssertionError('no window of three classes')


@pytest.fixture(scope='module')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return eight windows of rendered streets with all six classes."""
    from hydranet_scenes.dataset import render_dataset

    folder = tmp_path_factory.mktemp('overfit')
    whole, parts = folder / 'whole', folder / 'parts'
    try:
        render_dataset(whole, count=IMAGES, seed=SEED, size=RENDERED)
    except HydranetError as err:
        pytest.skip(f'streets cannot be rendered here: {err}')
    parts.mkdir()
    shutil.copy(whole / 'manifest.json', parts)
    manifest = json.loads((whole / 'manifest.json').read_text(encoding='utf-8'))
    for number, frame in enumerate(manifest['frames']):
        files = {
            end: cv2.imread(str(whole / (frame['name'] + end)), cv2.IMREAD_UNCHANGED)
            for end in ('.jpg', '.labels.png', '.depth.png')
        }
        meters = files['.depth.png'] / manifest['depth_scale']
        part = window(files['.labels.png'], meters, number % CLASSES).slices
        for end, image in files.items():
            cv2.imwrite(str(parts / (frame['name'] + end)), image[part])
    return parts


def train_on(
    sets: Path, folder: Path, size: tuple[int, int], steps: int, batch: int,
    precision: str = '32-true', **optimizer: float,
) -> tuple[float, float]:  # fmt: skip
    """Train on scenes without augmentation; return the mIoU and the relative error of depth."""
    manifest = json.loads((sets / 'manifest.json').read_text(encoding='utf-8'))
    source = {'kind': 'scenes', 'root': str(sets), 'cache': True}
    recipe = folder / 'overfit.yaml'
    recipe.write_text(yaml.safe_dump({
        'data': [source], 'validation': [source],
        'optimizer': {'kind': 'muon', 'weight_decay': 0, **optimizer},
        'schedule': {'kind': 'cosine', 'warm_up': min(20, steps // 15)},
        'losses': {
            'depth': 1.0, 'depth_loss': 'relative', 'depth_unit': 10, 'depth_start': 10,
            'focal_length': manifest['frames'][0]['fx'],
        },
        'ema': 0, 'precision': precision, 'validate_every': steps, 'workers': 0,
        'checkpoint_every': steps,
        'stages': [{'steps': steps, 'batch': batch, 'augmentation': {
            'crop': list(size), 'scale': [1, 1], 'aspect': 0, 'photometric': 0,
            'mirror': False,
        }}],
    }))  # fmt: skip
    train(recipe, folder / 'run', hardware=Hardware('cpu'))
    return logged(folder / 'run', 'scenes/miou')[-1], logged(folder / 'run', 'scenes/abs_rel')[-1]


def write_blocks(folder: Path, count: int) -> tuple[int, int]:
    """Write images of colored blocks, a class and a depth for each color; return their size."""
    rng = np.random.default_rng(SEED)
    folder.mkdir()
    palette = rng.integers(40, 216, (CLASSES, 3))
    names = [f'{number:03d}' for number in range(count)]
    for name in names:
        labels = rng.permutation(np.arange(CLASSES)).reshape(2, 3).repeat(32, 0).repeat(32, 1)
        image = palette[labels] + rng.integers(-8, 9, (64, 96, 3))
        cv2.imwrite(str(folder / f'{name}.jpg'), image.astype(np.uint8))
        cv2.imwrite(str(folder / f'{name}.labels.png'), labels.astype(np.uint8))
        cv2.imwrite(str(folder / f'{name}.depth.png'), (256 * (4 + 3 * labels)).astype(np.uint16))
    manifest = {'depth_scale': 256, 'frames': [{'name': name, 'fx': 80.0} for name in names]}
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    return 64, 96


def test_two_images_of_blocks_are_memorized(tmp_path: Path) -> None:
    size = write_blocks(tmp_path / 'blocks', 2)
    miou, relative = train_on(
        tmp_path / 'blocks', tmp_path, size, 60, 2, learning_rate=0.001, encoder_factor=16,
        matrix_rate=0.02,
    )  # fmt: skip
    assert miou >= 0.95
    assert relative <= 0.2, 'a constant depth has 0.5'


@pytest.mark.slow
def test_eight_rendered_images_are_memorized(scenes: Path, tmp_path: Path) -> None:
    miou, relative = train_on(
        scenes, tmp_path, (HEIGHT, WIDTH), 680, 4, 'bf16-mixed', learning_rate=0.0005,
        encoder_factor=8, matrix_rate=0.008,
    )  # fmt: skip
    assert miou >= 0.98
    assert relative <= 0.02
