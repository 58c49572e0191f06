"""Training runs: checkpoints, resuming, refusals; real short runs on small images."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT, wait_for
from train_tools import STEPS, logged, run, write_recipe, write_sets

from hydranet_ros.errors import DatasetError, TrainingError
from hydranet_ros.network.checkpoints import load_checkpoint, save_checkpoint
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet
from hydranet_ros.training.config import load_config
from hydranet_ros.training.learner import JointLearner

ONE_THREAD = {**os.environ, 'OMP_NUM_THREADS': '1'}


@pytest.fixture(scope='module')
def finished(training_sets: Path, tmp_path_factory) -> Path:
    """Return the output of a run that came to its end."""
    folder = tmp_path_factory.mktemp('finished')
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe = write_recipe(folder, monitor='scenes/miou')
    assert run(training_sets, folder / 'run', recipe) == folder / 'run/final.ckpt'
    torch.set_num_threads(before)
    return folder / 'run'


def command(data: Path, recipe: Path, output: Path, *arguments: str) -> list[str]:
    return [sys.executable, '-m', 'hydranet_ros', 'train', str(recipe), '-o', str(output),
            '--data', f'DATA={data}', '--accelerator', 'cpu', *arguments]  # fmt: skip


def test_a_run_saves_a_network_that_loads(finished: Path) -> None:
    network = load_checkpoint(finished / 'final.ckpt').network()
    found = network(torch.zeros(1, 3, 32, 48))
    assert found['segmentation'].shape == (1, 6, 8, 12)
    assert found['depth'].shape == (1, 1, 8, 12)


def test_a_run_logs_its_losses_and_its_validation(finished: Path) -> None:
    losses = logged(finished, 'loss')
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]
    assert logged(finished, 'scenes/miou')[0] > 0
    assert math.isfinite(logged(finished, 'scenes/rmse')[0])
    assert list((finished / 'tensorboard').rglob('events.out.tfevents.*'))


def test_the_monitored_metric_selects_a_best_checkpoint(finished: Path) -> None:
    assert (finished / 'best.ckpt').is_file()


def test_every_batch_is_a_step(finished: Path) -> None:
    """Another implementation updated its weights once an epoch."""
    state = torch.load(finished / 'last.ckpt', weights_only=True)
    assert state['global_step'] == STEPS
    steps = [float(s['step']) for s in state['optimizer_states'][0]['state'].values()]
    assert set(steps) == {STEPS}


def test_the_final_checkpoint_has_the_averaged_weights(finished: Path) -> None:
    final = load_checkpoint(finished / 'final.ckpt').state
    last = torch.load(finished / 'last.ckpt', weights_only=True)
    key = 'decoder.heads.depth.pre.weight'
    assert torch.equal(final[key], last['state_dict'][f'network.{key}'])
    assert not torch.equal(final[key], last['current_model_state'][f'network.{key}'])


def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(
    training_sets: Path, tmp_path: Path
) -> None:
    """SIGKILL between two checkpoints, then ``--resume``."""
    stage = {'steps': 20, 'batch': 2, 'augmentation': {'crop': [32, 48], 'photometric': 0.2}}
    recipe = write_recipe(tmp_path, stages=[stage], workers=1, validate_every=20)
    last = tmp_path / 'parts/last.ckpt'
    killed = subprocess.Popen(
        command(training_sets, recipe, tmp_path / 'parts'), start_new_session=True, cwd=ROOT,
        env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: last.exists() or killed.poll() is not None, 120, 'no checkpoint')
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait(30) == -signal.SIGKILL, 'the run ended before it was killed'
    done = torch.load(last, weights_only=True)['global_step']
    assert done % 4 == 0 and 0 < done < 20
    two = run(training_sets, tmp_path / 'parts', recipe, resume=True)
    one = run(training_sets, tmp_path / 'whole', recipe)
    states = [load_checkpoint(path).state for path in (one, two)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_run_stops_at_its_time_limit_and_resumes(training_sets: Path, tmp_path: Path) -> None:
    stage = {'steps': 10_000, 'batch': 1, 'augmentation': {'crop': [32, 48]}}
    recipe = write_recipe(tmp_path, stages=[stage], validate_every=10_000)
    limit = timedelta(seconds=0.2)
    stopped = run(training_sets, tmp_path / 'run', recipe, max_time=limit)
    assert stopped.name == 'last.ckpt'
    first = torch.load(stopped, weights_only=True)['global_step']
    assert 0 < first < 10_000
    run(training_sets, tmp_path / 'run', recipe, resume=True, max_time=limit)
    assert torch.load(stopped, weights_only=True)['global_step'] > first


def test_an_existing_run_is_not_overwritten(training_sets: Path, tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/last.ckpt').write_bytes(b'')
    with pytest.raises(TrainingError, match='--resume'):
        run(training_sets, tmp_path / 'run')


def test_initial_weights_of_another_architecture_are_refused(
    training_sets: Path, tmp_path: Path
) -> None:
    save_checkpoint(build_hydranet(HydraNetConfig(num_classes=40)), tmp_path / 'given.ckpt')
    with pytest.raises(TrainingError, match='given.ckpt holds .*num_classes=40'):
        run(training_sets, tmp_path / 'run', init_from=tmp_path / 'given.ckpt')


@pytest.mark.parametrize('damage', ['truncated', 'another network'])
def test_a_run_is_not_resumed_from_an_unsuitable_checkpoint(
    training_sets: Path, tmp_path: Path, damage: str
) -> None:
    last = tmp_path / 'run/last.ckpt'
    last.parent.mkdir()
    if damage == 'truncated':
        torch.save({'state_dict': {}, 'global_step': 4}, last)
        last.write_bytes(last.read_bytes()[:-100])
    else:
        config = load_config(write_recipe(tmp_path, network={'num_classes': 40}))
        torch.save({'state_dict': JointLearner(config).state_dict(), 'global_step': 4}, last)
    with pytest.raises(TrainingError, match=r'last.ckpt .*(cannot be read|another network)'):
        run(training_sets, tmp_path / 'run', resume=True)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'data': [{'kind': 'camvid', 'root': 'ELSEWHERE'}]}, '--data ELSEWHERE=FOLDER'),
        ({'network': {'imagenet': 'IMAGENET'}}, '--data IMAGENET=FILE'),
    ],
)
def test_a_name_without_a_path_is_an_error(
    training_sets: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        run(training_sets, tmp_path / 'run', write_recipe(tmp_path, **changes))


def test_damaged_data_is_named_before_the_first_step(tmp_path: Path) -> None:
    data = write_sets(tmp_path / 'sets')
    cv2.imwrite(str(data / 'scenes/b.depth.png'), np.zeros((48, 64), np.uint8))
    with pytest.raises(DatasetError, match=r'b\.depth\.png'):
        run(data, tmp_path / 'run')
    assert not (tmp_path / 'run/last.ckpt').exists()


@pytest.mark.slow
def test_two_processes_train_one_network(training_sets: Path, tmp_path: Path) -> None:
    """DDP of Lightning on two CPU processes ends with one result."""
    stage = {'steps': 6, 'batch': 2, 'augmentation': {'crop': [32, 48]}}
    recipe = write_recipe(tmp_path, stages=[stage])
    output = tmp_path / 'run'
    subprocess.run(
        command(training_sets, recipe, output, '--devices', '2'), check=True, timeout=300,
        cwd=ROOT, env=ONE_THREAD,
    )  # fmt: skip
    assert load_checkpoint(output / 'final.ckpt').network()
    assert torch.load(output / 'last.ckpt', weights_only=True)['global_step'] == 6
