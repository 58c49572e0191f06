"""An experiment: one YAML file, one frozen dataclass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hydranet_ros.errors import TrainingError
from hydranet_ros.training.augmentation import AugmentationConfig
from hydranet_ros.training.data.source import DataSource

MIXINGS = ('mixed', 'alternating')
PRECISIONS = ('32-true', 'bf16-mixed', '16-mixed')


@dataclass(frozen=True)
class TrainingSource:
    """
    One data set of an experiment, and what of the network learns from it.

    In YAML the keys of the source and these stand side by side.

    :param weight: share of the images, relative to the other sources.
    :param channels: (first, last + 1) channel of the segmentation head that its classes are;
        ``None`` for all. The 46-way head of NYUD and KITTI is [0, 40] and [40, 46].
    """

    source: DataSource
    weight: float = 1.0
    channels: tuple[int, int] | None = None


@dataclass(frozen=True)
class NetworkSettings:
    """
    The network and its first weights.

    :param start: ``kaiming`` for training from random weights, ``paper`` draws from N(0, 0.01)
        and needs ``imagenet`` to train well.
    :param imagenet: file of ImageNet weights for the encoder, or a name in capitals.
    """

    encoder: str = 'mobilenet_v2'
    num_classes: int = 6
    tasks: tuple[str, ...] = ('segmentation', 'depth')
    start: str = 'kaiming'
    imagenet: str = ''
    frozen_batch_norm: bool = False


@dataclass(frozen=True)
class OptimiserSettings:
    """
    See :func:`~hydranet_ros.training.optimizer.build_optimiser`.

    :param kind: ``muon`` (with AdamW for what is no 1x1 convolution), ``adamw`` or ``sgd``.
    :param learning_rate: of the decoder; the encoder's is ``encoder_factor`` times that.
    :param matrix_rate: of 1x1 convolutions with ``muon``.
    :param clip: largest norm of the gradient of encoder and decoder, apart; 0 for none.
    """

    kind: str = 'muon'
    learning_rate: float = 0.00015
    encoder_factor: float = 8.0
    matrix_rate: float = 0.004
    momentum: float = 0.9
    weight_decay: float = 0.1
    clip: float = 1.0


@dataclass(frozen=True)
class ScheduleSettings:
    """
    See :func:`~hydranet_ros.training.schedules.rate`.

    :param kind: ``constant``, ``cosine``, ``poly``, ``step`` or ``onecycle``.
    :param warm_up: steps of linear warm-up; of ``onecycle`` the steps up to the peak.
    :param final: share of the peak rate at the end of ``cosine`` and ``onecycle``.
    :param first: share of the peak rate at the start of ``onecycle``.
    :param power: of ``poly``.
    :param milestones: steps after which ``step`` multiplies the rate by ``factor``.
    """

    kind: str = 'cosine'
    warm_up: int = 0
    final: float = 0.01
    first: float = 0.04
    power: float = 0.9
    milestones: tuple[int, ...] = ()
    factor: float = 0.1


@dataclass(frozen=True)
class LossSettings:
    """
    What is minimised.

    :param depth_loss: ``silog``, ``relative``, ``berhu``, or ``berhu_official`` with the official
        code's flaws.
    :param uncertainty: learn the weights of the tasks; else they are those given.
    :param smoothing: of labels in the cross entropy.
    :param variance_focus: of ``silog``; 0.85 leaves much of the scale unpunished, 0 nothing.
    :param depth_unit: metres that one unit of the raw depth output means while training; folded
        into the head when the weights are saved.
    :param depth_start: metres that an untrained head says.
    :param depth_limit: metres; what is farther is unknown.
    :param focal_length: pixels, of the camera whose depth scale is learnt.
    """

    segmentation: float = 1.0
    depth: float = 1.0
    normals: float = 1.0
    depth_loss: str = 'silog'
    uncertainty: bool = False
    smoothing: float = 0.0
    variance_focus: float = 0.5
    depth_unit: float = 1.0
    depth_start: float = 0.0
    depth_limit: float = 160.0
    focal_length: float = 721.5377


@dataclass(frozen=True)
class Stage:
    """Steps that share a crop size and a batch size (of each process)."""

    steps: int
    batch: int
    augmentation: AugmentationConfig


@dataclass(frozen=True)
class TrainConfig:
    """
    A training run.

    :param mixing: ``mixed`` draws each batch from all sources, ``alternating`` takes whole
        batches from one source after the other, by their weights.
    :param ema: decay of the average of the weights, which is what is measured and saved; 0: none.
    :param precision: Lightning's name of it.
    :param monitor: ``KIND/METRIC`` of the validation that chooses ``best.ckpt``; empty for none.
    :param accumulate: batches whose gradients make one step.
    :param workers: processes that prepare batches.
    """

    data: tuple[TrainingSource, ...]
    validation: tuple[TrainingSource, ...]
    stages: tuple[Stage, ...]
    network: NetworkSettings = field(default_factory=NetworkSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    seed: int = 1
    mixing: str = 'mixed'
    ema: float = 0.998
    accumulate: int = 1
    precision: str = '32-true'
    monitor: str = ''
    checkpoint_every: int = 200
    validate_every: int = 1000
    log_every: int = 10
    workers: int = 1

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


_PARTS: dict[str, type] = {
    'network': NetworkSettings, 'optimiser': OptimiserSettings,
    'schedule': ScheduleSettings, 'losses': LossSettings,
}  # fmt: skip
_ALLOWED: dict[str, tuple[str, ...]] = {
    'network.start': ('kaiming', 'paper'),
    'optimiser.kind': ('muon', 'adamw', 'sgd'),
    'schedule.kind': ('constant', 'cosine', 'poly', 'step', 'onecycle'),
    'losses.depth_loss': ('silog', 'relative', 'berhu', 'berhu_official'),
    'mixing': MIXINGS,
    'precision': PRECISIONS,
}


def load_config(path: Path) -> TrainConfig:
    """
    Read an experiment.

    :raises TrainingError: naming the file, the key and what is allowed.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as err:
        raise TrainingError(f'{path} cannot be read as an experiment: {err}') from err
    values = _checked(TrainConfig, raw, str(path))
    for key in ('data', 'validation'):
        rows = values[key]
        if not isinstance(rows, list) or (key == 'data' and not rows):
            raise TrainingError(f'{path}: {key}: got {rows!r}, expected a list of data sets.')
        values[key] = tuple(_source(row, f'{path}: {key}') for row in rows)
    if not isinstance(values['stages'], list) or not values['stages']:
        raise TrainingError(f'{path}: stages: got {values["stages"]!r}, expected a list.')
    values['stages'] = tuple(_stage(row, f'{path}: stages') for row in values['stages'])
    for key, cls in _PARTS.items():
        if key in values:
            values[key] = _made(cls, values[key], f'{path}: {key}')
    config = TrainConfig(**values)
    for key, allowed in _ALLOWED.items():
        got: Any = config
        for part in key.split('.'):
            got = getattr(got, part)
        if got not in allowed:
            raise TrainingError(f'{path}: {key} is {got!r}; allowed: {", ".join(allowed)}.')
    return config


