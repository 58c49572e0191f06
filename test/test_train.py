"""The loop: a real short run on images written here, killed and resumed."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from hydranet_ros.errors import TrainingError
from hydranet_ros.network.checkpoints import load_checkpoint
from hydranet_ros.training.config import load_config
from hydranet_ros.training.train import Trainer, train

STEPS = 12


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write two images of each kind: CamVid's have labels only, the scenes depth as well."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array([0, 1, 3, 4], np.uint8), 12)[:, None].repeat(64, 1)
    image = np.repeat(labels[..., None] * 50, 3, -1) + rng.integers(0, 20, (48, 64, 3), np.uint8)
    depth = np.repeat(np.linspace(60, 4, 48) * 256, 64).reshape(48, 64).astype(np.uint16)
    for kind in ('images', 'labels'):
        (tmp_path / 'camvid/train' / kind).mkdir(parents=True)
    (tmp_path / 'scenes').mkdir()
    for name in ('a', 'b'):
        cv2.imwrite(str(tmp_path / f'camvid/train/images/{name}.jpg'), image)
        cv2.imwrite(str(tmp_path / f'camvid/train/labels/{name}.png'), labels)
        cv2.imwrite(str(tmp_path / f'scenes/{name}.jpg'), image)
        cv2.imwrite(str(tmp_path / f'scenes/{name}.labels.png'), labels)
        cv2.imwrite(str(tmp_path / f'scenes/{name}.depth.png'), depth)
    frames = [{'name': name, 'fx': 300.0} for name in ('a', 'b')]
    manifest = {'depth_scale': 256, 'frames': frames}
    (tmp_path / 'scenes/manifest.json').write_text(json.dumps(manifest))
    return tmp_path


def experiment(folder: Path, **changes: object) -> Path:
    raw = {
        'data': [{'kind': kind, 'root': f'DATA/{kind}'} for kind in ('camvid', 'scenes')],
        'validation': [{'kind': 'scenes', 'root': 'DATA/scenes'}],
        'stages': [{'steps': STEPS, 'batch': 4, 'augmentation': {
            'crop': [32, 48], 'scale': [0.8, 1.2], 'photometric': 0.2}}],
        'learning_rate': 0.001, 'encoder_factor': 2, 'warm_up': 1, 'checkpoint_every': 4,
        'bfloat16': False,
        **changes,
    }  # fmt: skip
    path = folder / 'experiment.yaml'
    path.write_text(yaml.safe_dump(raw))
    return path


def rows(output: Path) -> list[dict[str, str]]:
    with (output / 'log.csv').open(encoding='utf-8') as handle:
        return list(csv.DictReader(handle))


def trainer(data: Path, **changes: object) -> Trainer:
    config = load_config(experiment(data, **changes))
    return Trainer(config, data, {'DATA': data})


def test_a_run_learns_and_leaves_a_checkpoint_that_loads(data: Path) -> None:
    final = train(experiment(data), data / 'run', roots={'DATA': data})
    network = load_checkpoint(final).network()
    found = network(torch.zeros(1, 3, 32, 48))
    assert found['segmentation'].shape == (1, 6, 8, 12)
    (row,) = rows(data / 'run')
    assert int(row['step']) == STEPS
    assert float(row['miou']) >= 0
    assert math.isfinite(float(row['rmse']))


def test_the_loss_falls(data: Path) -> None:
    run = trainer(data)
    batch = run.batches.batch(0)
    losses = [run.update(batch) for _ in range(STEPS)]
    assert losses[-1]['segmentation'] < 0.7 * losses[0]['segmentation']
    assert losses[-1]['depth'] < 0.9 * losses[0]['depth']


def test_a_killed_run_goes_on_as_if_nothing_had_happened(data: Path, monkeypatch) -> None:
    """The weights after kill and resume equal those of a run in one piece, to the bit."""
    torch.set_num_threads(1)
    whole = train(experiment(data), data / 'whole', roots={'DATA': data})
    update = Trainer.update

    def dies(self: Trainer, batch) -> dict[str, float]:
        if self.step == 6:
            raise KeyboardInterrupt
        return update(self, batch)

    monkeypatch.setattr(Trainer, 'update', dies)
    with pytest.raises(KeyboardInterrupt):
        train(experiment(data), data / 'parts', roots={'DATA': data})
    monkeypatch.setattr(Trainer, 'update', update)
    parts = train(experiment(data), data / 'parts', roots={'DATA': data}, resume=True)
    assert int(rows(data / 'parts')[-1]['step']) == STEPS
    one, two = load_checkpoint(whole).state, load_checkpoint(parts).state
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_an_existing_run_is_not_overwritten(data: Path) -> None:
    (data / 'run').mkdir()
    (data / 'run' / 'last.ckpt').write_bytes(b'')
    with pytest.raises(TrainingError, match='--resume'):
        train(experiment(data), data / 'run', roots={'DATA': data})


@pytest.mark.parametrize('kept', ['labels', 'depth', 'nothing'])
def test_a_batch_that_lacks_annotations_trains_without_nan(data: Path, kept: str) -> None:
    run = trainer(data)
    image, labels, depth = run.batches.batch(0)
    if kept != 'labels':
        labels = torch.full_like(labels, 255)
    if kept != 'depth':
        depth = torch.zeros_like(depth)
    losses = run.update((image, labels, depth))
    assert (losses['segmentation'] > 0) == (kept == 'labels')
    assert (losses['depth'] > 0) == (kept == 'depth')
    assert all(torch.isfinite(p).all() for p in run.model.parameters())


def test_encoder_and_decoder_learn_at_their_own_rates(data: Path) -> None:
    run = trainer(data)
    run.step = 1
    run.update(run.batches.batch(1))
    rates = {round(group['lr'], 6) for item in run.optimisers for group in item.param_groups}
    assert rates == {0.002, 0.001, 0.004}


def test_the_rate_warms_up_and_decays(data: Path) -> None:
    run = trainer(data, stages=[{'steps': 1000, 'batch': 1, 'augmentation': {}}], warm_up=100)
    rates = [run.schedule(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(1)
    assert rates[-1] < 0.011
    assert all(a >= b for a, b in zip(rates[100:], rates[101:]))


def test_the_saved_network_speaks_metres(data: Path) -> None:
    """While training the head counts in units of 10 m; what is saved counts in metres."""
    run = trainer(data)
    image = run.batches.batch(0)[0]
    raw = run.average(image)['depth']
    metres = run.finished_network()(image)['depth']
    assert torch.allclose(metres, raw * 10, rtol=1e-3, atol=1e-3)
    assert metres.mean().item() == pytest.approx(30, abs=8)


def test_batches_depend_on_the_step_alone_and_mix_the_sources(data: Path) -> None:
    run = trainer(data)
    one, two = run.batches.batch(3), run.batches.batch(3)
    assert all(torch.equal(a, b) for a, b in zip(one, two))
    assert not torch.equal(one[0], run.batches.batch(4)[0])
    with_depth = (one[2].flatten(1).amax(1) > 0).sum().item()
    assert with_depth == 2, 'half of four images come from the scenes'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'learning_rat': 1}, "unknown keys .'learning_rat'."),
        ({'stages': [{'steps': 1}]}, 'missing keys'),
        ({'data': [{'kind': 'camvid', 'root': 'ELSEWHERE'}]}, '--data ELSEWHERE=FOLDER'),
    ],
)
def test_a_malformed_experiment_is_refused_at_once(data: Path, changes, message) -> None:
    with pytest.raises(TrainingError, match=message):
        train(experiment(data, **changes), data / 'run', roots={'DATA': data})


def test_a_loss_that_is_not_finite_stops_the_run(data: Path) -> None:
    run = trainer(data)
    image, labels, depth = run.batches.batch(0)
    with pytest.raises(TrainingError, match='not finite at step 0'):
        run.update((image * float('nan'), labels, depth))
