"""Checkpoints of one architecture are averaged weight by weight."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='PyTorch is not installed (extra: train)')

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.average import average_checkpoints
from hydranet_ros.network.checkpoints import load_checkpoint, save_checkpoint
from hydranet_ros.network.hydranet import HydraNetConfig, build_hydranet


def saved(path: Path, classes: int = 6) -> Path:
    network = build_hydranet(HydraNetConfig(num_classes=classes))
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith('running_var'):
                buffer.uniform_(0.5, 2)
            elif name.endswith('num_batches_tracked'):
                buffer.fill_(3)
    save_checkpoint(network, path)
    return path


def test_weights_and_batch_statistics_are_means_and_counters_are_kept(tmp_path: Path):
    paths = [saved(tmp_path / f'{index}.ckpt') for index in range(3)]
    found = load_checkpoint(average_checkpoints(paths, tmp_path / 'new' / 'mean.ckpt'))
    states = [load_checkpoint(path).state for path in paths]
    assert found.config == load_checkpoint(paths[0]).config
    assert set(found.state) == set(states[0])
    for key, value in found.state.items():
        expected = sum(state[key].double() for state in states) / 3
        assert torch.allclose(value.double(), expected, atol=1e-6), key
        assert value.dtype == states[0][key].dtype


def test_different_architectures_and_single_files_are_refused(tmp_path: Path):
    paths = [saved(tmp_path / 'six.ckpt'), saved(tmp_path / 'forty.ckpt', classes=40)]
    with pytest.raises(CheckpointError, match=r'forty\.ckpt has another architecture'):
        average_checkpoints(paths, tmp_path / 'mean.ckpt')
    with pytest.raises(CheckpointError, match='Got 1 checkpoints'):
        average_checkpoints(paths[:1], tmp_path / 'mean.ckpt')
    assert not (tmp_path / 'mean.ckpt').exists()
