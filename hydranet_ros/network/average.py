"""The mean of several checkpoints' weights (Wortsman et al., "Model soups", ICML 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from hydranet_ros.errors import CheckpointError
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint, save_checkpoint


def average_checkpoints(paths: Sequence[Path], output: Path) -> Path:
    """
    Write the mean of the weights, and of the batch statistics, of networks of one shape.

    It makes sense where one began from the other, or all from the same: then the mean is often
    better than each. Means of networks from different random weights are worthless.

    :param output: a checkpoint in the package's own format; written whole or not at all.
    :returns: ``output``.
    :raises CheckpointError: fewer than two files, one that cannot be read, or another network.
    """
    if len(paths) < 2:
        raise CheckpointError(f'Got {len(paths)} checkpoints to average; expected two or more.')
    loaded = [load_checkpoint(path) for path in paths]
    first = loaded[0]
    for path, other in zip(paths[1:], loaded[1:]):
        if other.config != first.config:
            raise CheckpointError(
                f'{path} holds another network than {paths[0]}: {other.config} instead of '
                f'{first.config}. Only networks of one shape have a mean.'
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
