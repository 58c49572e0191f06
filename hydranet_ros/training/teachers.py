"""
Teacher networks that pseudo-label missing annotations.

A teacher is a checkpoint run by PyTorch, an exported model run by the node's engine, or any other
ONNX model with a description (:mod:`hydranet_ros.training.onnx_teacher`). Labels are hard, as in
the paper: probabilities only serve to merge predictions and to leave out uncertain pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hydranet_ros.errors import ModelError, TrainingError
from hydranet_ros.files import sha256_of
from hydranet_ros.inference.onnx_session import open_any
from hydranet_ros.inference.subgraph import metadata
from hydranet_ros.model_files.metadata import METADATA_KEY, ClassInfo
from hydranet_ros.training.losses import resize_to
from hydranet_ros.training.onnx_teacher import OnnxNetwork, load_description
from hydranet_ros.training.open_model import (
    is_exported,
    log_warnings,
    open_checkpoint,
    open_engine,
)
from hydranet_ros.training.resizing import resize_nearest

TASKS = ('labels', 'depth')


@dataclass(frozen=True)
class TeacherPrediction:
    """
    A teacher's prediction for one image, at the requested size.

    :param probabilities: (C, h, w) float32 of the teacher's own classes, if it has them.
    :param labels: (h, w) uint8 class ids of the teacher, if it has no probabilities.
    :param confidence: (h, w) float32 0..1, of ``labels``.
    :param depth: (h, w) float32 meters of the training camera looking at the network's input; NaN
        or not positive where unknown.
    """

    probabilities: NDArray[np.float32] | None = None
    labels: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    depth: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TeacherFacts:
    """
    Properties of a teacher.

    :param tasks: subset of ``labels``, ``depth``.
    :param classes: names of its classes in the order of their ids; empty if unknown.
    :param table: its classes as rows of a class table, if they come from one.
    :param focal_length: pixels, of the training camera at the size of the network's input; 0 if
        unknown.
    :param details: how its file is interpreted, in JSON types.
    """

    file: str
    sha256: str
    tasks: frozenset[str]
    classes: tuple[str, ...] = ()
    table: tuple[ClassInfo, ...] = ()
    focal_length: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


class Teacher(ABC):
    """One network; see :func:`open_teacher`."""

    facts: TeacherFacts

    @abstractmethod
    def predict(
        self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]
    ) -> TeacherPrediction:
        """
        Return the prediction for one image.

        :param image: (H, W, 3) uint8 RGB.
        :param size: (h, w) of the prediction.
        :param tasks: subset of ``facts.tasks``.
        """

    def input_scale(self, size: tuple[int, int]) -> float:
        """Return the size of the network's input relative to an image of (height, width)."""
        return 1.0

    def close(self) -> None:  # noqa: B027, most teachers hold nothing
        """Free the resources of the teacher."""


