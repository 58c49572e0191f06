"""Average checkpoints (Wortsman et al., "Model soups", ICML 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint, save_checkpoint


def average_checkpoints(paths: Sequence[Path], output: Path) -> Path:
    """
    Write the mean of the weights, and of the batch statistics, of networks of one architecture.

    The mean is often better than each network if all are fine-tuned from the same weights. It is
    useless for networks trained from different random weights.

    :param output: a checkpoint in the package's own format, written atomically. Counters, which
        have no mean, are those of the first file.
    :returns: ``output``.
    :raises CheckpointError: if there are fewer than two files, one cannot be read, or the
        architectures differ.
    """
    if len(paths) < 2:
        raise CheckpointError(f'Got {len(paths)} checkpoints; averaging needs two or more.')
    loaded = [load_checkpoint(path) for path in paths]
    first = loaded[0]
    for path, other in zip(paths[1:], loaded[1:]):
        if other.config != first.config:
            raise CheckpointError(
                f'{path} has another architecture than {paths[0]}: {other.config} instead of '
                f'{first.config}. Average checkpoints of one architecture.'
            )
    states = [checkpoint.network().state_dict() for checkpoint in loaded]
    mean = {
        key: (
            torch.stack([state[key] for state in states]).mean(0)
            if value.is_floating_point() else value
        )
        for key, value in states[0].items()
    }  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(Checkpoint(first.config, mean, first.origin).network(), output)
    return output
