"""An experiment: one YAML file, one frozen dataclass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.augmentation import AugmentationConfig


@dataclass(frozen=True)
class DataSource:
    """
    One data set of an experiment.

    :param root: folder; a name in capitals stands for what ``--data NAME=FOLDER`` gives.
    :param weight: share of the images of a batch, relative to the other sources.
    """

    kind: str
    root: str
    split: str = 'train'
    weight: float = 1.0


@dataclass(frozen=True)
class Stage:
    """Steps that share a crop size and a batch size."""

    steps: int
    batch: int
    augmentation: AugmentationConfig


@dataclass(frozen=True)
class TrainConfig:
    """
    A training run.

    :param depth_focal_length: pixels, of the camera whose depth scale is learnt.
    :param depth_unit: metres that one unit of the raw depth output means while training; folded
        into the head when the weights are saved.
    :param matrix_rate: see :func:`~hydranet_ros.training.optimiser.build_optimisers`.
    :param encoder_factor: learning rate of the encoder relative to the decoder's.
    """

    data: tuple[DataSource, ...]
    validation: tuple[DataSource, ...]
    stages: tuple[Stage, ...]
    encoder: str = 'mobilenet_v2'
    num_classes: int = 6
    tasks: tuple[str, ...] = ('segmentation', 'depth')
    seed: int = 1
    learning_rate: float = 0.00015
    encoder_factor: float = 8.0
    matrix_rate: float = 0.004
    weight_decay: float = 0.1
    warm_up: int = 200
    clip: float = 1.0
    ema: float = 0.998
    depth_weight: float = 1.0
    depth_focal_length: float = 721.5377
    depth_unit: float = 10.0
    depth_limit: float = 160.0
    smoothing: float = 0.02
    checkpoint_every: int = 200
    validate_every: int = 1000
    bfloat16: bool = True
    threads: int = 0

    @property
    def total_steps(self) -> int:
        """Return the number of optimiser steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """Return the stage that step number ``step`` (from 0) belongs to."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]


def load_config(path: Path) -> TrainConfig:
    """
    Read an experiment.

    :raises TrainingError: naming the file, the key and the allowed keys.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as err:
        raise TrainingError(f'{path} cannot be read as an experiment: {err}') from err
    values = _checked(TrainConfig, raw, str(path))
    for key in ('data', 'validation'):
        values[key] = tuple(
            DataSource(**_checked(DataSource, row, f'{path}: {key}')) for row in values[key]
        )
    values['stages'] = tuple(_stage(row, f'{path}: stages') for row in values['stages'])
    if 'tasks' in values:
        values['tasks'] = tuple(values['tasks'])
    return TrainConfig(**values)


def _stage(raw: Any, where: str) -> Stage:
    values = _checked(Stage, raw, where)
    inner = _checked(AugmentationConfig, values['augmentation'], f'{where}.augmentation')
    for key in ('crop', 'scale'):
        if key in inner:
            inner[key] = tuple(inner[key])
    return Stage(**{**values, 'augmentation': AugmentationConfig(**inner)})


def _checked(cls: type, raw: Any, where: str) -> dict[str, Any]:
    fields = {item.name: item for item in dataclasses.fields(cls)}
    if not isinstance(raw, dict):
        raise TrainingError(f'{where}: got {raw!r}, expected a mapping with {sorted(fields)}.')
    unknown = sorted(set(raw) - set(fields))
    missing = sorted(
        name for name, item in fields.items()
        if item.default is dataclasses.MISSING and name not in raw
    )  # fmt: skip
    if unknown or missing:
        raise TrainingError(
            f'{where}: unknown keys {unknown}, missing keys {missing}; allowed: {sorted(fields)}.'
        )
    return dict(raw)
