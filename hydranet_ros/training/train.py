"""
Run a training recipe and save a checkpoint that can be exported.

The output folder holds ``last.ckpt`` (the state to resume from), ``best.ckpt`` if the recipe
names a metric, ``logs`` and ``tensorboard`` (one version for each start) and, at the end,
``final.ckpt``: the averaged weights in the format of the package.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateMonitor,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from hydranet_ros.errors import TrainingError
from hydranet_ros.network.checkpoints import load_checkpoint, load_encoder, save_checkpoint
from hydranet_ros.training.batches import BatchSource, BatchStream
from hydranet_ros.training.callbacks import AveragedWeights, Deadline, Validation
from hydranet_ros.training.config import TrainConfig, load_config
from hydranet_ros.training.data.catalog import check_dataset, open_dataset
from hydranet_ros.training.learner import JointLearner
from hydranet_ros.training.metric_table import find_metric


@dataclass(frozen=True)
class Hardware:
    """
    The hardware of a run, in the terms of Lightning.

    :param devices: number of devices on each of ``nodes`` machines.
    :param precision: overrides the recipe; empty for the recipe's.
    """

    accelerator: str = 'auto'
    devices: int = 1
    nodes: int = 1
    precision: str = ''


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
    Run a recipe and return its final checkpoint, or its last one if the run was stopped.

    :param roots: folder or file for each name in capitals in the recipe.
    :param resume: continue from ``output/last.ckpt``; without it an existing run is an error.
    :param init_from: checkpoint with the initial weights, of the same architecture; see
        :func:`~hydranet_ros.network.checkpoints.load_checkpoint` for the formats.
    :param max_time: stop after this time; the run can be resumed.
    :raises TrainingError: if the recipe is malformed, the output holds another run, or the loss
        is not finite.
    :raises DatasetError: before the first step, if data are missing or do not fit.
    """
    config, roots, hardware = load_config(config_path), roots or {}, hardware or Hardware()
    last = output / 'last.ckpt'
    if last.exists() and not resume:
        raise TrainingError(f'{last} exists. Add --resume to continue, or choose another folder.')
    seed_everything(config.seed, workers=True, verbose=False)
    sets = [open_dataset(item, roots) for item in config.data]
    validation = [open_dataset(item, roots) for item in config.validation]
    if not last.exists():
        for item, samples in zip((*config.data, *config.validation), (*sets, *validation)):
            first, end = item.channels or (0, config.network.num_classes)
            check_dataset(samples, end - first)
    learner = _learner(config, roots, None if last.exists() else init_from)
    with warnings.catch_warnings():
        # Lightning recommends logging services and more workers, and warns of files in the output.
        warnings.simplefilter('ignore')
        logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
        named = list(zip(config.validation_names, config.validation, validation))
        trainer = _trainer(config, output, hardware, max_time, Validation(named, last))
        batches = BatchSource(sets, config, rank=trainer.global_rank)
        _fit(trainer, learner, batches, last if last.exists() else None)
    if trainer.global_step < config.total_steps:
        if trainer.is_global_zero:
            print(f'Stopped at step {trainer.global_step} of {config.total_steps}; '
                  'continue with --resume.')  # fmt: skip
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
                f'The recipe needs the file {name}; give its path with --data {name}=FILE'
            )
        load_encoder(learner.network, roots.get(name, Path(name)))
    return learner


def _trainer(
    config: TrainConfig, output: Path, hardware: Hardware, max_time: timedelta | None,
    validation: Validation,
) -> Trainer:  # fmt: skip
    # Validation must come before AveragedWeights, which swaps the weights when training ends.
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
            mode=find_metric(config.monitored_metric).mode,
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
    Return the number of steps that a checkpoint of a run has completed.

    :raises TrainingError: if it is damaged, or holds another network than the recipe's.
    """
    try:
        state = torch.load(checkpoint, map_location='cpu', weights_only=True)
        there = {key: tuple(value.shape) for key, value in state['state_dict'].items()}
        done = int(state['global_step'])
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, AttributeError, ValueError,
            UnpicklingError) as err:  # fmt: skip
        raise TrainingError(
            f'{checkpoint} cannot be read as the checkpoint of a run ({err}). Start a new run in '
            'another folder; --init starts it from the weights of another checkpoint.'
        ) from err
    here = {key: tuple(value.shape) for key, value in learner.state_dict().items()}
    wrong = [key for key in sorted(here | there) if here.get(key) != there.get(key)]
    if wrong:
        shown = '; '.join(f'{key} is {there.get(key)}, expected {here.get(key)}'
                          for key in wrong[:3])  # fmt: skip
        raise TrainingError(
            f'{checkpoint} holds another network than the recipe defines ({shown}). Resume with '
            'the recipe that the run was started with, or choose another folder.'
        )
    return done