def _source(raw: Any, where: str) -> TrainingSource:
    if not isinstance(raw, dict):
        raise TrainingError(f'{where}: got {raw!r}, expected a mapping with kind and root.')
    rest = dict(raw)
    own = {key: rest.pop(key) for key in ('weight', 'channels') if key in rest}
    if own.get('channels') is not None:
        own['channels'] = tuple(own['channels'])
    return TrainingSource(_made(DataSource, rest, where), **own)


def _stage(raw: Any, where: str) -> Stage:
    values = _checked(Stage, raw, where)
    inner = _made(AugmentationConfig, values['augmentation'], f'{where}.augmentation')
    return Stage(**{**values, 'augmentation': inner})


def _made(cls: type, raw: Any, where: str) -> Any:
    values = _checked(cls, raw, where)
    return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})


def _checked(cls: type, raw: Any, where: str) -> dict[str, Any]:
    fields = {item.name: item for item in dataclasses.fields(cls)}
    if not isinstance(raw, dict):
        raise TrainingError(f'{where}: got {raw!r}, expected a mapping with {sorted(fields)}.')
    unknown = sorted(set(raw) - set(fields))
    missing = sorted(
        name for name, item in fields.items()
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        and name not in raw
    )  # fmt: skip
    if unknown or missing:
        raise TrainingError(
            f'{where}: unknown keys {unknown}, missing keys {missing}; allowed: {sorted(fields)}.'
        )
    return dict(raw)
