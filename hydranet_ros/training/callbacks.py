"""Lightning callbacks of a training run: time limit, weight average, validation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, Timer, WeightAveraging
from torch import Tensor

from hydranet_ros.training.config import TrainingSource
from hydranet_ros.training.sample import Samples
from hydranet_ros.training.validation import measure


class Deadline(Timer):
    """Stops a run after a time that counts from its latest start, not from its first."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: Lightning would add the time of the earlier starts."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore nothing."""


class AveragedWeights(WeightAveraging):
    """The exponential moving average of the weights; see :func:`average`."""

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=partial(average, decay=decay))


def average(kept: Tensor, new: Tensor, count: Tensor | int, *, decay: float) -> Tensor:
    """
    Return the next exponential moving average of a tensor.

    The first steps use a lower decay, so that the initial weights vanish from the average.

    :param kept: the average after ``count`` steps.
    :param new: the tensor after the next step; replaces ``kept`` if it is not floating-point.
    """
    limited = min(decay, (1 + float(count)) / (10 + float(count)))
    return kept.lerp(new, 1 - limited) if kept.is_floating_point() else new


class Validation(Callback):
    """
    Measures the network on whole images, with the metrics of ``hydranet eval``.

    :param sets: name, source and samples of each validation set.
    :param last: checkpoint to write when the training ends or stops.
    """

    def __init__(self, sets: Sequence[tuple[str, TrainingSource, Samples]], last: Path) -> None:
        self._sets = sets
        self._last = last

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Save the trained weights before :class:`AveragedWeights` replaces them."""
        trainer.save_checkpoint(self._last)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Log and print ``SET/METRIC`` of every validation set."""
        config = pl_module.config
        for name, source, samples in self._sets:
            first, end = source.channels or (0, config.network.num_classes)
            row = measure(
                pl_module.predictor((first, end)), samples, num_classes=end - first,
                focal_length=config.losses.focal_length,
            )  # fmt: skip
            pl_module.log_dict(
                {f'{name}/{key}': torch.tensor(value, dtype=torch.float32)
                 for key, value in row.items()},
                sync_dist=False,
            )  # fmt: skip
            shown = '  '.join(f'{key} {value:.4g}' for key, value in row.items())
            if trainer.is_global_zero:
                print(f'step {trainer.global_step}: {name}: {shown}', flush=True)
