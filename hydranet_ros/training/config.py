"""Training recipes: one YAML file is one :class:`TrainConfig`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hydranet_ros.errors import TrainingError
from hydranet_ros.model_files.yaml_config import load_yaml
from hydranet_ros.training.augmentation import AugmentationConfig
from hydranet_ros.training.data.source import DataSource
from hydranet_ros.training.metric_table import find_metric


@dataclass(frozen=True)
class TrainingSource(DataSource):
    """
    A data set of a recipe.

    :param weight: share of the images, relative to the other sources.
    :param channels: (first, last + 1) channel of the segmentation head for its classes; ``None``
        for all. In the 46-channel head of NYUD and KITTI they are [0, 40] and [40, 46].
    """

    weight: float = 1.0
    channels: tuple[int, int] | None = None


@dataclass(frozen=True)
class NetworkSettings:
    """
    The network and its initial weights.

    :param start: ``kaiming`` for training from random weights; ``paper`` draws from N(0, 0.01)
        and needs ``imagenet`` to train well.
    :param imagenet: file of ImageNet weights for the encoder, or a name in capitals that the
        command line replaces by a file.
    :param frozen_batch_norm: keep the statistics of the batch normalization.
    """

    encoder: str = 'mobilenet_v2'
    num_classes: int = 6
    tasks: tuple[str, ...] = ('segmentation', 'depth')
    start: Literal['kaiming', 'paper'] = 'kaiming'
    imagenet: str = ''
    frozen_batch_norm: bool = False


@dataclass(frozen=True)
class OptimizerSettings:
    """
    Settings of :func:`~hydranet_ros.training.optimizer.build_optimizer`.

    :param kind: ``muon`` trains 1x1 convolutions by Muon and the rest by AdamW.
    :param learning_rate: of the decoder; the encoder's is ``encoder_factor`` times that.
    :param matrix_rate: learning rate of the 1x1 convolutions with ``muon``.
    :param clip: largest gradient norm, of encoder and decoder separately; 0 for no limit.
    """

    kind: Literal['muon', 'adamw', 'sgd'] = 'muon'
    learning_rate: float = 0.00015
    encoder_factor: float = 8.0
    matrix_rate: float = 0.004
    momentum: float = 0.9
    weight_decay: float = 0.1
    clip: float = 1.0


@dataclass(frozen=True)
class ScheduleSettings:
    """
    Settings of :func:`~hydranet_ros.training.schedules.rate`.

    :param warm_up: steps of linear warm-up; for ``onecycle`` the steps up to the peak.
    :param final: share of the peak rate at the end of ``cosine`` and ``onecycle``.
    :param first: share of the peak rate at the start of ``onecycle``.
    :param power: exponent of ``poly``.
    :param milestones: steps after which ``step`` multiplies the rate by ``factor``.
    """

    kind: Literal['constant', 'cosine', 'poly', 'step', 'onecycle'] = 'cosine'
    warm_up: int = 0
    final: float = 0.01
    first: float = 0.04
    power: float = 0.9
    milestones: tuple[int, ...] = ()
    factor: float = 0.1


@dataclass(frozen=True)
class LossSettings:
    """
    Losses and their weights.

    :param segmentation, depth, normals: weight of each task.
    :param depth_loss: ``berhu_official`` reproduces the flaws of the official code.
    :param uncertainty: learn the task weights, starting from the given ones.
    :param smoothing: label smoothing of the cross entropy.
    :param variance_focus: of ``silog``; 0.85 hardly penalizes an error of the scale, 0 fully.
    :param depth_unit: meters per unit of the raw depth output during training; the saved weights
        contain it.
    :param depth_start: meters that an untrained head predicts.
    :param depth_limit: meters; farther depth counts as unknown.
    :param focal_length: pixels, of the camera whose depth scale the network learns.
    """

    segmentation: float = 1.0
    depth: float = 1.0
    normals: float = 1.0
    depth_loss: Literal['silog', 'relative', 'berhu', 'berhu_official'] = 'silog'
    uncertainty: bool = False
    smoothing: float = 0.0
    variance_focus: float = 0.5
    depth_unit: float = 1.0
    depth_start: float = 0.0
    depth_limit: float = 160.0
    focal_length: float = 721.5377


@dataclass(frozen=True)
class Stage:
    """A number of steps with one crop size and one batch size (of each process)."""

    steps: int
    batch: int
    augmentation: AugmentationConfig


@dataclass(frozen=True)
class TrainConfig:
    """
    A training recipe.

    :param mixing: ``mixed`` draws each batch from all sources; ``alternating`` takes whole
        batches from one source after the other, in proportion to their weights.
    :param ema: decay of the moving average of the weights, which is validated and saved; 0 for
        none.
    :param accumulate: number of batches whose gradients make one step.
    :param precision: numeric precision, as Lightning names it.
    :param monitor: validation metric ``SET/METRIC`` that selects ``best.ckpt``, with one of
        :attr:`validation_names`; empty for none.
    :param workers: number of processes that prepare batches.
    :raises TrainingError: if ``data`` or ``stages`` is empty, or ``monitor`` names an unknown
        set or metric.
    """

    data: tuple[TrainingSource, ...]
    validation: tuple[TrainingSource, ...]
    stages: tuple[Stage, ...]
    network: NetworkSettings = field(default_factory=NetworkSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    seed: int = 1
    mixing: Literal['mixed', 'alternating'] = 'mixed'
    ema: float = 0.998
    accumulate: int = 1
    precision: Literal['32-true', 'bf16-mixed', '16-mixed'] = '32-true'
    monitor: str = ''
    checkpoint_every: int = 200
    validate_every: int = 1000
    log_every: int = 10
    workers: int = 1

    def __post_init__(self) -> None:
        for name in ('data', 'stages'):
            if not getattr(self, name):
                raise TrainingError(f'{name} is empty; expected one or more entries.')
        if self.monitor:
            find_metric(self.monitored_metric)
            if self.monitor.rpartition('/')[0] not in self.validation_names:
                raise TrainingError(
                    f'monitor is {self.monitor!r}; expected SET/METRIC with one of the sets: '
                    f'{", ".join(self.validation_names) or "none, as validation is empty"}.'
                )

    @property
    def monitored_metric(self) -> str:
        """Return the metric of ``monitor``."""
        return self.monitor.rpartition('/')[2]

    @property
    def validation_names(self) -> tuple[str, ...]:
        """Return a name of each validation set: its kind, numbered if several have that kind."""
        kinds = [source.kind for source in self.validation]
        return tuple(
            kind if kinds.count(kind) == 1 else f'{kind}{index}'
            for index, kind in enumerate(kinds)
        )

    @property
    def total_steps(self) -> int:
        """Return the number of optimizer steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """Return the stage of step number ``step`` (from 0)."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]


def load_config(path: Path) -> TrainConfig:
    """
    Read a training recipe.

    :raises TrainingError: naming the file, the key and what is allowed.
    """
    return load_yaml(path, TrainConfig, error=TrainingError)
