"""The loop: real short runs on images written here, killed and resumed."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.network.checkpoints import load_checkpoint, save_checkpoint
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.batches import BatchSource, BatchStream
from hydranet_ros.training.config import load_config
from hydranet_ros.training.data.catalog import open_dataset
from hydranet_ros.training.learner import JointLearner
from hydranet_ros.training.train import Hardware, train

STEPS = 12
CPU = Hardware('cpu')


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
        'optimizer': {'kind': 'muon', 'learning_rate': 0.001, 'encoder_factor': 2},
        'schedule': {'kind': 'cosine', 'warm_up': 1},
        'losses': {'depth_unit': 10, 'depth_start': 30},
        'stages': [{'steps': STEPS, 'batch': 4, 'augmentation': {
            'crop': [32, 48], 'scale': [0.8, 1.2], 'photometric': 0.2}}],
        'checkpoint_every': 4, 'validate_every': STEPS, 'log_every': 1, 'workers': 0,
        **changes,
    }  # fmt: skip
    path = folder / 'experiment.yaml'
    path.write_text(yaml.safe_dump(raw))
    return path


def run(folder: Path, name: str = 'run', *, given: Path | None = None, **options: object) -> Path:
    return train(
        given or experiment(folder), folder / name, roots={'DATA': folder}, hardware=CPU, **options
    )


def learner(folder: Path, **changes: object) -> tuple[JointLearner, BatchSource]:
    config = load_config(experiment(folder, **changes))
    sets = [open_dataset(item, {'DATA': folder}) for item in config.data]
    torch.manual_seed(config.seed)
    return JointLearner(config).train(), BatchSource(sets, config)


def logged(output: Path, key: str) -> list[float]:
    rows = []
    for path in sorted((output / 'logs').glob('version_*/metrics.csv')):
        with path.open(encoding='utf-8') as handle:
            rows += [row for row in csv.DictReader(handle) if row.get(key)]
    return [float(row[key]) for row in rows]


def test_a_run_learns_and_leaves_a_checkpoint_that_loads(data: Path) -> None:
    given = experiment(data, monitor='scenes/miou')
    network = load_checkpoint(run(data, given=given)).network()
    found = network(torch.zeros(1, 3, 32, 48))
    assert found['segmentation'].shape == (1, 6, 8, 12)
    losses = logged(data / 'run', 'loss')
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]
    assert logged(data / 'run', 'scenes/miou')[0] > 0
    assert math.isfinite(logged(data / 'run', 'scenes/rmse')[0])
    assert list((data / 'run/tensorboard').rglob('events.out.tfevents.*'))
    assert (data / 'run/best.ckpt').is_file()


def test_the_loss_of_each_task_falls(data: Path) -> None:
    joint, source = learner(data)
    batch = source.batch(0)
    optimizer = joint.configure_optimizers()['optimizer']
    history = []
    for _ in range(STEPS):
        losses = joint.losses(batch)
        optimizer.zero_grad()
        joint.task_weights(losses, set(losses)).backward()
        joint.configure_gradient_clipping(optimizer)
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    assert history[-1]['segmentation'] < 0.7 * history[0]['segmentation']
    assert history[-1]['depth'] < 0.9 * history[0]['depth']


def test_every_batch_is_a_step(data: Path) -> None:
    """One of the other implementations updated its weights once an epoch."""
    run(data)
    state = torch.load(data / 'run/last.ckpt', weights_only=True)
    assert state['global_step'] == STEPS
    steps = [float(s['step']) for s in state['optimizer_states'][0]['state'].values()]
    assert set(steps) == {STEPS}


def command(data: Path, output: Path, *arguments: str) -> list[str]:
    return [sys.executable, '-m', 'hydranet_ros', 'train', str(data / 'experiment.yaml'),
            '-o', str(output), '--data', f'DATA={data}', '--accelerator', 'cpu',
            *arguments]  # fmt: skip


def test_a_run_killed_in_the_middle_goes_on_as_if_nothing_had_happened(data: Path) -> None:
    """SIGKILL between two checkpoints; the weights equal those of a run in one piece."""
    experiment(data, stages=[{'steps': 60, 'batch': 4, 'augmentation': {
        'crop': [32, 48], 'photometric': 0.2}}], workers=1)  # fmt: skip
    quiet = {**os.environ, 'OMP_NUM_THREADS': '1'}
    pipes = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL, 'cwd': ROOT, 'env': quiet}
    subprocess.run(command(data, data / 'whole'), check=True, timeout=240, **pipes)
    last = data / 'parts' / 'last.ckpt'
    killed = subprocess.Popen(command(data, data / 'parts'), start_new_session=True, **pipes)
    until = time.monotonic() + 90
    while not last.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait(10) == -signal.SIGKILL, 'it shall not have come to its end'
    done = torch.load(last, weights_only=True)['global_step']
    assert done % 4 == 0
    assert 0 < done < 60
    subprocess.run(command(data, data / 'parts', '--resume'), check=True, timeout=240, **pipes)
    one, two = (load_checkpoint(data / name / 'final.ckpt').state for name in ('whole', 'parts'))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_run_stops_when_its_time_is_up_and_goes_on(data: Path) -> None:
    given = experiment(data, stages=[{'steps': 10_000, 'batch': 2, 'augmentation': {
        'crop': [32, 48]}}])  # fmt: skip
    stopped = run(data, given=given, max_time=timedelta(seconds=2))
    assert stopped.name == 'last.ckpt'
    first = torch.load(stopped, weights_only=True)['global_step']
    assert 0 < first < 10_000
    run(data, given=given, resume=True, max_time=timedelta(seconds=2))
    assert torch.load(stopped, weights_only=True)['global_step'] > first


def test_an_existing_run_is_not_overwritten(data: Path) -> None:
    (data / 'run').mkdir()
    (data / 'run' / 'last.ckpt').write_bytes(b'')
    with pytest.raises(TrainingError, match='--resume'):
        run(data)


def test_a_run_starts_from_another_ones_end(data: Path) -> None:
    torch.manual_seed(5)
    network = build_hydranet(HydraNetConfig(), init='kaiming')
    save_checkpoint(network, data / 'given.ckpt')
    joint, _ = learner(data)
    joint.start_from(load_checkpoint(data / 'given.ckpt').network(), 'given.ckpt')
    image = torch.rand(1, 3, 32, 48)
    found = joint.eval().finished_network()(image)
    expected = network.eval()(image)
    assert torch.allclose(found['depth'], expected['depth'], rtol=1e-4, atol=1e-4)
    assert torch.equal(found['segmentation'], expected['segmentation'])


def test_a_checkpoint_of_another_shape_is_refused(data: Path) -> None:
    save_checkpoint(build_hydranet(HydraNetConfig(num_classes=40)), data / 'given.ckpt')
    with pytest.raises(TrainingError, match='given.ckpt holds .*num_classes=40'):
        run(data, init_from=data / 'given.ckpt')


@pytest.mark.parametrize('damage', ['cut', 'another network'])
def test_a_run_is_not_resumed_from_what_does_not_fit(data: Path, damage: str) -> None:
    last = data / 'run/last.ckpt'
    last.parent.mkdir()
    if damage == 'cut':
        torch.save({'state_dict': {}, 'global_step': 4}, last)
        last.write_bytes(last.read_bytes()[:-100])
    else:
        other = JointLearner(load_config(experiment(data, network={'num_classes': 40})))
        torch.save({'state_dict': other.state_dict(), 'global_step': 4}, last)
    with pytest.raises(TrainingError, match=r'last.ckpt .*(cannot be read|another network)'):
        run(data, resume=True)


@pytest.mark.parametrize('kept', ['labels', 'depth', 'nothing'])
@pytest.mark.parametrize('uncertainty', [False, True])
def test_a_batch_that_lacks_annotations_trains_without_nan(
    data: Path, kept: str, uncertainty: bool
) -> None:
    joint, source = learner(data, losses={'uncertainty': uncertainty, 'depth_start': 30})
    batch = source.batch(0)
    if kept != 'labels':
        batch = batch._replace(labels=torch.full_like(batch.labels, 255))
    if kept != 'depth':
        batch = batch._replace(depth=torch.zeros_like(batch.depth))
    joint.log = lambda *_, **__: None  # without a trainer nobody listens
    joint.training_step(batch, 0).backward()
    losses = joint.losses(batch)
    assert (losses['segmentation'] > 0) == (kept == 'labels')
    assert (losses['depth'] > 0) == (kept == 'depth')
    heads = joint.network.decoder.heads
    for task, annotation in (('segmentation', 'labels'), ('depth', 'depth')):
        gradients = [p.grad for p in heads[task].parameters()]
        assert all(torch.isfinite(g).all() for g in gradients), 'DDP wants a gradient for each'
        assert any(g.abs().max() > 0 for g in gradients) == (kept == annotation)


def test_each_data_set_teaches_its_own_slice_of_the_head(data: Path) -> None:
    """46 channels: what has only NYUD's labels leaves KITTI's channels alone."""
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'channels': [40, 46]},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'channels': [0, 40]}]  # fmt: skip
    joint, source = learner(
        data, data=rows, network={'num_classes': 46}, mixing='alternating', validation=[]
    )
    touched = []
    for number in range(2):
        batch = source.batch(number)
        joint.zero_grad()
        joint.losses(batch)['segmentation'].backward()
        gradient = joint.network.decoder.heads['segmentation'].out.bias.grad
        touched.append(gradient.nonzero()[:, 0].tolist())
    assert sorted(map(len, touched)) == [6, 40]
    assert sorted(sum(touched, [])) == list(range(46))


def test_a_mixed_batch_counts_every_labelled_pixel_alike(data: Path) -> None:
    """The loss of two slices together is the mean over pixels, not over slices."""
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'channels': [0, 6]},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'channels': [0, 6]}]  # fmt: skip
    joint, source = learner(data, data=rows)
    joint.eval()
    batch = source.batch(0)
    same = joint.losses(batch)['segmentation']
    wide = batch.channels.clone()
    joint_wide, _ = learner(data, data=rows, network={'num_classes': 12})
    with torch.no_grad():
        states = joint_wide.network.state_dict()
        for key, value in joint.network.state_dict().items():
            head = key.startswith('decoder.heads.segmentation.out')
            states[key] = torch.cat([value, value]) if head else value
        joint_wide.network.load_state_dict(states)
    wide[2:] += 6
    split = joint_wide.eval().losses(batch._replace(channels=wide))['segmentation']
    assert split.item() == pytest.approx(same.item(), rel=1e-5)


def test_frozen_batch_norms_keep_their_statistics(data: Path) -> None:
    joint, source = learner(data, network={'frozen_batch_norm': True})
    before = {k: v.clone() for k, v in joint.network.named_buffers()}
    joint.train()
    joint.losses(source.batch(0))
    assert all(torch.equal(before[k], v) for k, v in joint.network.named_buffers())


def test_the_saved_network_speaks_metres(data: Path) -> None:
    """While training the head counts in units of 10 m; what is saved counts in metres."""
    joint, source = learner(data)
    image = source.batch(0).image
    joint.eval()
    network = joint.finished_network()
    metres = network(network.normalize(image))['depth']
    assert torch.allclose(metres, joint(image)['depth'], rtol=1e-3, atol=1e-3)
    assert metres.mean().item() == pytest.approx(30, abs=8)


def test_batches_depend_on_their_number_and_the_process_alone_and_mix_the_sources(
    data: Path,
) -> None:
    joint, source = learner(data)
    one, two = source.batch(3), source.batch(3)
    assert all(torch.equal(a, b) for a, b in zip(one, two))
    assert not torch.equal(one.image, source.batch(4).image)
    sets = [open_dataset(item, {'DATA': data}) for item in joint.config.data]
    other = BatchSource(sets, joint.config, rank=1).batch(3)
    assert not torch.equal(one.image, other.image), 'each process of several sees its own'
    with_depth = (one.depth.flatten(1).amax(1) > 0).sum().item()
    assert with_depth == 2, 'half of four images come from the scenes'


def test_alternating_batches_keep_to_the_weights(data: Path) -> None:
    rows = [{'kind': 'camvid', 'root': 'DATA/camvid', 'weight': 1},
            {'kind': 'scenes', 'root': 'DATA/scenes', 'weight': 3}]  # fmt: skip
    _, source = learner(data, data=rows, mixing='alternating')
    turns = [source._source_of(number) for number in range(40)]
    assert turns.count(0) == 10
    assert all(sorted(turns[i : i + 4]) == [0, 1, 1, 1] for i in range(0, 40, 4))


def test_workers_keep_the_order_of_the_batches(data: Path) -> None:
    _, source = learner(data)
    loader = torch.utils.data.DataLoader(BatchStream(source, 2, 9), batch_size=None, num_workers=2)
    found = list(loader)
    assert len(found) == 7
    assert all(
        torch.equal(batch.image, source.batch(2 + i).image) for i, batch in enumerate(found)
    )


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'learning_rat': 1}, "unknown key 'learning_rat'"),
        ({'optimizer': {'kind': 'sdg'}}, "optimizer.kind: got 'sdg'; allowed: muon, adamw, sgd"),
        ({'losses': {'depth_loss': 'huber'}}, 'losses.depth_loss'),
        ({'stages': [{'steps': 1}]}, r"stages\[0\]: missing key 'batch', 'augmentation'"),
        ({'stages': []}, 'stages is empty'),
        ({'data': []}, 'data is empty'),
        ({'data': [{'kind': 'camvid', 'root': 'ELSEWHERE'}]}, '--data ELSEWHERE=FOLDER'),
        ({'network': {'imagenet': 'IMAGENET'}}, '--data IMAGENET=FILE'),
    ],
)
def test_a_malformed_experiment_is_refused_at_once(data: Path, changes, message) -> None:
    with pytest.raises(TrainingError, match=message):
        run(data, given=experiment(data, **changes))


def test_bad_data_is_named_before_the_first_step(data: Path) -> None:
    path = data / 'scenes/b.depth.png'
    cv2.imwrite(str(path), np.zeros((48, 64), np.uint8))
    with pytest.raises(DatasetError, match=r'b\.depth\.png'):
        run(data)
    assert not (data / 'run/last.ckpt').exists()


def test_a_loss_that_is_not_finite_stops_the_run(data: Path) -> None:
    joint, source = learner(data)
    with torch.no_grad():
        joint.network.decoder.heads['depth'].out.weight.fill_(float('nan'))
    with pytest.raises(TrainingError, match='not finite at step 0'):
        joint.training_step(source.batch(0), 0)


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'config/train').glob('*.yaml')), ids=lambda p: p.stem
)
def test_every_experiment_that_ships_is_well_formed(path: Path) -> None:
    config = load_config(path)
    learner = JointLearner(config)
    assert learner.configure_optimizers()['optimizer'].param_groups
    for source in config.data:
        first, end = source.channels or (0, config.network.num_classes)
        assert 0 <= first < end <= config.network.num_classes


@pytest.mark.slow
def test_two_processes_train_one_network(data: Path) -> None:
    """Lightning's DDP on two CPU processes: both come to the end with one result."""
    experiment(data, stages=[{'steps': 6, 'batch': 2, 'augmentation': {'crop': [32, 48]}}])
    subprocess.run(
        command(data, data / 'run', '--devices', '2'), check=True, timeout=180, cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )  # fmt: skip
    assert load_checkpoint(data / 'run/final.ckpt').network()
    assert torch.load(data / 'run/last.ckpt', weights_only=True)['global_step'] == 6
