"""
Open the models that evaluation measures and distillation takes as teachers.

An exported model runs in the node's engine and carries its classes and camera. A checkpoint runs
in PyTorch; a preset provides its classes and camera.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from hydranet_ros.errors import ModelError
from hydranet_ros.model_files.metadata import ClassInfo
from hydranet_ros.model_files.preset import ExportFacts, Preset
from hydranet_ros.network.checkpoints import Checkpoint, load_checkpoint
from hydranet_ros.network.fit import require_fit
from hydranet_ros.network.hydranet import HydraNet

if TYPE_CHECKING:
    from hydranet_ros.inference.engine import Engine

# The preset of a checkpoint for which none is given, by its number of classes.
_PRESET_BY_CLASSES = {6: 'kitti', 40: 'nyud', 46: 'nyud_kitti'}
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenedCheckpoint:
    """
    A checkpoint's network, ready to run, with the classes and the camera of a preset.

    :param network: in evaluation mode, channels last, on ``device``.
    :param origin: as :attr:`~hydranet_ros.network.checkpoints.Checkpoint.origin`.
    :param facts: classes, channels, depth range and focal length.
    :param device: ``cuda`` where there is one, else ``cpu``.
    """

    network: HydraNet
    origin: str
    preset: str
    domain: str
    facts: ExportFacts
    device: str

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the tasks of the network."""
        return self.network.config.tasks

    @property
    def channels(self) -> tuple[int, int]:
        """Return (first, last + 1) channel of the segmentation head that the classes use."""
        return self.facts.class_slice or (0, len(self.facts.classes))


def is_exported(name: str | Path) -> bool:
    """Return whether a file name is that of an ONNX model rather than of a checkpoint."""
    return str(name).lower().endswith('.onnx')


def open_checkpoint(
    path: Path, preset: str = '', domain: str = '', classes: tuple[ClassInfo, ...] = ()
) -> OpenedCheckpoint:
    """
    Open a checkpoint of any layout that :mod:`hydranet_ros.network.checkpoints` reads.

    :param preset: provides classes, focal length and depth range; by default the paper's preset
        with the checkpoint's number of classes.
    :param domain: one of the preset's domains; by default the one with ``classes``, else the
        preset's default.
    :param classes: classes of the data to be measured.
    :raises CheckpointError: if the file cannot be read or does not fit the preset.
    :raises ModelError: if no preset is given and none has the checkpoint's number of classes.
    :raises PresetError: if the preset or its domain does not exist.
    """
    checkpoint = load_checkpoint(path)
    preset = preset or _preset_of(checkpoint, path)
    loaded = Preset.load(preset)
    domain = domain or _domain_of(loaded, classes)
    facts = loaded.model(domain).export
    require_fit(checkpoint, path, facts, preset)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    network = checkpoint.network().to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return OpenedCheckpoint(network, checkpoint.origin, preset, domain, facts, device)


def open_engine(
    path: Path, provider: str = 'auto', threads: int = 0, precision: str = 'float32'
) -> Engine:
    """
    Open an exported model; log a warning for each better provider that cannot be used.

    ``auto`` is an NVIDIA GPU if there is one, else ONNX Runtime on the CPU: a choice by
    measurement, as in the node, could change the bytes of a resumed run.

    :raises ModelError: if the file is missing, damaged, or has no metadata.
    :raises ProviderError: if a requested provider cannot be used.
    """
    from hydranet_ros.inference.engine import PROVIDERS, Engine, EngineOptions

    if provider == 'auto' and not any(
        item.on_gpu and item.missing() is None for item in PROVIDERS.values()
    ):
        provider = 'cpu'
    engine = Engine(path, EngineOptions(provider, precision, threads))
    log_warnings(engine.warnings)
    return engine


def log_warnings(warnings: Iterable[str]) -> None:
    """Log the warnings of an engine or a session."""
    for text in warnings:
        logger.warning(text)


def _preset_of(checkpoint: Checkpoint, path: Path) -> str:
    classes = checkpoint.config.num_classes
    if classes not in _PRESET_BY_CLASSES:
        raise ModelError(
            f'{path} has {classes} classes; the presets of the paper have '
            f'{", ".join(map(str, _PRESET_BY_CLASSES))}. Name the preset with its classes: '
            '--preset NAME.'
        )
    return _PRESET_BY_CLASSES[classes]


def _domain_of(preset: Preset, classes: tuple[ClassInfo, ...]) -> str:
    """Return the domain with these classes, else the preset's default domain."""
    for domain, choice in preset.models.items():
        if classes and choice.export.classes == classes:
            return domain
    return preset.domain