class CheckpointTeacher(Teacher):
    """
    A checkpoint of any layout that :mod:`hydranet_ros.network.checkpoints` reads.

    :param preset: provides the classes and the training camera.
    :raises CheckpointError: if the file cannot be read or does not fit the preset.
    """

    def __init__(self, path: Path, preset: str, domain: str = '') -> None:
        opened = open_checkpoint(path, preset, domain)
        self._network, self._channels = opened.network, opened.channels
        self._device = opened.device
        outputs = {'segmentation': 'labels', 'depth': 'depth'}
        classes = opened.facts.classes
        self.facts = TeacherFacts(
            path.name, sha256_of(path),
            frozenset(outputs[task] for task in opened.tasks if task in outputs),
            tuple(item.name for item in classes), classes, opened.facts.focal_length,
            {'preset': preset, 'domain': domain},
        )  # fmt: skip

    @torch.no_grad()
    def predict(
        self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]
    ) -> TeacherPrediction:
        """Return probabilities and depth; logits are resized before the softmax, as in export."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device)
        outputs = self._network(self._network.normalize(pixels[None]))
        probabilities = depth = None
        if 'labels' in tasks:
            logits = outputs['segmentation'][:, slice(*self._channels)]
            probabilities = resize_to(logits, size)[0].softmax(0).cpu().numpy()
        if 'depth' in tasks:
            depth = resize_to(outputs['depth'], size)[0, 0].abs().cpu().numpy()
        return TeacherPrediction(probabilities, depth=depth)


class EngineTeacher(Teacher):
    """
    A model that ``hydranet export`` wrote, with its own classes and camera.

    :raises ModelError: if the file is missing or damaged.
    """

    def __init__(self, path: Path, provider: str = 'auto') -> None:
        self._engine = open_engine(path, provider)
        info = self._engine.info
        self.facts = TeacherFacts(
            path.name, sha256_of(path), frozenset(TASKS) & self._engine.outputs,
            tuple(item.name for item in info.classes), info.classes, info.training_focal_length,
        )  # fmt: skip

    def predict(
        self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]
    ) -> TeacherPrediction:
        """Return labels with their confidence, and depth."""
        wanted = frozenset(tasks) | ({'confidence'} if 'labels' in tasks else frozenset())
        found = self._engine.infer(np.ascontiguousarray(image), wanted)
        labels = confidence = depth = None
        if found.labels is not None:
            labels = _nearest(found.labels, size)
            confidence = np.ones(size, np.float32)
            if found.confidence is not None:
                confidence = (_nearest(found.confidence, size) / 255).astype(np.float32)
        if found.depth is not None:
            # A copy, as the engine overwrites its buffers.
            depth = resize_to(torch.from_numpy(found.depth)[None, None], size)[0, 0].numpy().copy()
        return TeacherPrediction(labels=labels, confidence=confidence, depth=depth)

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


class OnnxTeacher(Teacher):
    """
    Any ONNX model that predicts labels or depth, described by a YAML file.

    :param session: ``onnxruntime.InferenceSession``.
    :raises TrainingError: if the description does not fit the model.
    """

    def __init__(self, path: Path, session: Any, description: Path) -> None:
        self._network = OnnxNetwork(session, load_description(description), str(path))
        described = self._network.description
        labels, depth = described.labels, described.depth
        tasks = {'labels': labels, 'depth': depth}
        self.facts = TeacherFacts(
            path.name, sha256_of(path), frozenset(name for name, part in tasks.items() if part),
            labels.classes if labels else (), focal_length=depth.focal_length if depth else 0.0,
            details=asdict(described),
        )  # fmt: skip

    def predict(
        self, image: NDArray[np.uint8], size: tuple[int, int], tasks: Set[str]
    ) -> TeacherPrediction:
        """Return the outputs of the tasks."""
        return TeacherPrediction(**self._network.predict(image, size, tasks))

    def input_scale(self, size: tuple[int, int]) -> float:
        """Return the size of the network's input relative to an image of (height, width)."""
        return self._network.input_scale(size)


def open_teacher(
    path: Path,
    *,
    preset: str = 'street',
    domain: str = '',
    description: Path | None = None,
    provider: str = 'auto',
) -> Teacher:
    """
    Open a teacher of the kind of its file.

    :param preset: of a checkpoint, with ``domain`` where the preset has several.
    :param description: of an ONNX model that ``hydranet export`` did not write; by default the
        ``.yaml`` beside it.
    :raises TrainingError: if the file, or the description that it needs, does not exist.
    """
    if not path.is_file():
        raise TrainingError(
            f'Teacher {path} does not exist; expected a checkpoint (.ckpt) or a model (.onnx).'
        )
    if not is_exported(path):
        return CheckpointTeacher(path, preset, domain)
    model = path.read_bytes()
    if description is None and METADATA_KEY in _metadata(model, path):
        return EngineTeacher(path, provider)
    description = description or path.with_suffix('.yaml')
    if not description.is_file():
        raise TrainingError(
            f'{path} has no metadata of hydranet export, and {description} does not exist. '
            'Describe the model there (docs/distillation.md, "Any ONNX model") or name a file '
            'with --describe FILE.'
        )
    session, warnings = open_any(model, path, provider)
    log_warnings(warnings)
    return OnnxTeacher(path, session, description)


def _metadata(model: bytes, path: Path) -> Mapping[str, str]:
    try:
        return metadata(model)
    except ValueError as err:
        raise ModelError(f'{path} is not a complete ONNX file: {err}. Get it again.') from err


def _nearest(array: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (H, W) by the nearest pixels; the result is always a copy."""
    maps = torch.from_numpy(array)[None, None].float()
    return resize_nearest(maps, size)[0, 0].byte().numpy()
