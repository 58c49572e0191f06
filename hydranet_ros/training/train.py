"""
A training run, from an experiment to a checkpoint that can be exported.

The output folder holds ``last.ckpt`` (all that is needed to go on), ``best.ckpt`` where the
experiment names a metric, ``logs`` (CSV and TensorBoard, one version a start) and, at the end,
``final.ckpt``: the averaged weights in the package's own format.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateMonitor,
    ModelCheckpoint,
    RichProgressBar,
    Timer,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from hydranet_ros.errors import TrainingError
from hydranet_ros.network.checkpoints import load_checkpoint, load_encoder, save_checkpoint
from hydranet_ros.training.batches import BatchSource, BatchStream
from hydranet_ros.training.config import TrainConfig, TrainingSource, load_config
from hydranet_ros.training.data.catalog import check_dataset, open_dataset
from hydranet_ros.training.learner import JointLearner
from hydranet_ros.training.sample import Samples
from hydranet_ros.training.validation import measure


@dataclass(frozen=True)
class Hardware:
    """
    Where a run runs, in Lightning's words.

    :param devices: how many on each of ``nodes`` machines.
    :param precision: instead of the experiment's; empty for that.
    """

    accelerator: str = 'auto'
    devices: int = 1
    nodes: int = 1
    precision: str = ''


class Deadline(Timer):
    """Stops this start of a run after a while; how long earlier ones took does not count."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: Lightning would add the time of the run that is gone on with."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over nothing."""


class AveragedWeights(WeightAveraging):
    """An exponential average of the weights that forgets the first steps quickly."""

    def __init__(self, decay: float) -> None:
        def average(kept: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
            now = min(decay, (1 + float(count)) / (10 + float(count)))
            return kept.lerp(new, 1 - now) if kept.is_floating_point() else new

        super().__init__(avg_fn=average)


class Validation(Callback):
    """
    Measures the network on whole images, each set by the metrics of ``hydranet eval``.

    :param last: where all is saved when the training ends, in time or at its end.
    """

    def __init__(self, sets: Sequence[tuple[str, TrainingSource, Samples]], last: Path) -> None:
        self._sets = sets
        self._last = last

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Save before the average takes the place of the weights that training goes on with."""
        trainer.save_checkpoint(self._last)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Log ``SET/METRIC`` of every set."""
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


def train(
    config_path: Path,
    output: Path,
    *,
    roots: Mapping[str, Path] | None = None,
    resume: bool = False,
    init_from: Path | None = None,
    max_time: timedelta | None = None,
    hardware: Hardware | None = None,
) -> Path:
    """
    Run an experiment and return the path of its final checkpoint, or of the last one if it was
    stopped before its end.

    :param roots: what the capital names of the experiment's data sources stand for.
    :param resume: go on from ``output/last.ckpt``; without it an existing run is refused.
    :param init_from: start from the weights of a checkpoint of the same shape, any that
        :func:`~hydranet_ros.network.checkpoints.load_checkpoint` reads.
    :param max_time: stop, ready to go on, after so long.
    :raises TrainingError: if the experiment is malformed, the output holds another run, or the
        loss is not finite.
    :raises DatasetError: if data are missing or do not fit; before the first step.
    """
    config, roots, hardware = load_config(config_path), roots or {}, hardware or Hardware()
    last = output / 'last.ckpt'
    if last.exists() and not resume:
        raise TrainingError(f'{last} exists. Add --resume to go on, or choose another folder.')
    seed_everything(config.seed, workers=True, verbose=False)
    sets = [open_dataset(item.source, roots) for item in config.data]
    checked = [(name, item, open_dataset(item.source, roots)) for name, item in _named(config)]
    if not last.exists():
        for item, samples in (*zip(config.data, sets), *((b, c) for _, b, c in checked)):
            first, end = item.channels or (0, config.network.num_classes)
            check_dataset(samples, end - first)
    learner = _learner(config, roots, None if last.exists() else init_from)
    with warnings.catch_warnings():
        # Advice on logging services, on workers, on a folder that shall hold more than one file.
        warnings.simplefilter('ignore')
        logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
        trainer = _trainer(config, output, hardware, max_time, Validation(checked, last))
        batches = BatchSource(sets, config, rank=trainer.global_rank)
        _fit(trainer, learner, batches, last if last.exists() else None)
    if trainer.global_step < config.total_steps:
        if trainer.is_global_zero:
            print(f'Stopped at step {trainer.global_step} of {config.total_steps}; '
                  'go on with --resume.')  # fmt: skip
        return last
    final = output / 'final.ckpt'
    if trainer.is_global_zero:
        save_checkpoint(learner.finished_network(), final)
    return final


def _learner(
    config: TrainConfig, roots: Mapping[str, Path], init_from: Path | None
) -> JointLearner:
    learner = JointLearner(config)
    if init_from is not None:
        learner.start_from(load_checkpoint(init_from).network(), str(init_from))
    elif config.network.imagenet:
        name = config.network.imagenet
        if name.isupper() and name not in roots:
            raise TrainingError(
                f'The experiment names the file {name}; say where it is: --data {name}=FILE'
            )
        load_encoder(learner.network, roots.get(name, Path(name)))
    return learner


def _trainer(
    config: TrainConfig, output: Path, hardware: Hardware, max_time: timedelta | None,
    validation: Validation,
) -> Trainer:  # fmt: skip
    # The validation stands before the average, which swaps the weights back when it ends.
    callbacks: list[Callback] = [
        validation,
        *([AveragedWeights(config.ema)] if config.ema else []),
        ModelCheckpoint(
            dirpath=output, filename='last', every_n_train_steps=config.checkpoint_every,
            save_top_k=1, save_on_exception=True, enable_version_counter=False,
        ),
        LearningRateMonitor('step'),
        RichProgressBar(),
    ]  # fmt: skip
    if max_time is not None:
        callbacks.append(Deadline(max_time, verbose=False))
    if config.monitor:
        callbacks.append(ModelCheckpoint(
            dirpath=output, filename='best', monitor=config.monitor,
            mode='max' if config.monitor.endswith(('miou', 'accuracy', 'delta1')) else 'min',
            enable_version_counter=False,
        ))  # fmt: skip
    return Trainer(
        accelerator=hardware.accelerator, devices=hardware.devices,
        num_nodes=hardware.nodes, precision=hardware.precision or config.precision,  # type: ignore[arg-type]
        max_epochs=-1, max_steps=config.total_steps,
        accumulate_grad_batches=config.accumulate,
        val_check_interval=config.validate_every * config.accumulate,
        check_val_every_n_epoch=None, num_sanity_val_steps=0,
        log_every_n_steps=config.log_every, callbacks=callbacks,
        logger=[CSVLogger(output, name='logs'), TensorBoardLogger(output, name='tensorboard')],
        use_distributed_sampler=False, enable_model_summary=False,
    )  # fmt: skip


def _fit(
    trainer: Trainer, learner: JointLearner, batches: BatchSource, checkpoint: Path | None
) -> None:
    config = learner.config
    done = 0
    if checkpoint is not None:
        done = _steps_done(checkpoint, learner)
    stream = BatchStream(batches, done * config.accumulate, config.total_steps * config.accumulate)
    loader = DataLoader(
        stream, batch_size=None, num_workers=config.workers, pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if config.workers else None,
    )  # fmt: skip
    trainer.fit(
        learner, loader, DataLoader([0], batch_size=None),  # type: ignore[arg-type]
        ckpt_path=checkpoint, weights_only=True,
    )  # fmt: skip


def _steps_done(checkpoint: Path, learner: JointLearner) -> int:
    """
    Return how many steps a checkpoint of a run has behind it.

    :raises TrainingError: if it is damaged, or of another network than the experiment's.
    """
    try:
        state = torch.load(checkpoint, map_location='cpu', weights_only=True)
        there = {key: tuple(value.shape) for key, value in state['state_dict'].items()}
        done = int(state['global_step'])
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, AttributeError, ValueError,
            UnpicklingError) as err:  # fmt: skip
        raise TrainingError(
            f'{checkpoint} cannot be read as the checkpoint of a run ({err}). Start anew in '
            'another folder, with --init for weights that are left.'
        ) from err
    here = {key: tuple(value.shape) for key, value in learner.state_dict().items()}
    wrong = [key for key in sorted(here | there) if here.get(key) != there.get(key)]
    if wrong:
        shown = '; '.join(f'{key}: {there.get(key)} there, {here.get(key)} here'
                          for key in wrong[:3])  # fmt: skip
        raise TrainingError(
            f'{checkpoint} is of another network than the experiment ({shown}). Resume with the '
            'experiment it was started with, or choose another folder.'
        )
    return done


def _named(config: TrainConfig) -> list[tuple[str, TrainingSource]]:
    """Give every validation set a name: its kind, numbered where there are several."""
    kinds = [item.source.kind for item in config.validation]
    return [
        (kind if kinds.count(kind) == 1 else f'{kind}{index}', item)
        for index, (kind, item) in enumerate(zip(kinds, config.validation))
    ]
